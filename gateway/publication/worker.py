"""The loop of a worker: claim what is due, handle each, rest until something is due or told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from gateway.clock import Clock

log = logging.getLogger(__name__)

REST_S_MAX: Final = 30.0
"""A wake that was missed delays work by this much at most."""

REST_S_MIN: Final = 0.02
"""Spares the database when what is due cannot be claimed yet."""

C = TypeVar("C")


class DueWorker(Generic[C]):
    """Handles claims side by side, at most `together` at once, until it is cancelled.

    What a claim's handler does not settle falls due again when its lease ends, so a handler that
    fails, or that is cancelled anywhere, loses nothing.

    Args:
        name: for the log.
        claim: gives at most so many claims, each under a lease.
        next_due_at_ms: when there will be something to claim; None while there is nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        claim: Callable[[int], Awaitable[list[C]]],
        handle: Callable[[C], Awaitable[None]],
        next_due_at_ms: Callable[[], Awaitable[int | None]],
        clock: Clock,
        together: int,
    ) -> None:
        self._name = name
        self._claim = claim
        self._handle = handle
        self._next_due_at_ms = next_due_at_ms
        self._clock = clock
        self._together = together
        self._in_hand = 0
        self._woken = asyncio.Event()
        self._resting: asyncio.Timeout | None = None

    def wake(self) -> None:
        """There may be something to claim."""
        self._woken.set()

    def wake_within(self, seconds: float) -> None:
        """There may be something to claim in so many seconds, and nothing before."""
        rests_until = None if self._resting is None else self._resting.when()
        due_at = asyncio.get_running_loop().time() + seconds
        if self._resting is None or rests_until is None:
            self.wake()  # it is looking, and may have looked too early
        elif due_at < rests_until:
            self._resting.reschedule(due_at)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._woken.clear()
                try:
                    claims = await self._claim_what_fits()
                    for one in claims:
                        self._in_hand += 1
                        tasks.create_task(self._handle_one(one))
                    rest_s = 0.0 if claims else await self._rest_s()
                except Exception:
                    log.exception("claim_failed", extra={"worker": self._name})
                    rest_s = REST_S_MAX / 10
                await self._rest(rest_s)

    async def _claim_what_fits(self) -> list[C]:
        free = self._together - self._in_hand
        return await self._claim(free) if free > 0 else []

    async def _handle_one(self, claim: C) -> None:
        try:
            await self._handle(claim)
        except Exception:
            log.exception("handling_failed", extra={"worker": self._name})
        finally:
            self._in_hand -= 1
            self.wake()

    async def _rest_s(self) -> float:
        if self._in_hand >= self._together:
            return REST_S_MAX
        due_at_ms = await self._next_due_at_ms()
        if due_at_ms is None:
            return REST_S_MAX
        return min(max((due_at_ms - self._clock()) / 1000, REST_S_MIN), REST_S_MAX)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds) as self._resting:
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._resting = None
