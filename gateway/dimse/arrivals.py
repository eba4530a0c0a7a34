"""What a PACS sends for one move, on its way to who asked for it: a queue with room for a few."""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Self

from gateway.dimse.commands import StoreRequest
from gateway.dimse.scu import SOME_FAILED, MoveOutcome
from gateway.dimse.statuses import StoreStatus
from gateway.errors import PacsIncomplete, PacsUnavailable


class Change:
    """Wakes all who wait for something to change, each time that it does."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next change."""
        await self._told.wait()

    def tell(self) -> None:
        """Something has changed."""
        told, self._told = self._told, asyncio.Event()
        told.set()


class Arrivals:
    """The instances of one move, in the order in which they arrive.

    Iterating ends when the PACS has said that it is done and all that came was taken. It raises
    `PacsUnavailable`, after what came, where the PACS failed or broke off, and its `PacsIncomplete`
    where the PACS left something out. Who takes an arrival owns its `spooled` file, where it is not
    `in_memory`: what is short stays there, so that the PACS need not wait for a disk.
    """

    def __init__(self, *, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._waiting: deque[StoreRequest] = deque()
        self._change = Change()
        self._arrived = 0
        self._is_over = False
        self._error: PacsUnavailable | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is taken."""
        return self._is_over

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StoreRequest:
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            await self._change.wait()
        arrival = self._waiting.popleft()
        self._change.tell()
        return arrival

    async def take(self, request: StoreRequest) -> int:
        """Wait for room and keep what came; the status to answer (PS3.4 §B.2.3).

        Raises:
            NoRoom: the disk does not take it.
        """
        if not request.in_memory:
            await request.file.finish()
        while len(self._waiting) >= self._waiting_max and not self._is_over:
            await self._change.wait()
        if self._is_over:
            return StoreStatus.OUT_OF_RESOURCES
        # Moved away, for the acceptor removes what lies at the old path once we have answered.
        kept = request.spooled.with_name(f"{request.spooled.name}.moved")
        if not request.in_memory:
            request.spooled.rename(kept)
        self._waiting.append(replace(request, spooled=kept))
        self._arrived += 1
        self._change.tell()
        return StoreStatus.SUCCESS

    def finish(self, outcome: MoveOutcome | PacsUnavailable) -> None:
        """The PACS is done, or failed; nothing more is taken."""
        self._is_over = True
        self._error = outcome if isinstance(outcome, PacsUnavailable) else self._find_gap(outcome)
        self._change.tell()

    def close(self) -> None:
        """Nobody iterates any more: refuse what still comes, remove what was not taken."""
        self._is_over = True
        while self._waiting:
            self._waiting.popleft().spooled.unlink(missing_ok=True)
        self._change.tell()

    def _find_gap(self, outcome: MoveOutcome) -> PacsIncomplete | None:
        if outcome.failed or (outcome.failed is None and outcome.status == SOME_FAILED):
            return PacsIncomplete(f"the PACS could not send {outcome.failed or 'some'} instances")
        claimed = (outcome.completed or 0) + (outcome.warning or 0)
        if self._arrived < claimed:
            return PacsIncomplete(f"of {claimed} instances {self._arrived} arrived")
        return None
