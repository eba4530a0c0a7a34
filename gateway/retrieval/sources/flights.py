"""Every pull that is under way: who asks for what is on its way waits for that.

A study is pulled series by series, for a viewer asks for one of them, and is not to wait for the
others because somebody else wants them all.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from gateway.dimse.turns import Lane
from gateway.errors import PacsUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.files import to_the_end
from gateway.retrieval.sources.flight import Flight, Ground
from gateway.retrieval.sources.landing import Landing, PulledStudies
from gateway.retrieval.sources.pull import Puller
from gateway.retrieval.sources.pulls import Pull
from gateway.retrieval.sources.shelf import Seat
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

LACKING_S: Final = 60.0
"""How long a PACS is not asked again for what it did not send when it was."""
LACKING_MAX: Final = 1000
"""Pulls of which that is remembered."""


@dataclass(frozen=True, slots=True)
class _Lack:
    until_s: float
    instances: frozenset[Uid]


class Flights:
    """Pulls, each once. Whoever makes it closes it.

    Args:
        pullers: who has each PACS send, by its AE title.
    """

    def __init__(
        self, ground: Ground, catalogue: PulledStudies, pullers: Mapping[str, Puller]
    ) -> None:
        self._ground = ground
        self._catalogue = catalogue
        self._pullers = pullers
        self._running: dict[Flight, asyncio.Task[None]] = {}
        """Those that may be joined."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._lacks: dict[Resource, _Lack] = {}
        self._are_kept = False
        """There are copies that nobody was told of."""

    @asynccontextmanager
    async def reading(self, pull: Pull) -> AsyncIterator[tuple[Flight, Seat]]:
        """Read what is pulled, with who else does.

        Raises:
            PacsUnavailable: no such PACS is configured.
        """
        flight = self._joined(pull, Lane.VIEWER)
        seat = flight.take_seat()
        try:
            yield flight, seat
        finally:
            await to_the_end(self._leave(flight, seat))

    async def bring(self, pull: Pull, *, bytes_max: int) -> Flight:
        """Have it pulled and kept, though nobody reads it yet; the flight, once it is over.

        Args:
            bytes_max: after which it ends, if nobody reads it.

        Raises:
            PacsUnavailable: no such PACS is configured.
        """
        flight = self._joined(pull, Lane.LEARNER)
        flight.stay(bytes_max)
        try:
            await asyncio.wait({self._running[flight]})
        finally:
            flight.leave()
            await to_the_end(self._end_unwanted(flight))
        return flight

    def lacking(self, study: Uid) -> frozenset[Uid]:
        """Instances of the study that a PACS was asked for a moment ago, and did not send."""
        now_s = asyncio.get_running_loop().time()
        found = frozenset[Uid]().union(
            *(flight.lacking for flight in self._running if flight.wanted.study == study)
        )
        for wanted, lack in list(self._lacks.items()):
            if lack.until_s <= now_s:
                del self._lacks[wanted]
            elif wanted.study == study:
                found |= lack.instances
        return found

    async def close(self) -> None:
        """End all pulls."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _joined(self, pull: Pull, lane: Lane) -> Flight:
        for flight in self._running:
            if flight.serves(pull.pacs, pull.wanted):
                flight.hasten(lane)
                return flight
        if pull.pacs not in self._pullers:
            raise PacsUnavailable("the PACS that holds this resource is not configured")
        landing = Landing(self._catalogue, pull.wanted, shown=pull.shown, needed=pull.needed)
        flight = Flight(
            self._ground,
            self._pullers[pull.pacs],
            landing,
            pacs=pull.pacs,
            wanted=pull.wanted,
            lane=lane,
        )
        running = self._running[flight] = asyncio.create_task(flight.run())
        self._tasks.add(running)
        self._ground.metrics.pulls_under_way.inc()
        running.add_done_callback(lambda task: self._ended(flight, task))
        return flight

    async def _leave(self, flight: Flight, seat: Seat) -> None:
        await seat.leave()
        await self._end_unwanted(flight)

    async def _end_unwanted(self, flight: Flight) -> None:
        if not flight.is_wanted and flight in self._running:
            # At once: who asks from now on must not join what is about to end.
            running = self._running.pop(flight)
            running.cancel()
            await asyncio.wait({running})

    def _ended(self, flight: Flight, task: "asyncio.Task[None]") -> None:
        self._running.pop(flight, None)
        self._tasks.discard(task)
        self._ground.metrics.pulls_under_way.dec()
        self._are_kept = self._are_kept or bool(flight.kept_bytes)
        if self._are_kept and not self._tasks:
            self._are_kept = False
            self._ground.on_kept()
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("pull_broken", exc_info=error)
        elif flight.lacking:
            while len(self._lacks) >= LACKING_MAX:
                del self._lacks[next(iter(self._lacks))]
            until_s = asyncio.get_running_loop().time() + LACKING_S
            self._lacks[flight.wanted] = _Lack(until_s, flight.lacking)
