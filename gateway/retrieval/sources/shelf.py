"""What came of a pull, for each who reads it: in memory, then in the spool and the store, or gone.

What is kept lies in the store, so that a slow reader slows nobody, and one who joins late reads
what came before. What is not kept stays until each reader has had it: then the PACS waits for the
readers, and they for each other, within a bound.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.dimse.arrivals import Change
from gateway.errors import GatewayError, StorageUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.files import to_the_end
from gateway.retrieval.sources.keeper import Pulled
from gateway.retrieval.sources.source import HeldInstance
from indexer.contract.identifiers import Uid

PASSING_MAX: Final = 4
"""Instances that are not kept and wait for a reader."""
LAG_S_MAX: Final = 30.0
"""How long a reader who waits for more is held up by one who has not taken what is not kept. The
slow one is waited for no longer, and pulls again what it missed."""

Contents = Mapping[Path, Sequence[memoryview]]
"""Of files, by their paths."""


class Landed:
    """An instance that came."""

    def __init__(self, pulled: Pulled, *, at: int) -> None:
        self.pulled = replace(pulled, in_memory=())
        self.in_memory = pulled.in_memory
        """() once that was let go of."""
        self.spooled: Path | None = None if pulled.in_memory else pulled.spooled
        """None while there is no file, and once that was removed."""
        self.kept: Path | None = None
        self.at = at
        self.holders = 0

    @property
    def path(self) -> Path | None:
        """Where it lies; None before there is a file, and once it is gone."""
        return self.kept or self.spooled

    @property
    def is_there(self) -> bool:
        """It is not gone."""
        return bool(self.in_memory) or self.path is not None

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
                if self._shelf.is_done_with(landed):
                    await self._shelf.settle([landed])

    def held(self, landed: Landed, resource: Resource) -> HeldInstance:
        """The instance, for whoever asked for it."""
        return HeldInstance(
            resource=resource,
            path=landed.path or landed.pulled.spooled,
            transfer_syntax=landed.pulled.transfer_syntax,
            in_memory=landed.in_memory,
            write=(lambda: self._shelf.on_disk(landed)) if landed.in_memory else None,
        )

    async def leave(self) -> None:
        """Wait for nothing any more."""
        await self._shelf.leave(self)


class Shelf:
    """Instances in the order in which they came.

    Args:
        write: makes files in the spool.
        discard: removes files of the spool.
    """

    def __init__(
        self,
        write: Callable[[Contents], Awaitable[None]],
        discard: Callable[..., Awaitable[None]],
    ) -> None:
        self._write = write
        self._discard = discard
        self._landed: list[Landed] = []
        self._passing: dict[Landed, None] = {}
        """Those that will not be kept, and that somebody may need still."""
        self._seats: set[Seat] = set()
        self._is_over = False
        self._error: GatewayError | None = None
        self._change = Change()
        self._writing = asyncio.Lock()

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
                if landed.is_there:
                    return landed
            if self._error is not None:
                raise self._error
            if self._is_over:
                return None
            await self._change.wait()

    async def leave(self, seat: Seat) -> None:
        """The seat reads no more."""
        self._seats.discard(seat)
        await self.settle(list(self._passing))
        self._change.tell()

    async def spool(self, landed: Iterable[Landed]) -> None:
        """Have files of them, and let go of the memory.

        Raises:
            StorageUnavailable: the disk does not take them; they stay in memory.
        """
        async with self._writing:
            await to_the_end(self._spool([one for one in landed if one.path is None]))
        for one in landed:
            one.in_memory = ()

    async def on_disk(self, landed: Landed) -> Path:
        """Where the file of one that somebody holds lies; it is made if there is none.

        Raises:
            StorageUnavailable: the disk does not take it.
        """
        async with self._writing:
            if landed.path is None:
                await to_the_end(self._spool([landed]))
        if landed.path is None:
            raise StorageUnavailable("the instance is gone", retry_after_s=1.0)
        return landed.path

    async def kept(self, paths: Mapping[Landed, Path | None]) -> None:
        """They lie in the store; or they do not and will not, where the path is None."""
        for landed, path in paths.items():
            landed.kept = path
            if path is None:
                self._passing[landed] = None
        await self.settle(paths)

    def is_done_with(self, landed: Landed) -> bool:
        """Whether what of it is not in the store is needed by nobody any more."""
        if landed.holders or not (landed.in_memory or landed.spooled):
            return False
        is_had = landed in self._passing and self._had_by_all(landed)
        return landed.kept is not None or is_had

    async def settle(self, landed: Iterable[Landed]) -> None:
        """Let go of what nobody needs any more of these."""
        done = [one for one in landed if self.is_done_with(one)]
        if not done:
            return
        spooled = [one.spooled for one in done if one.spooled is not None]
        for one in done:
            one.in_memory, one.spooled = (), None
            self._passing.pop(one, None)
        self._change.tell()
        if spooled:
            await to_the_end(self._discard(*spooled))

    async def room(self) -> None:
        """Wait until one more may come that is not kept."""
        loop = asyncio.get_running_loop()
        waits_since = loop.time()
        while len(self._passing) >= PASSING_MAX and self._seats:
            left_s = waits_since + LAG_S_MAX - loop.time()
            try:
                async with asyncio.timeout(max(left_s, 0)):
                    await self._change.wait()
            except TimeoutError:
                await self._leave_behind()
                waits_since = loop.time()

    async def clear(self) -> None:
        """Let go of what is not in the store, but for what somebody reads still."""
        for landed in self._landed:
            if landed.kept is None and landed.is_there:
                self._passing[landed] = None
        await self.settle(self._landed)

    async def _spool(self, landed: Sequence[Landed]) -> None:
        if landed:
            await self._write({one.pulled.spooled: one.in_memory for one in landed})
        for one in landed:
            one.spooled = one.pulled.spooled

    async def _leave_behind(self) -> None:
        """If somebody waits for more, wait no longer for those who have not taken what is there."""
        end = len(self._landed)
        if not any(seat.at == end for seat in self._seats):
            return
        for seat in self._seats:
            seat.is_slow = seat.is_slow or seat.at < end
        await self.settle(list(self._passing))

    def _had_by_all(self, landed: Landed) -> bool:
        return all(seat.at > landed.at or seat.is_slow for seat in self._seats)
