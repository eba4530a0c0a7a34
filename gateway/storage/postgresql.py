"""Rows in a PostgreSQL database: the engine where a centre, or an index, has one already.

One connection writes, by the same group writer as on SQLite, and a pool of others reads. The
writing connection holds a lock on the database while it lives, so that two processes never write.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import resources
from typing import Self

import asyncpg

from gateway.errors import StorageUnavailable
from gateway.storage.database import Dialect, T, Work
from gateway.storage.group_writer import GroupWriter
from gateway.storage.postgresql_statement import (
    DRIVER_ERRORS,
    Connection,
    as_ours,
    execute,
    execute_all,
    run_work_on,
)

log = logging.getLogger(__name__)

VERSION_MIN = 15
CONNECT_S_MAX = 5.0
STATEMENT_S_MAX = 300.0
"""How long a statement may take; an index that a migration makes over everything is one."""
LOCK_S_MAX = 5.0
"""How long to wait for a lock that an operator's tool, or a process that is ending, holds."""
WRITERS_LOCK = 0x4452494D2D4D
"""Key of the advisory lock on the database: "DRIM-M"."""

_SESSION = {
    "application_name": "drim",
    "synchronous_commit": "on",  # with off a crash may undo an acknowledged commit
    "lock_timeout": f"{LOCK_S_MAX:.0f}s",
    # A process whose machine is gone lets go of the writers' lock within a minute.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_FACTS = """SELECT current_setting('server_version_num')::integer / 10000 AS version,
    current_setting('server_encoding') AS encoding, 'B' < 'a' AS by_bytes,
    current_setting('synchronous_commit') AS commits, current_setting('fsync') AS syncs"""


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

        async def connect() -> Connection:
            # A server that only follows another would refuse what is written.
            connected: Connection = await asyncpg.connect(
                url,
                timeout=CONNECT_S_MAX,
                command_timeout=STATEMENT_S_MAX,
                server_settings=_SESSION,
                target_session_attrs="read-write",
            )
            return connected

        writing = _PostgresqlWriting(connect)
        try:
            await writing.open()
            await writing.prepare()
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=readers,
                timeout=CONNECT_S_MAX,
                command_timeout=STATEMENT_S_MAX,
                server_settings=_SESSION,
                reset=_left_as_it_is,
            )
        except DRIVER_ERRORS as error:
            await writing.close()
            raise StorageUnavailable(f"cannot open the database: {_told(error)}") from None
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
            raise as_ours(error, lost=True) from None
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
            connection.terminate()  # the pool opens another; what was read was read
        finally:
            await self._readers.release(connection)

    async def _finish(self) -> None:
        await self._writer.finish()
        await self._no_reads.wait()
        await self._readers.close()
        await self._writing.close()


class _PostgresqlWriting:
    """The writing connection, as the group writer uses it."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Connect, and take the writers' lock.

        Raises:
            StorageUnavailable: another process holds it.
        """
        connection = self._connection = await self._connect()
        try:
            await connection.execute(f"SELECT pg_advisory_lock({WRITERS_LOCK})")
        except asyncpg.LockNotAvailableError:
            raise StorageUnavailable(
                "another process writes to this database: stop it, or give this one another"
            ) from None

    async def prepare(self) -> None:
        """See that the database is as it must be, and make what shared SQL calls by name.

        Raises:
            StorageUnavailable: it is not; the message says how it must be.
        """
        [facts] = await execute(self._open, _FACTS, {})
        if int(str(facts["version"])) < VERSION_MIN:
            raise StorageUnavailable(f"PostgreSQL {VERSION_MIN} or later is needed")
        if facts["encoding"] != "UTF8" or not facts["by_bytes"]:
            raise StorageUnavailable(
                "the database must keep UTF-8 and sort by bytes: create it with "
                "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
            )
        if facts["commits"] != "on":
            raise StorageUnavailable("the server does not commit with synchronous_commit = on")
        if facts["syncs"] != "on":
            log.warning("database_may_lose_commits")
        script = resources.files("gateway.storage").joinpath("postgresql.sql")
        await execute_all(self._open, script.read_text(encoding="utf-8"))

    async def begin(self) -> str:
        """See `WritingConnection.begin`."""
        if self._connection is None or self._connection.is_closed():
            try:
                await self.close()
                await self.open()
            except DRIVER_ERRORS as error:
                raise as_ours(error, lost=True) from None
        return "BEGIN"

    async def run_script(self, script: str) -> None:
        """See `WritingConnection.run_script`."""
        await execute_all(self._open, script)

    async def run_work(self, work: Work[T]) -> T:
        """See `WritingConnection.run_work`."""
        return await run_work_on(self._open, work)

    async def roll_back(self) -> None:
        """See `WritingConnection.roll_back`."""
        if self._connection is not None and not self._connection.is_closed():
            await execute_all(self._connection, "ROLLBACK")

    async def close(self) -> None:
        """Let go of the server, and of the writers' lock with it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=CONNECT_S_MAX)

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise StorageUnavailable("the database does not answer")
        return self._connection


async def _left_as_it_is(_connection: Connection) -> None:
    """Whoever borrowed it ended the snapshot, and nothing else of a session is ever changed."""


def _told(error: Exception) -> str:
    """What the server, or the system, says; it may name the database and the role."""
    return str(error.args[0] if isinstance(error, asyncpg.PostgresError) else error)
