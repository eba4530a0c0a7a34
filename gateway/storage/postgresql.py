"""Rows in a PostgreSQL database: the engine where a centre, or an index, has one already.

One connection writes, by the same group writer as on SQLite, and a pool of others reads. The
writing connection holds a lock on the database while it lives, so that two processes never write.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Self

import asyncpg

from gateway.errors import StorageUnavailable
from gateway.storage import postgresql_connection as limits
from gateway.storage.commit_tally import CommitTally
from gateway.storage.database import Dialect, T, Work
from gateway.storage.group_writer import GroupWriter
from gateway.storage.postgresql_connection import connect_options
from gateway.storage.postgresql_statement import (
    DRIVER_ERRORS,
    Connection,
    StatementRefused,
    as_ours,
    cut_off,
    execute_all,
    run_work_on,
)
from gateway.storage.postgresql_writing import PostgresqlWriting
from gateway.storage.reading import ConnectionLost, Reading

LEND_S_MAX = 10.0
"""How long a work waits for a connection to read by."""
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresqlDatabase:
    """A `Database` on a server: a writer, and a pool of connections that read."""

    def __init__(
        self,
        writing: PostgresqlWriting,
        readers: asyncpg.Pool,
        *,
        reads_max: int,
        group_max: int,
        queue_max: int,
    ) -> None:
        """For `open`, which makes what is passed."""
        self._writing = writing
        self._writer = GroupWriter(writing, group_max=group_max, queue_max=queue_max)
        self._reading = Reading(_PostgresqlReaders(readers), reads_max=reads_max)
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, url: str, *, readers: int = 4, group_max: int = 256, queue_max: int = 4096
    ) -> Self:
        """Connect to the database.

        Args:
            url: `postgresql://…` as libpq takes it; the role owns the schema that it writes to.
            readers: connections that read, at most.
            group_max: works that may share one transaction.
            queue_max: works that may wait, and apart from them reads; more are turned away.

        Raises:
            StorageUnavailable: the server does not answer or refuses, another process writes to
                the database, or the database is not as it must be; the message says how.
        """
        tally = CommitTally()
        writing = PostgresqlWriting(url, tally)
        try:
            await writing.open()
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=readers,
                init=tally.expect,
                reset=_left_as_it_is,
                **connect_options(),
            )
        except (StorageUnavailable, StatementRefused, *DRIVER_ERRORS) as error:
            await writing.close()
            told = as_ours(error) if isinstance(error, DRIVER_ERRORS) else error
            raise StorageUnavailable(f"cannot open the database: {told}") from None
        except BaseException:
            await writing.close()
            raise
        return cls(
            writing,
            pool,
            reads_max=readers + queue_max,
            group_max=group_max,
            queue_max=queue_max,
        )

    @property
    def dialect(self) -> Dialect:
        """See `Database.dialect`."""
        return Dialect.POSTGRESQL

    @property
    def generation(self) -> int | None:
        """See `Database.generation`: who writes once our connection is lost is not seen."""
        return None

    async def write(self, work: Work[T], *, after: Future[None] | None = None) -> T:
        """See `Database.write`. This engine runs each work once."""
        return await self._writer.write(work, after=after)

    async def read(self, work: Work[T]) -> T:
        """See `Database.read`. The snapshot is that of the work's first statement.

        Raises:
            StorageUnavailable: the engine is closed or overloaded, or the server does not answer.
        """
        return await self._reading.read(work)

    async def close(self) -> None:
        """See `Database.close`. Closing twice is closing once."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._finish(), name="postgresql-close")
        await asyncio.shield(self._closing)

    async def _finish(self) -> None:
        await self._writer.finish()
        await self._reading.finish()
        await self._writing.close()


@asynccontextmanager
async def postgresql_reading(url: str) -> AsyncIterator[Reading[Connection]]:
    """A way to read a database that another process may be writing to; nothing of it is changed.

    Raises:
        StorageUnavailable: the server does not answer, or refuses.
    """
    try:
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=1, reset=_left_as_it_is, **connect_options()
        )
    except DRIVER_ERRORS as error:
        raise StorageUnavailable(f"cannot open the database: {as_ours(error)}") from None
    reading = Reading(_PostgresqlReaders(pool), reads_max=1)
    try:
        yield reading
    finally:
        await reading.finish()


class _PostgresqlReaders:
    """The connections that read, as `Reading` lends them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def lend(self) -> Connection:
        """See `Lender.lend`."""
        try:
            connection: Connection = await self._pool.acquire(timeout=LEND_S_MAX)
        except DRIVER_ERRORS as error:
            raise as_ours(error) from None
        return connection

    async def run_work(self, connection: Connection, work: Work[T]) -> T:
        """See `Lender.run_work`."""
        try:
            await execute_all(connection, SNAPSHOT, within_s=limits.PROMPT_S_MAX)
        except StorageUnavailable as error:
            cut_off(connection)
            await self._pool.expire_connections()  # the others were lost with it
            raise ConnectionLost(str(error)) from None
        return await run_work_on(connection, work)

    async def take_back(self, connection: Connection) -> None:
        """See `Lender.take_back`. asyncpg has ended a statement whose caller was cancelled."""
        try:
            await connection.execute("ROLLBACK", timeout=limits.PROMPT_S_MAX)
        except DRIVER_ERRORS:
            cut_off(connection)
        finally:
            with suppress(*DRIVER_ERRORS):
                await self._pool.release(connection)

    async def close(self) -> None:
        """See `Lender.close`."""
        with suppress(*DRIVER_ERRORS):  # what does not end in time is cut off
            await asyncio.wait_for(self._pool.close(), limits.PROMPT_S_MAX)


async def _left_as_it_is(_connection: Connection) -> None:
    """Whoever borrowed it ended the snapshot, and nothing else of a session is ever changed."""
