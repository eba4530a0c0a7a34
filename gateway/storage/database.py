"""The seam between what is stored and the engine that stores it.

Repositories are written once, against `Transaction`; an engine knows how to run a transaction.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

Param = str | int | float | bytes | None
Row = Mapping[str, "Param"]
T = TypeVar("T")


class Dialect(StrEnum):
    """Which engine's SQL is spoken."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Transaction(Protocol):
    """One unit of work: all of its statements hold, or none.

    A statement that fails ends its work, even where the work would go on.
    """

    async def fetch(self, sql: str, **params: Param) -> list[Row]:
        """Run one statement with its `:name` parameters, one at a time; no result gives []."""

    async def add(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows, each of which names the same columns, as one statement; none is no statement.

        Each value goes as it is, by the way that is the engine's fastest. A key that is there
        already refuses the rows; what may meet one is for `fetch`, a row at a time.
        """


Work = Callable[[Transaction], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class LongWork(Generic[T]):
    """A work whose statements may take long, as a migration's; it is run before others wait."""

    work: Work[T]

    async def __call__(self, tx: Transaction) -> T:
        return await self.work(tx)


class Readable(Protocol):
    """Rows that somebody may be writing to."""

    @property
    def dialect(self) -> Dialect:
        """Which SQL the repositories must load."""

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a read-only snapshot; readers never wait for the writer."""


class Database(Readable, Protocol):
    """Durable rows. Rows come back as mappings from column name to value."""

    @property
    def generation(self) -> int | None:
        """A number that grows with every write, before its caller hears of it: what was read
        after it was looked at holds while it stays. None where others may write unseen."""

    async def write(self, work: Work[T], *, after: Future[None] | None = None) -> T:
        """Run `work` in a transaction and return once it is durable; roll back if it raises.

        Inside, await nothing but the transaction: the network is slow and others wait. `work` may
        be run again from its start when the engine asks for it, so it keeps no state of its own.
        A caller that is cancelled does not cancel the work, which ends one way or the other.

        Args:
            after: must have been done before the commit; the work runs meanwhile. Where it fails,
                or takes more than `AFTER_S_MAX`, nothing of what shares the commit holds.

        Raises:
            StorageUnavailable: the disk is full, or the engine is closed or overloaded or does not
                answer. Where it died while it committed, the work may be durable all the same.
        """

    async def close(self) -> None:
        """Finish what was accepted, then let go of the file or the server."""
