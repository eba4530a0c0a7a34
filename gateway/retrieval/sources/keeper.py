"""Keeps copies of what passes, within so many bytes, and drops those that were read longest ago.

`app` runs one keeper per gateway. It keeps what was pulled from a PACS, and drops that, or what was
pushed and is held by a PACS, too: nothing else is ever dropped. A copy leaves in this order: the
row that names it, the file, the line that says that the file is to be removed; whatever is left by
a crash in between, the janitor removes.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.catalogue.copies import Copies, Copy, Dropped
from gateway.catalogue.discards import Discards
from gateway.errors import StorageUnavailable
from gateway.model.image import ImageDescription, StoredObject
from gateway.retrieval.at_hand import StudiesAtHand
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.storage.database import Database
from gateway.storage.objects import ObjectStore
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

TIDY_EVERY_S: Final = 60.0
"""Reads are written down, and what has become a copy is counted, so often."""
FULL_TO: Final = 0.9
"""Of the bytes that may be kept, so many stay when some must go: else each copy would drop one."""
STUDIES_AT_ONCE: Final = 16
"""Studies that are looked up together when some must go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """An instance that came from a PACS."""

    pacs: str
    header: ImageDescription
    spooled: Path
    """Its file, once there is one."""
    in_memory: tuple[memoryview, ...] = ()
    """The bytes of the file, where they were not written yet."""
    transfer_syntax: Uid
    size_bytes: int


class Keeper:
    """Keeps and drops copies.

    Args:
        pacs: AE titles of those who can be asked again.
        bytes_max: of all copies; 0 keeps none that is pulled.
        spare_bytes_min: of the disk, beyond what the store keeps free for what is pushed.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        at_hand: StudiesAtHand,
        *,
        pacs: Sequence[str],
        bytes_max: int,
        spare_bytes_min: int,
        metrics: RetrievalMetrics,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._objects = objects
        self._at_hand = at_hand
        self._pacs = pacs
        self._bytes_max = bytes_max
        self._spare_bytes_min = spare_bytes_min
        self._metrics = metrics
        self._clock = clock
        self._copies = Copies(database.dialect)
        self._discards = Discards(database.dialect)
        self._kept_bytes = 0
        """Of the copies that were last counted, and of those that came or went since."""
        self._reserved_bytes = 0
        """Of those that are on their way to be kept."""
        self._making_room = asyncio.Lock()

    async def run(self) -> None:
        """Tidy until cancelled."""
        try:
            while True:
                try:
                    await self.tidy()
                except Exception:
                    log.exception("copies_not_tidied")
                await asyncio.sleep(TIDY_EVERY_S)
        finally:
            await self._write_down_reads()

    async def tidy(self) -> None:
        """Write down what was read, count the copies, and drop what is too much."""
        await self._write_down_reads()
        async with self._making_room:
            self._set_kept(await self._database.read(self._copies.size_bytes))
            if not self._fits(0):
                await self._drop_until_spare(0)

    async def asked_after(self, study: Uid) -> int:
        """What `keep` wants to know of the study, before anything of it is pulled."""
        return await self._database.read(lambda tx: self._copies.asked_after(tx, study))

    async def reserve(self, size_bytes: int) -> bool:
        """Whether so many bytes more may be kept; if need be, others are dropped for them.

        Where they may, `release` follows, once they are kept or will not be.
        """
        if not self._bytes_max:
            return False
        try:
            if not self._fits(size_bytes):
                async with self._making_room:
                    if not self._fits(size_bytes):
                        await self._drop_until_spare(size_bytes)
            fits = self._fits(size_bytes)
        except StorageUnavailable as error:
            log.warning("copies_not_dropped", extra={"reason": str(error)})
            return False
        self._reserved_bytes += size_bytes if fits else 0
        return fits

    def release(self, size_bytes: int) -> None:
        """What was reserved is kept by now, or will not be."""
        self._reserved_bytes -= size_bytes

    async def keep(
        self, study: Uid, pulled: Sequence[Pulled], *, asked_after: int
    ) -> dict[Uid, str]:
        """Keep instances whose files stay in the spool, too; the keys of those that are kept now.

        Raises:
            StorageUnavailable: the disk or the database takes none.
        """
        keys = await self._objects.keep_also([one.spooled for one in pulled])
        copies = [
            Copy(
                pacs=one.pacs,
                header=one.header,
                stored=StoredObject(
                    key=key,
                    transfer_syntax=one.transfer_syntax,
                    size_bytes=one.size_bytes,
                    sha256="",  # what can be had again is compared with nothing
                ),
            )
            for one, key in zip(pulled, keys, strict=True)
        ]
        kept = await self._database.write(
            lambda tx: self._copies.keep(tx, study, copies, asked_after=asked_after)
        )
        await self._objects.discard(
            copy.stored.key for copy in copies if copy.header.instance not in kept
        )
        self._set_kept(
            self._kept_bytes + sum(one.size_bytes for one in pulled if one.header.instance in kept)
        )
        self._metrics.copies_kept.inc(len(kept))
        return {
            copy.header.instance: copy.stored.key for copy in copies if copy.header.instance in kept
        }

    def _fits(self, size_bytes: int) -> bool:
        spare_bytes = self._objects.spare_bytes() - self._spare_bytes_min
        coming_bytes = self._reserved_bytes + size_bytes
        return self._kept_bytes + coming_bytes <= self._bytes_max and coming_bytes <= spare_bytes

    async def _drop_until_spare(self, size_bytes: int) -> None:
        """Drop copies, those of the study read longest ago first, while there are any."""
        await self._write_down_reads()
        in_use = set(self._at_hand.in_use)
        while (excess := self._excess(size_bytes)) > 0:
            studies = await self._database.read(
                lambda tx: self._copies.least_read(
                    tx, pacs=self._pacs, in_use=in_use, count_max=STUDIES_AT_ONCE
                )
            )
            if not studies:
                return
            for study in studies:
                in_use.add(study)  # looked at once, whatever comes of it
                with self._at_hand.dropping(study) as may_drop:
                    if may_drop and excess > 0:
                        excess -= await self._drop(study, excess)

    def _excess(self, size_bytes: int) -> int:
        """Bytes that must go for so many to come."""
        coming_bytes = self._reserved_bytes + size_bytes
        of_kept = self._kept_bytes + coming_bytes - int(self._bytes_max * FULL_TO)
        of_disk = coming_bytes + self._spare_bytes_min - self._objects.spare_bytes()
        return max(of_kept, of_disk)

    async def _drop(self, study: Uid, bytes_min: int) -> int:
        now_ms = self._clock()
        dropped: Dropped = await self._database.write(
            lambda tx: self._copies.drop(
                tx, study, pacs=self._pacs, bytes_min=bytes_min, now_ms=now_ms
            )
        )
        await self._objects.discard(dropped.keys)
        await self._database.write(lambda tx: self._discards.forget_discarded(tx, dropped.keys))
        self._set_kept(self._kept_bytes - dropped.size_bytes)
        self._metrics.copies_dropped.inc(len(dropped.keys))
        log.info(
            "copies_dropped", extra={"copies": len(dropped.keys), "size_bytes": dropped.size_bytes}
        )
        return dropped.size_bytes

    async def _write_down_reads(self) -> None:
        if read := self._at_hand.take_read():
            await self._database.write(lambda tx: self._copies.read(tx, read))

    def _set_kept(self, size_bytes: int) -> None:
        self._kept_bytes = size_bytes
        self._metrics.copies_bytes.set(size_bytes)
