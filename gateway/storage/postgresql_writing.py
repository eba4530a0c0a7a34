"""The one connection that writes to PostgreSQL, with the lock by which it is the one."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from importlib import resources
from typing import Any

import asyncpg

from gateway.errors import StorageUnavailable
from gateway.storage import postgresql_connection as limits
from gateway.storage.commit_tally import CommitTally
from gateway.storage.database import LongWork, T, Work
from gateway.storage.group_writer import AFTER_S_MAX, CommitInDoubt
from gateway.storage.postgresql_connection import connect, disconnect, examine
from gateway.storage.postgresql_statement import (
    DRIVER_ERRORS,
    READ_ONLY,
    Connection,
    StatementRefused,
    as_ours,
    cut_off,
    execute,
    execute_all,
    run_work_on,
)

WRITERS_LOCK = 0x4452494D2D4D
"""Key of the advisory lock on the database: "DRIM-M"."""
DOUBT_S_MAX = 5.0
"""How long to ask what became of a commit whose answer is lost; all that writes waits."""
ASK_AGAIN_S = 0.1


class PostgresqlWriting:
    """The writing connection, as the group writer uses it."""

    def __init__(self, url: str, tally: CommitTally) -> None:
        self._url = url
        self._tally = tally
        self._connection: Connection | None = None
        self._is_new = True
        self._lost_to_another = False
        self._refusal: str = ""
        self._again_at = 0.0

    async def open(self) -> None:
        """Connect, see that the database is as it must be, and make what shared SQL calls.

        Raises:
            StorageUnavailable: another process writes to it, or it is not as it must be.
        """
        await self._connected()

    async def drive(self, group: Coroutine[Any, Any, None]) -> None:
        """See `WritingConnection.drive`."""
        await group

    async def begin(self, script: str) -> None:
        """See `WritingConnection.begin`."""
        try:
            await self._begin(await self._connected(), script)
        except StorageUnavailable:
            if self._connection is None:
                raise
            cut_off(self._connection)  # it was lost while nobody looked: nothing was begun
            await self._begin(await self._connected(), script)

    async def run_script(self, script: str) -> None:
        """See `WritingConnection.run_script`."""
        await execute_all(self._open, script)

    async def run_work(self, work: Work[T]) -> T:
        """See `WritingConnection.run_work`."""
        within_s: float | None = None
        if isinstance(work, LongWork):
            within_s = limits.LONG_STATEMENT_S_MAX
            await execute_all(self._open, _as_long_work(within_s))
        try:
            return await run_work_on(self._open, work, within_s=within_s)
        except StatementRefused as error:
            if error.state != READ_ONLY:
                raise
            cut_off(self._open)  # the next group looks for a server that takes writes
            raise StorageUnavailable("the server takes no writes any more") from None

    async def wait(self, done: Future[None]) -> None:
        """See `WritingConnection.wait`."""
        async with asyncio.timeout(AFTER_S_MAX):
            await asyncio.wrap_future(done)

    async def commit(self, script: str) -> None:
        """See `WritingConnection.commit`."""
        connection, number = self._open, self._tally.groups + 1
        if connection.is_closed():
            raise StorageUnavailable("the connection was lost before the commit")
        try:
            await execute_all(connection, f"{script}{self._tally.step}; COMMIT")
        except StorageUnavailable:
            cut_off(connection)
            self._tally.in_doubt = True
            if await self._groups() != number:
                raise
        else:
            self._tally.committed()

    async def roll_back(self) -> None:
        """See `WritingConnection.roll_back`."""
        if self._connection is None or self._connection.is_closed():
            return
        try:
            await execute_all(self._connection, "ROLLBACK", within_s=limits.PROMPT_S_MAX)
        except BaseException:
            cut_off(self._connection)  # the next group must not stand in this transaction
            raise

    async def close(self) -> None:
        """Let go of the server, and of the writers' lock with it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await disconnect(connection)

    async def _begin(self, connection: Connection, script: str) -> None:
        await execute_all(connection, f"BEGIN; {script}", within_s=limits.PROMPT_S_MAX)

    async def _groups(self) -> int:
        """How many groups are durable, asked until a server answers.

        Raises:
            CommitInDoubt: none does.
        """
        try:
            async with asyncio.timeout(DOUBT_S_MAX):
                while True:
                    with suppress(StorageUnavailable):
                        await self._connected()
                        return self._tally.groups
                    await asyncio.sleep(ASK_AGAIN_S)
        except TimeoutError:
            raise CommitInDoubt("the server did not answer a COMMIT, nor after it") from None

    async def _connected(self) -> Connection:
        """The connection, which holds the writers' lock; opened anew where it was lost."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        await self.close()
        started = asyncio.get_running_loop().time()
        if started < self._again_at:
            raise StorageUnavailable(self._refusal)
        try:
            connection = await connect(self._url)
            try:
                await self._make_ready(connection)
                self._connection = connection
            finally:
                if self._connection is None:
                    cut_off(connection)
        except StorageUnavailable as error:
            # Not at once again where it took long: all that waits would wait for it in turn.
            failed = asyncio.get_running_loop().time()
            self._refusal, self._again_at = str(error), failed + (failed - started)
            raise
        return connection

    async def _make_ready(self, connection: Connection) -> None:
        await self._take_lock(connection)
        await examine(connection)
        if self._is_new:
            script = resources.files("gateway.storage").joinpath("postgresql.sql")
            await execute_all(connection, script.read_text(encoding="utf-8"))
            await self._tally.begin(connection)
            self._is_new = False
        else:
            await self._tally.resume(connection)

    async def _take_lock(self, connection: Connection) -> None:
        """Have the writers' lock, once the session before is over, done or undone.

        Raises:
            StorageUnavailable: another process has it. It is waited for once, not each time.
        """
        if self._lost_to_another:
            asked = f"SELECT pg_try_advisory_lock({WRITERS_LOCK}) AS taken"
            [row] = await execute(connection, asked, {})
            self._lost_to_another = not row["taken"]
        else:
            try:
                await connection.execute(f"SELECT pg_advisory_lock({WRITERS_LOCK})")
            except asyncpg.LockNotAvailableError:
                self._lost_to_another = True
            except DRIVER_ERRORS as error:
                raise as_ours(error) from None
        if self._lost_to_another:
            raise StorageUnavailable(
                "another process writes to it: stop it, or give this one another"
            )

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise StorageUnavailable("the database does not answer")
        return self._connection


def _as_long_work(within_s: float) -> str:
    """What lets statements take so long, and read whole tables; it ends with the transaction."""
    planned = "; ".join(f"SET LOCAL {name} = on" for name in limits.PLANS)
    return f"SET LOCAL statement_timeout = '{within_s:.0f}s'; {planned}"
