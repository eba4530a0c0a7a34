"""What came of a pull, for each who reads it: in the spool, then in the store, or gone.

What is kept lies in the store, so that a slow reader slows nobody, and one who joins late reads
what came before. What is not kept stays until each reader has had it: then the PACS waits for the
readers, and they for each other, within a bound.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Final

from gateway.dimse.arrivals import Change
from gateway.errors import GatewayError
from gateway.retrieval.files import to_the_end
from gateway.retrieval.sources.keeper import Pulled
from indexer.contract.identifiers import Uid

PASSING_MAX: Final = 4
"""Instances that are not kept and wait for a reader."""
LAG_S_MAX: Final = 30.0
"""How long a reader who waits for more is held up by one who has not taken what is not kept. The
slow one is waited for no longer, and pulls again what it missed."""


class Landed:
    """An instance that came."""

    def __init__(self, pulled: Pulled, *, at: int) -> None:
        self.pulled = pulled
        self.spooled: Path | None = pulled.spooled
        """None once that was removed."""
        self.kept: Path | None = None
        self.is_passing = False
        """It will not be kept."""
        self.at = at
        self.holders = 0

    @property
    def path(self) -> Path | None:
        """Where it lies; None once it is gone."""
        return self.kept or self.spooled

    @property
    def instance(self) -> Uid:
        """Which one it is."""
        return self.pulled.header.instance


class Seat:
    """One who reads from a shelf; left when they are done."""

    def __init__(self, shelf: "Shelf") -> None:
        self._shelf = shelf
        self.at = 0
        """Of the next instance that it takes."""
        self.is_slow = False
        """It is waited for no longer."""

    async def instances(self) -> AsyncGenerator[Landed]:
        """What came and what comes, each once, but for what was gone before. Each stays until the
        next one is asked for.

        Raises:
            GatewayError: what the pull ended with, after what came before.
        """
        while (landed := await self._shelf.next(self)) is not None:
            landed.holders += 1
            try:
                yield landed
            finally:
                landed.holders -= 1
                await to_the_end(self._shelf.settle(landed))

    async def leave(self) -> None:
        """Wait for nothing any more."""
        await self._shelf.leave(self)


class Shelf:
    """Instances in the order in which they came.

    Args:
        discard: removes a file of the spool.
    """

    def __init__(self, discard: Callable[[Path], Awaitable[None]]) -> None:
        self._discard = discard
        self._landed: list[Landed] = []
        self._seats: set[Seat] = set()
        self._is_over = False
        self._error: GatewayError | None = None
        self._change = Change()

    @property
    def has_readers(self) -> bool:
        """Somebody reads."""
        return bool(self._seats)

    def take_seat(self) -> Seat:
        """For one more who reads, from the first instance that is there."""
        seat = Seat(self)
        self._seats.add(seat)
        return seat

    def put(self, pulled: Pulled) -> Landed:
        """Show an instance to all who read."""
        landed = Landed(pulled, at=len(self._landed))
        self._landed.append(landed)
        self._change.tell()
        return landed

    def end(self, error: GatewayError | None) -> None:
        """Nothing more comes."""
        self._is_over, self._error = True, error
        self._change.tell()

    async def next(self, seat: Seat) -> Landed | None:
        """The next instance for the seat; None if there is none any more.

        Raises:
            GatewayError: as `Seat.instances`.
        """
        while True:
            while seat.at < len(self._landed):
                landed = self._landed[seat.at]
                seat.at += 1
                if landed.path is not None:
                    return landed
            if self._error is not None:
                raise self._error
            if self._is_over:
                return None
            await self._change.wait()

    async def leave(self, seat: Seat) -> None:
        """The seat reads no more."""
        self._seats.discard(seat)
        for landed in self._passing():
            await self.settle(landed)
        self._change.tell()

    async def kept(self, landed: Landed, path: Path | None) -> None:
        """It lies in the store; or it does not and will not, where the path is None."""
        landed.kept, landed.is_passing = path, path is None
        await self.settle(landed)

    async def settle(self, landed: Landed) -> None:
        """Remove its file in the spool if nobody needs it any more."""
        spooled = landed.spooled
        if spooled is None or landed.holders:
            return
        if landed.kept is not None or (landed.is_passing and self._had_by_all(landed)):
            landed.spooled = None
            await self._discard(spooled)
            self._change.tell()

    async def room(self) -> None:
        """Wait until one more may come that is not kept."""
        loop = asyncio.get_running_loop()
        waits_since = loop.time()
        while len(self._passing()) >= PASSING_MAX and self._seats:
            left_s = waits_since + LAG_S_MAX - loop.time()
            try:
                async with asyncio.timeout(max(left_s, 0)):
                    await self._change.wait()
            except TimeoutError:
                await self._leave_behind()
                waits_since = loop.time()

    async def clear(self) -> None:
        """Remove what lies in the spool, but for what somebody reads still."""
        for landed in self._landed:
            landed.is_passing = landed.kept is None
            await self.settle(landed)

    async def _leave_behind(self) -> None:
        """If somebody waits for more, wait no longer for those who have not taken what is there."""
        end = len(self._landed)
        if not any(seat.at == end for seat in self._seats):
            return
        for seat in self._seats:
            seat.is_slow = seat.is_slow or seat.at < end
        for landed in self._passing():
            await self.settle(landed)

    def _passing(self) -> list[Landed]:
        return [one for one in self._landed if one.is_passing and one.spooled is not None]

    def _had_by_all(self, landed: Landed) -> bool:
        return all(seat.at > landed.at or seat.is_slow for seat in self._seats)
