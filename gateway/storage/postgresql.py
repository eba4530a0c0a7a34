"""Rows in a PostgreSQL database: the engine where a centre, or an index, has one already.

One connection writes, by the same group writer as on SQLite, and a pool of others reads. The
writing connection holds a lock on the database while it lives, so that two processes never write.
"""

import asyncio
from contextlib import suppress
from importlib import resources
from typing import Self

import asyncpg

from gateway.errors import StorageUnavailable
from gateway.storage.database import Dialect, T, Work
from gateway.storage.group_writer import GroupWriter
from gateway.storage.postgresql_connection import connect, connect_options, disconnect, examine
from gateway.storage.postgresql_statement import (
    DRIVER_ERRORS,
    Connection,
    StatementRefused,
    as_ours,
    execute_all,
    run_work_on,
)

WRITERS_LOCK = 0x4452494D2D4D
"""Key of the advisory lock on the database: "DRIM-M"."""


class PostgresqlDatabase:
    """A `Database` on a server: a writer, and a pool of connections that read."""

    def __init__(
        self,
        writing: "_PostgresqlWriting",
        readers: asyncpg.Pool,
        *,
        reads_max: int,
        group_max: int,
        queue_max: int,
    ) -> None:
        """For `open`, which makes what is passed."""
        self._writing = writing
        self._writer = GroupWriter(writing, group_max=group_max, queue_max=queue_max)
        self._readers = readers
        self._reads = 0
        self._reads_max = reads_max
        self._no_reads = asyncio.Event()
        self._no_reads.set()
        self._returning: set[asyncio.Task[None]] = set()
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
        writing = _PostgresqlWriting(url)
        try:
            await writing.prepare()
            pool = await asyncpg.create_pool(
                url, min_size=0, max_size=readers, reset=_left_as_it_is, **connect_options()
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

    async def write(self, work: Work[T]) -> T:
        """See `Database.write`. This engine runs each work once."""
        return await self._writer.write(work)

    async def read(self, work: Work[T]) -> T:
        """See `Database.read`. The snapshot is that of the work's first statement.

        Raises:
            StorageUnavailable: the engine is closed or overloaded, or the server does not answer.
        """
        if self._closing is not None:
            raise StorageUnavailable("the database is closed")
        if self._reads >= self._reads_max:
            raise StorageUnavailable("too many reads are waiting", retry_after_s=1.0)
        self._reads += 1
        self._no_reads.clear()
        try:
            return await self._read(work)
        finally:
            self._reads -= 1
            if not self._reads:
                self._no_reads.set()

    async def close(self) -> None:
        """See `Database.close`. Closing twice is closing once."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._finish(), name="postgresql-close")
        await asyncio.shield(self._closing)

    async def _read(self, work: Work[T]) -> T:
        try:
            connection = await self._readers.acquire()
        except DRIVER_ERRORS as error:
            raise as_ours(error) from None
        try:
            await execute_all(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return await run_work_on(connection, work)
        finally:
            # In a task of its own, for a second cancellation must not lose the connection.
            returning = asyncio.create_task(self._give_back(connection))
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)
            await asyncio.shield(returning)

    async def _give_back(self, connection: Connection) -> None:
        """End the snapshot; asyncpg has ended a statement whose caller was cancelled."""
        try:
            await connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            with suppress(*DRIVER_ERRORS):  # where it is lost, the pool has let go of it already
                connection.terminate()
        finally:
            await self._readers.release(connection)

    async def _finish(self) -> None:
        await self._writer.finish()
        await self._no_reads.wait()
        await self._readers.close()
        await self._writing.close()


class _PostgresqlWriting:
    """The writing connection, as the group writer uses it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    async def prepare(self) -> None:
        """Connect, see that the database is as it must be, and make what shared SQL calls.

        Raises:
            StorageUnavailable: another process writes to it, or it is not as it must be.
        """
        connection = await self._connected()
        await examine(connection)
        script = resources.files("gateway.storage").joinpath("postgresql.sql")
        await execute_all(connection, script.read_text(encoding="utf-8"))

    async def begin(self) -> str:
        """See `WritingConnection.begin`."""
        await self._connected()
        return "BEGIN"

    async def run_script(self, script: str) -> None:
        """See `WritingConnection.run_script`."""
        await execute_all(self._open, script)

    async def run_work(self, work: Work[T]) -> T:
        """See `WritingConnection.run_work`."""
        return await run_work_on(self._open, work)

    async def roll_back(self) -> None:
        """See `WritingConnection.roll_back`."""
        if self._connection is None or self._connection.is_closed():
            return
        try:
            await execute_all(self._connection, "ROLLBACK")
        except BaseException:
            self._connection.terminate()  # the next group must not stand in this transaction
            raise

    async def close(self) -> None:
        """Let go of the server, and of the writers' lock with it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await disconnect(connection)

    async def _connected(self) -> Connection:
        """The connection, which holds the writers' lock; opened anew where it was lost."""
        if self._connection is None or self._connection.is_closed():
            await self.close()
            connection = await connect(self._url)
            try:
                # Only when the session before is over, and what it did is done or undone.
                await connection.execute(f"SELECT pg_advisory_lock({WRITERS_LOCK})")
                self._connection = connection
            except asyncpg.LockNotAvailableError:
                raise StorageUnavailable(
                    "another process writes to it: stop it, or give this one another"
                ) from None
            except DRIVER_ERRORS as error:
                raise as_ours(error) from None
            finally:
                if self._connection is None:
                    connection.terminate()
        return self._connection

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise StorageUnavailable("the database does not answer")
        return self._connection


async def _left_as_it_is(_connection: Connection) -> None:
    """Whoever borrowed it ended the snapshot, and nothing else of a session is ever changed."""
