"""Who may ask a PACS now: few at a time, in turn, and no PACS at the cost of another.

Viewers move, background work queries, and moves what it cannot learn otherwise; each kind is a
lane. Within one PACS the lanes take turns, and none may hold every association, so a slow viewer
stops no query, and a hundred requests of another kind delay a viewer by one of them at most. Over
all PACS the threads are bounded. Each PACS has one that is its own, whatever the others do, and the
rest goes to whoever has waited longest.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from enum import Enum
from itertools import count
from types import TracebackType
from typing import Final, Self, TypeVar

from gateway.errors import PacsBusy

T = TypeVar("T")

WAIT_S_MAX: Final = 60.0
"""How long a request waits for its turn; a viewer's own patience ends about then, too."""

WAITING_MAX: Final = 256
"""Requests to one PACS that may wait; more are told at once to come again."""

RETRY_AFTER_S: Final = 5.0


class Lane(Enum):
    """Who asks."""

    VIEWER = "viewer"
    """Somebody waits at a screen for what is moved."""
    BACKGROUND = "background"
    """Queries."""
    LEARNER = "learner"
    """Moves that nobody waits for."""


_MOVES: Final = (Lane.VIEWER, Lane.LEARNER)


class PacsThreads:
    """The threads that requests to all PACS run on.

    Args:
        threads_max: at least one for each PACS.
        wait_s_max: seconds that a request waits for its turn.
    """

    def __init__(self, threads_max: int, *, wait_s_max: float = WAIT_S_MAX) -> None:
        self.executor = ThreadPoolExecutor(threads_max, thread_name_prefix="pacs")
        self.wait_s_max = wait_s_max
        self._threads_max = threads_max
        self._pacs: list[PacsTurns] = []
        self._tickets = count()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Start nothing any more; what runs ends with its association."""
        self.executor.shutdown(wait=False, cancel_futures=True)

    def turns(self, *, associations_max: int = 4, moves_max: int = 2) -> "PacsTurns":
        """The turns of one more PACS.

        Args:
            associations_max: requests to it at once.
            moves_max: those among them that are moves.

        Raises:
            ValueError: there is no thread left for it.
        """
        if len(self._pacs) == self._threads_max:
            raise ValueError("more PACS than threads to ask them with")
        turns = PacsTurns(self, associations_max=associations_max, moves_max=moves_max)
        self._pacs.append(turns)
        return turns

    def next_ticket(self) -> int:
        """A number that tells who came first."""
        return next(self._tickets)

    def give_turns(self) -> None:
        """Let everyone ask who may, the longest waiting first."""
        while candidates := [one for one in map(self._next, self._pacs) if one is not None]:
            _, _, turns, lane = min(candidates, key=lambda one: one[:2])
            turns.give(lane)

    def _next(self, turns: "PacsTurns") -> tuple[int, int, "PacsTurns", Lane] | None:
        if turns.held and not self._shared_left:
            return None
        lane = turns.next_lane()
        return None if lane is None else (turns.first_ticket(lane), id(turns), turns, lane)

    @property
    def _shared_left(self) -> int:
        """Threads that are nobody's own and free."""
        taken = sum(max(turns.held - 1, 0) for turns in self._pacs)
        return self._threads_max - len(self._pacs) - taken


class PacsTurns:
    """Whose turn it is at one PACS; made by `PacsThreads.turns`. Used on one loop only."""

    def __init__(self, threads: PacsThreads, *, associations_max: int, moves_max: int) -> None:
        # No lane may take all, but where the PACS takes no more than one association, or move.
        all_but_one = max(associations_max - 1, 1)
        self._threads = threads
        self._associations_max = associations_max
        self._moves_max = min(moves_max, all_but_one)
        self._lane_max = {
            Lane.VIEWER: self._moves_max,
            Lane.BACKGROUND: all_but_one,
            Lane.LEARNER: max(self._moves_max - 1, 1),
        }
        self._held = dict.fromkeys(Lane, 0)
        self._waiting: dict[Lane, deque[tuple[int, asyncio.Future[None]]]] = {
            lane: deque() for lane in Lane
        }
        self._in_order = list(Lane)
        """The lane whose last turn is longest ago comes first."""

    @property
    def held(self) -> int:
        """Requests under way."""
        return sum(self._held.values())

    @asynccontextmanager
    async def turn(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the context.

        Raises:
            PacsBusy: too many wait, or the turn did not come in time.
        """
        await self._take(lane)
        try:
            yield
        finally:
            self._release(lane)

    async def talk(self, work: Callable[[], T], *, on_cancel: Callable[[], None]) -> T:
        """Run `work`, which blocks, on a thread within a turn; what it gives or raises comes back.

        Args:
            on_cancel: has the work end, as the caller is gone; the turn lasts until it has.
        """
        running = asyncio.wrap_future(self._threads.executor.submit(work))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            on_cancel()
            await asyncio.wait({running})
            if not running.cancelled():
                running.exception()  # looked at, for there is nobody left to tell
            raise

    def next_lane(self) -> Lane | None:
        """The lane whose turn it is; None if nobody waits who may ask."""
        if self.held >= self._associations_max:
            return None
        return next((lane for lane in self._in_order if self._may_ask(lane)), None)

    def first_ticket(self, lane: Lane) -> int:
        """The ticket of who has waited longest in the lane."""
        return self._waiting[lane][0][0]

    def give(self, lane: Lane) -> None:
        """It is the turn of who has waited longest in the lane."""
        _, waiter = self._waiting[lane].popleft()
        self._held[lane] += 1
        self._in_order.remove(lane)
        self._in_order.append(lane)
        waiter.set_result(None)

    def _may_ask(self, lane: Lane) -> bool:
        if lane in _MOVES and sum(self._held[one] for one in _MOVES) >= self._moves_max:
            return False
        return bool(self._waiting[lane]) and self._held[lane] < self._lane_max[lane]

    async def _take(self, lane: Lane) -> None:
        waiting = self._waiting[lane]
        if len(waiting) >= WAITING_MAX:
            raise PacsBusy("too many wait for the PACS", retry_after_s=RETRY_AFTER_S)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ticket = (self._threads.next_ticket(), turn)
        waiting.append(ticket)
        self._threads.give_turns()
        try:
            # Shielded, so that the turn is either given or still waited for, and never lost.
            async with asyncio.timeout(self._threads.wait_s_max):
                await asyncio.shield(turn)
        except BaseException as error:
            if turn.done():
                self._release(lane)
            else:
                waiting.remove(ticket)
            if isinstance(error, TimeoutError):
                raise PacsBusy(
                    "the PACS is busy with what it was asked before", retry_after_s=RETRY_AFTER_S
                ) from None
            raise

    def _release(self, lane: Lane) -> None:
        self._held[lane] -= 1
        self._threads.give_turns()
