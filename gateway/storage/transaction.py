"""One work's hold on a connection, whatever the engine: statements, and the pause between them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from gateway.errors import StorageUnavailable
from gateway.storage.database import Param, Row, T, Work

PAUSE_S_MAX = 10.0
"""How long a work may take from one statement to the next while others wait for its connection."""

Statement = Callable[[str, Mapping[str, Param]], Awaitable[list[Row]]]
"""Runs one statement with its `:name` parameters, in the transaction that is open."""


async def run_work(statement: Statement, work: Work[T]) -> T:
    """Run `work` on a connection that is inside a transaction; the caller ends that transaction.

    Raises:
        StorageUnavailable: as `statement`, or the work paused for longer than `PAUSE_S_MAX`.
    """
    try:
        async with asyncio.timeout(PAUSE_S_MAX) as pause:
            tx = PausingTransaction(statement, pause)
            try:
                return await work(tx)
            finally:
                tx.end()
    except TimeoutError as error:
        if pause.expired():
            raise StorageUnavailable(f"a work paused for {PAUSE_S_MAX} s") from error
        raise


class PausingTransaction:
    """A `Transaction` for one work, and void when that work ends."""

    def __init__(self, statement: Statement, pause: asyncio.Timeout) -> None:
        self._statement = statement
        self._pause = pause
        self._ended = False
        self._busy = False

    async def fetch(self, sql: str, **params: Param) -> list[Row]:
        """See `Transaction.fetch`."""
        if self._ended:  # a task that outlives its work would write into another's savepoint
            raise RuntimeError("the transaction ended with its work")
        if self._busy:  # one engine would queue it, and the other refuse
            raise RuntimeError("a transaction runs one statement at a time")
        self._busy = True
        self._pause.reschedule(None)
        try:
            return await self._statement(sql, params)
        finally:
            self._busy = False
            if not self._pause.expired():
                self._pause.reschedule(asyncio.get_running_loop().time() + PAUSE_S_MAX)

    def end(self) -> None:
        """Refuse further statements."""
        self._ended = True
