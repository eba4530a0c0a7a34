"""One pull of a series, or of an instance, that serves all who wait for it.

What comes is looked at, shown to every reader at once, and kept as it passes. The pull ends with
its last reader, unless most of it has come and is kept.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.catalogue.header import Header, header_in, quick_header_in, read_header
from gateway.dimse.arrivals import Change
from gateway.dimse.spool import write_files
from gateway.dimse.turns import Lane
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    PacsIncomplete,
    PacsUnavailable,
    StorageUnavailable,
)
from gateway.model.resource import Resource
from gateway.retrieval.at_hand import StudiesAtHand
from gateway.retrieval.files import FileReader, to_the_end
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.retrieval.sources.keeper import Keeper, Pulled
from gateway.retrieval.sources.landing import Landing
from gateway.retrieval.sources.pull import Arrival, Puller
from gateway.retrieval.sources.shelf import Contents, Landed, Seat, Shelf
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

FIRST_S_MAX: Final = 300.0
"""How long a PACS may send nothing before the first instance, which may have to come from a tape,
and after others who are asked for first."""
NEXT_S_MAX: Final = 60.0
"""How long it may send nothing after that."""
KEPT_TOGETHER_MAX: Final = 32
"""Instances that become copies in one transaction."""
GATHER_S: Final = 0.2
"""How long so many are waited for: nobody waits for a copy, and a commit waits for the disk."""
KEEPING_MAX: Final = 1024
"""Instances that wait to be kept; then the PACS waits, too."""
IN_MEMORY_BYTES_MAX: Final = 8 * 2**20
"""Of instances of one pull that wait for a file; then the PACS waits for the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every flight needs."""

    keeper: Keeper
    at_hand: StudiesAtHand
    files: FileReader
    path: Callable[[str], Path]
    """Where an object's key leads."""
    discard: Callable[..., Awaitable[None]]
    """Removes files of the spool."""
    metrics: RetrievalMetrics
    on_kept: Callable[[], None]
    """Told of new copies once nothing is pulled any more: what is made of them, such as their
    descriptions, would take the processor from those who wait for the PACS."""


