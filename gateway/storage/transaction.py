"""One work's hold on a connection, whatever the engine: statements, and the pause between them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from gateway.errors import StorageUnavailable
from gateway.storage.database import Param, Row, T, Work

PAUSE_S_MAX = 10.0
"""How long a work may take from one statement to the next while others wait for its connection."""


class Statements(Protocol):
    """What an engine runs in the transaction that is open on its connection."""

    async def run(self, sql: str, params: Mapping[str, Param]) -> list[Row]:
        """Run one statement with its `:name` parameters."""

    async def add(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Param]]
    ) -> None:
        """Add rows, at least one, whose values are in the order of the columns."""


async def run_work(
    statements: Statements, work: Work[T], *, pause: asyncio.Timeout | None = None
) -> T:
    """Run `work` on a connection that is inside a transaction; the caller ends that transaction.

    Args:
        pause: ends a work that takes too long from one statement to the next; None where it
            cannot wait for anything between them.

    Raises:
        StorageUnavailable: as `statements`.
    """
    tx = WorkTransaction(statements, pause)
    try:
        result = await work(tx)
    finally:
        tx.end()
    if tx.failure is not None:
        raise tx.failure
    return result


async def run_pausing_work(statements: Statements, work: Work[T]) -> T:
    """As `run_work`, on the loop, where a work can wait for what is not its transaction.

    Raises:
        StorageUnavailable: as `statements`, or the work paused for longer than `PAUSE_S_MAX`.
    """
    try:
        async with asyncio.timeout(PAUSE_S_MAX) as pause:
            return await run_work(statements, work, pause=pause)
    except TimeoutError as error:
        if pause.expired():
            raise StorageUnavailable(f"a work paused for {PAUSE_S_MAX} s") from error
        raise


class WorkTransaction:
    """A `Transaction` for one work, and void when that work ends."""

    def __init__(self, statements: Statements, pause: asyncio.Timeout | None) -> None:
        self._statements = statements
        self._pause = pause
        self.failure: BaseException | None = None
        """Of the first statement that failed: what the work wrote is void, though it went on."""
        self._ended = False
        self._busy = False

    async def fetch(self, sql: str, **params: Param) -> list[Row]:
        """See `Transaction.fetch`."""
        with self._turn():
            return await self._statements.run(sql, params)

    async def add(self, table: str, rows: Sequence[Row]) -> None:
        """See `Transaction.add`."""
        if rows:
            columns, values = _by_column(rows)
            with self._turn():
                await self._statements.add(table, columns, values)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Held by the statement that runs."""
        if self._ended:  # a task that outlives its work would write into another's savepoint
            raise RuntimeError("the transaction ended with its work")
        if self._busy:  # one engine would queue it, and the other refuse
            raise RuntimeError("a transaction runs one statement at a time")
        self._busy = True
        if self._pause is not None:
            self._pause.reschedule(None)
        try:
            yield
        except BaseException as error:
            self.failure = self.failure or error
            raise
        finally:
            self._busy = False
            if self._pause is not None and not self._pause.expired():
                self._pause.reschedule(asyncio.get_running_loop().time() + PAUSE_S_MAX)

    def end(self) -> None:
        """Refuse further statements."""
        self._ended = True


def _by_column(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[list[Param]]]:
    """The columns that the rows name, and the values of each row in the order of these."""
    columns = tuple(rows[0])
    named = rows[0].keys()
    if any(row.keys() != named for row in rows):
        raise ValueError("rows that are added at once name the same columns")
    return columns, [[row[column] for column in columns] for row in rows]
