"""Lends connections to works that read, each for a snapshot of its own.

Written once for both engines. The connection goes back in a task of its own, so that neither a
caller that is cancelled nor one that is cancelled twice loses it.
"""

import asyncio
from typing import Generic, Protocol, TypeVar

from gateway.errors import StorageUnavailable
from gateway.storage.database import T, Work

C = TypeVar("C")


class ConnectionLost(StorageUnavailable):
    """A connection turned out to be lost before anything was asked by it."""


class Lender(Protocol[C]):
    """An engine's connections that read."""

    async def lend(self) -> C:
        """A connection that nobody else uses.

        Raises:
            StorageUnavailable: none can be had.
        """

    async def run_work(self, connection: C, work: Work[T]) -> T:
        """Run `work` on a snapshot.

        Raises:
            ConnectionLost: the work was not begun.
        """

    async def take_back(self, connection: C) -> None:
        """End the snapshot, and before it a statement whose caller was cancelled."""

    async def close(self) -> None:
        """Let go of the connections; none is lent."""


class Reading(Generic[C]):
    """Counts who reads, and waits for them at the end.

    Args:
        reads_max: works that may read or wait to; more are turned away.
    """

    def __init__(self, lender: Lender[C], *, reads_max: int) -> None:
        self._lender = lender
        self._reads_max = reads_max
        self._reads = 0
        self._nobody_reads = asyncio.Event()
        self._nobody_reads.set()
        self._returning: set[asyncio.Task[None]] = set()
        self._finished = False

    async def read(self, work: Work[T]) -> T:
        """See `Database.read`.

        Raises:
            StorageUnavailable: the engine is closed or overloaded, or does not answer.
        """
        if self._finished:
            raise StorageUnavailable("the database is closed")
        if self._reads >= self._reads_max:
            raise StorageUnavailable("too many reads are waiting", retry_after_s=1.0)
        self._reads += 1
        self._nobody_reads.clear()
        try:
            try:
                return await self._read(work)
            except ConnectionLost:
                return await self._read(work)
        finally:
            self._reads -= 1
            if not self._reads:
                self._nobody_reads.set()

    async def finish(self) -> None:
        """Take no more works, and let go of the connections once those taken are done."""
        self._finished = True
        await self._nobody_reads.wait()
        if self._returning:  # of callers that were cancelled twice
            await asyncio.wait(self._returning)
        await self._lender.close()

    async def _read(self, work: Work[T]) -> T:
        connection = await self._lender.lend()
        try:
            return await self._lender.run_work(connection, work)
        finally:
            # In a task of its own, for a second cancellation must not lose the connection.
            returning = asyncio.create_task(self._lender.take_back(connection))
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)
            await asyncio.shield(returning)