class Flight:
    """A pull under way. `Flights` makes it, and runs it once.

    Args:
        wanted: a series, or an instance.
        lane: for whom the PACS is asked.
    """

    def __init__(
        self,
        ground: Ground,
        puller: Puller,
        landing: Landing,
        *,
        pacs: str,
        wanted: Resource,
        lane: Lane,
    ) -> None:
        self.wanted = wanted
        self._pacs = pacs
        self._ground = ground
        self._puller = puller
        self._landing = landing
        self._lane = lane
        self._shelf = Shelf(self._write, ground.discard)
        self._stays = 0
        self._unread_bytes_max = 0
        self._to_write: deque[Landed] = deque()
        self._in_memory_bytes = 0
        """Of those that are to be written."""
        self._to_keep: deque[Landed] = deque()
        self.is_received = False
        """Nothing more comes; not all may be kept yet."""
        self._is_ending = False
        """Nobody may join any more."""
        self._came, self._written, self._kept = Change(), Change(), Change()
        self._receiving: asyncio.Task[None] | None = None
        self._asked_after = -1
        self.kept_bytes = 0
        self.error: GatewayError | None = None
        """What it ended with, once it has."""

    @property
    def came(self) -> set[Uid]:
        """What has come, whether it is at hand still or not."""
        return self._landing.came

    @property
    def missing(self) -> frozenset[Uid]:
        """What has not come."""
        return self._landing.missing

    @property
    def lacking(self) -> frozenset[Uid]:
        """What the PACS did not send, once it has sent what it could."""
        return self.missing if self.is_received and self.error is None else frozenset()

    @property
    def is_viewers(self) -> bool:
        """A viewer asked for it, not who brings it beforehand."""
        return self._lane is Lane.VIEWER

    @property
    def is_wanted(self) -> bool:
        """Somebody waits for it, or it is worth its end."""
        if self._shelf.has_readers or self._stays or self.is_received:
            return True
        is_kept = bool(self.kept_bytes or self._to_keep or self._to_write)
        return is_kept and self._landing.is_nearly_whole

    def serves(self, pacs: str, wanted: Resource) -> bool:
        """Whether what is wanted comes of it, too."""
        mine = self.wanted
        same = (self._pacs, mine.study, mine.series) == (pacs, wanted.study, wanted.series)
        covers = same and mine.instance in (None, wanted.instance)
        return covers and not self._is_ending

    def hasten(self, lane: Lane) -> None:
        """A viewer waits now for what nobody did: it is asked for anew, in the viewers' lane."""
        if lane is Lane.VIEWER and self._lane is not lane and not self.came:
            self._lane = lane
            if self._receiving is not None:
                self._receiving.cancel()

    def take_seat(self) -> Seat:
        """For one more who reads it."""
        return self._shelf.take_seat()

    def stay(self, bytes_max: int) -> None:
        """Go on, though nobody reads, until `leave`, or until so many bytes are kept."""
        self._stays += 1
        self._unread_bytes_max = bytes_max

    def leave(self) -> None:
        """The opposite of `stay`."""
        self._stays -= 1

    async def run(self) -> None:
        """Pull until all has come, the PACS is done or fails, or nobody wants it."""
        study = self.wanted.study
        async with self._ground.at_hand.reading(study):
            self._asked_after = await self._ground.keeper.asked_after(study)
            await self._fly()

    async def _fly(self) -> None:
        keeping = asyncio.create_task(self._write_and_keep_all())
        try:
            self.error = await self._receive()
            self._shelf.end(self.error)
            self.is_received = True
            self._came.tell()
            self._written.tell()
            await asyncio.shield(keeping)
        finally:
            keeping.cancel()
            await to_the_end(self._clear(keeping))

    async def _clear(self, keeping: "asyncio.Task[None]") -> None:
        await asyncio.wait({keeping})
        for landed in (*self._to_write, *self._to_keep):
            self._ground.keeper.release(landed.pulled.size_bytes)
        if not self.is_received:
            self._shelf.end(PacsUnavailable("the pull was ended"))
        await self._shelf.clear()

    async def _receive(self) -> GatewayError | None:
        """What it ended with; None if the PACS sent what it could."""
        told = {"pacs": self._pacs}
        try:
            await self._receive_in_lanes()
        except PacsIncomplete as error:
            log.warning("pull_incomplete", extra=told | {"reason": str(error)})
        except PacsUnavailable as error:
            self._ground.metrics.pulls.labels("failed").inc()
            log.warning(
                "pull_ended_early", extra=told | {"reason": str(error), "came": len(self.came)}
            )
            return error
        except GatewayError as error:
            self._ground.metrics.pulls.labels("refused").inc()
            log.warning("pull_refused", extra=told | {"reason": str(error)})
            return error
        except Exception:  # a bug of ours must not leave the readers waiting
            self._ground.metrics.pulls.labels("failed").inc()
            log.exception("pull_broken")
            return PacsUnavailable("the pull failed")
        self._ground.metrics.pulls.labels("part" if self.missing else "whole").inc()
        return None

    async def _receive_in_lanes(self) -> None:
        while True:
            lane = self._lane
            self._receiving = asyncio.create_task(self._receive_all(lane))
            try:
                await asyncio.wait({self._receiving})
            finally:
                self._receiving.cancel()
                await to_the_end(asyncio.wait({self._receiving}))
            if not self._receiving.cancelled():
                return self._receiving.result()
            if lane is self._lane:  # nobody hastened it
                raise PacsUnavailable("the pull was ended")

    async def _receive_all(self, lane: Lane) -> None:
        async with self._puller.open(self.wanted, lane=lane) as arrivals:
            while (arrival := await self._next(arrivals)) is not None:
                try:
                    pulled = await self._look_at(arrival)
                except BaseException:
                    await self._pass_by(arrival)
                    raise
                if pulled is None:
                    await self._pass_by(arrival)
                else:
                    await self._land(pulled)

    async def _pass_by(self, arrival: Arrival) -> None:
        if not arrival.in_memory:
            await to_the_end(self._ground.discard(arrival.spooled))

    async def _next(self, arrivals: AsyncIterator[Arrival]) -> Arrival | None:
        wait_s = NEXT_S_MAX if self.came else FIRST_S_MAX
        try:
            async with asyncio.timeout(wait_s):
                return await anext(arrivals, None)
        except TimeoutError:
            raise PacsUnavailable(f"the PACS sent nothing for {wait_s:.0f} s") from None

    async def _look_at(self, arrival: Arrival) -> Pulled | None:
        """The instance, if it was asked for and can be read."""
        header = quick_header_in(arrival.in_memory) if arrival.in_memory else None
        if header is None:
            header = await self._ground.files.run(_header, arrival)
        if header is None or not await self._landing.wants(header):
            return None
        return Pulled(
            pacs=self._pacs,
            header=header.image,
            spooled=arrival.spooled,
            in_memory=arrival.in_memory,
            transfer_syntax=arrival.transfer_syntax,
            size_bytes=arrival.size_bytes,
        )

    async def _land(self, pulled: Pulled) -> None:
        landed = self._shelf.put(pulled)  # first of all: somebody waits for it
        if await self._ground.keeper.reserve(pulled.size_bytes):
            self._to_write.append(landed)
            self._in_memory_bytes += pulled.size_bytes if landed.in_memory else 0
            self._came.tell()
            while self._in_memory_bytes >= IN_MEMORY_BYTES_MAX:
                await self._written.wait()
            while len(self._to_keep) >= KEEPING_MAX:
                await self._kept.wait()
        else:
            await self._shelf.kept({landed: None})
            self._ensure_use(is_kept=False)
        await self._shelf.room()
        self._ensure_use(is_kept=True)

    def _ensure_use(self, *, is_kept: bool) -> None:
        """Go on only for who reads, or for what is kept and may be brought beforehand.

        Raises:
            StorageUnavailable: it is not.
        """
        if self._shelf.has_readers:
            return
        if not is_kept:
            self._is_ending = True
            raise StorageUnavailable("there is no room to keep what nobody reads yet")
        if self._stays and self.kept_bytes >= self._unread_bytes_max:
            self._is_ending = True
            raise StorageUnavailable("so much is brought beforehand, and no more")

    async def _write_and_keep_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_all())
            tasks.create_task(self._keep_all())

    async def _write_all(self) -> None:
        """Have files of what landed, as it does, until all has: memory is short, and a commit,
        which keeping them waits for, takes long."""
        while await self._has(self._to_write, self._came):
            batch = list(self._to_write)
            are_written = await self._spool(batch)
            for landed in batch:
                self._to_write.popleft()
                if are_written:
                    self._to_keep.append(landed)
                else:
                    self._ground.keeper.release(landed.pulled.size_bytes)
            self._in_memory_bytes = sum(
                one.pulled.size_bytes for one in self._to_write if one.in_memory
            )
            self._written.tell()

    async def _spool(self, batch: list[Landed]) -> bool:
        try:
            await self._shelf.spool(batch)
        except StorageUnavailable as error:
            log.warning("copies_not_kept", extra={"reason": str(error)})
            await self._shelf.kept(dict.fromkeys(batch))
            return False
        return True

    async def _write(self, contents: Contents) -> None:
        await self._ground.files.run(write_files, contents)

    async def _keep_all(self) -> None:
        """Keep what has a file, until all that landed is kept."""
        while await self._has(self._to_keep, self._written):
            await self._gather()
            batch = list(islice(self._to_keep, KEPT_TOGETHER_MAX))
            keys = await self._keep([one.pulled for one in batch])
            paths: dict[Landed, Path | None] = {}
            for landed in batch:
                self._to_keep.popleft()
                self._ground.keeper.release(landed.pulled.size_bytes)
                key = keys.get(landed.instance)
                self.kept_bytes += landed.pulled.size_bytes if key else 0
                paths[landed] = self._ground.path(key) if key else None
            await self._shelf.kept(paths)
            self._kept.tell()

    async def _has(self, landed: deque[Landed], news: Change) -> bool:
        """Wait for one; whether there is one, and not the end of all."""
        while not landed:
            if self._is_all_written:
                return False
            await news.wait()
        return True

    async def _gather(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                while len(self._to_keep) < KEPT_TOGETHER_MAX and not self._is_all_written:
                    await self._written.wait()

    @property
    def _is_all_written(self) -> bool:
        return self.is_received and not self._to_write

    async def _keep(self, pulled: list[Pulled]) -> dict[Uid, str]:
        """Keys of those that are kept."""
        keeper, study = self._ground.keeper, self.wanted.study
        try:
            return await keeper.keep(study, pulled, asked_after=self._asked_after)
        except StorageUnavailable as error:
            log.warning("copies_not_kept", extra={"reason": str(error)})
        except Exception:  # a bug of ours must not leave the pull waiting
            log.exception("copies_broken")
        return {}


def _header(arrival: Arrival) -> Header | None:
    try:
        pieces = arrival.in_memory
        return header_in(pieces) if pieces else read_header(arrival.spooled)
    except InvalidRequest:  # it is the PACS, not the client, that sent what cannot be read
        log.warning("pulled_instance_unreadable")
        return None
