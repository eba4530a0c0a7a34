"""Takes in what somebody brings in files: the instances of a folder or an archive.

`app` runs it while no gateway is at work in the data folder. An instance goes by the same way as
one that is stored by DICOM or over the web, and is durable when its outcome is told.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from gateway.catalogue.header import read_header
from gateway.dicomweb.part10 import FileHead, FileMeta
from gateway.dimse.negotiation import STORAGE, transfer_syntaxes
from gateway.dimse.spool import file_header
from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.intake.instances import InstanceIntake, Mismatch, SpooledInstance
from gateway.media.journal import ImportJournal
from gateway.media.tally import Fate, Outcome
from gateway.media.tree import MediaFile, MediaTree
from gateway.model.sop_classes import KEY_OBJECTS
from gateway.storage.objects import ObjectStore

_PREFIX: Final = slice(128, 132)  # PS3.10 §7.1
_DIRECTORY: Final = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage: a DICOMDIR


class MediaDoor:
    """Takes in the files of one medium.

    Args:
        journal: what of the medium is in already; entered by the caller.
        instance_bytes_max: longest file that is taken.
    """

    def __init__(
        self,
        intake: InstanceIntake,
        objects: ObjectStore,
        tree: MediaTree,
        journal: ImportJournal,
        *,
        instance_bytes_max: int,
    ) -> None:
        self._intake = intake
        self._objects = objects
        self._tree = tree
        self._journal = journal
        self._instance_bytes_max = instance_bytes_max

    async def take(self, file: MediaFile, *, in_archive: bool) -> Outcome | None:
        """Take in one file, if it is a DICOM instance that is not in yet.

        Args:
            in_archive: it lies in an XDM archive, whose manifests and texts are nothing to take
                for themselves: of these there is no outcome.

        Raises:
            StorageUnavailable: the disk or the database takes nothing more.
        """
        try:
            return await self._take(file, in_archive=in_archive)
        except InvalidRequest as error:
            return Outcome(name=file.name, fate=Fate.FAILED, reason=str(error))

    async def _take(self, file: MediaFile, *, in_archive: bool) -> Outcome | None:
        head = await asyncio.to_thread(self._head, file)
        if head[_PREFIX] != b"DICM":
            skipped = Outcome(name=file.name, fate=Fate.SKIPPED, reason="not a DICOM file")
            return None if in_archive else skipped
        meta, _ = _begin(head)
        if in_archive and meta.sop_class == KEY_OBJECTS:
            return None
        if meta.sop_class == _DIRECTORY:
            return Outcome(name=file.name, fate=Fate.SKIPPED, reason="a DICOMDIR")
        if file.size_bytes > self._instance_bytes_max:
            raise InvalidRequest("longer than GATEWAY_INSTANCE_MIB_MAX")
        key = self._journal.key(file, head)
        if self._journal.knows(key):
            return Outcome(name=file.name, fate=Fate.KNOWN)
        await self._store(file, meta)
        self._journal.add(key)
        return Outcome(name=file.name, fate=Fate.TAKEN)

    async def _store(self, file: MediaFile, meta: FileMeta) -> None:
        spooled = self._objects.new_spool()
        try:
            arrived = await asyncio.to_thread(self._spool, file, meta, spooled)
            try:
                await self._intake.take(arrived)
            except Mismatch:
                # Tools that rewrite a data set often leave the file's head as it was. Whoever
                # sent the file would name what is in it.
                image = (await asyncio.to_thread(read_header, spooled)).image
                await self._objects.discard_spool(spooled)
                named = replace(meta, sop_class=image.sop_class, instance=image.instance)
                arrived = await asyncio.to_thread(self._spool, file, named, spooled)
                await self._intake.take(arrived)
        except InvalidRequest:
            await self._objects.discard_spool(spooled)
            raise

    def _head(self, file: MediaFile) -> bytes:
        with closing(self._tree.chunks(file)) as chunks:
            return next(chunks, b"")

    def _spool(self, file: MediaFile, meta: FileMeta, spooled: Path) -> SpooledInstance:
        """The file in the spool, behind file meta information of our own."""
        with closing(self._tree.chunks(file)) as chunks:
            _, begun = _begin(next(chunks, b""))
            return _write(spooled, meta, chain([begun], chunks))


def _begin(start: bytes) -> tuple[FileMeta, bytes]:
    """What the file meta information tells, and the first bytes of the data set.

    Raises:
        InvalidRequest: it is too long or incomplete, or of what is not stored here.
    """
    head = FileHead().feed(memoryview(start))
    if head is None:
        raise InvalidRequest("the file ends within its head")
    meta, _ = head
    if meta.sop_class == _DIRECTORY:
        return head
    if meta.sop_class not in STORAGE:
        raise InvalidRequest("its SOP class is none that is stored here")
    if meta.transfer_syntax not in transfer_syntaxes(meta.sop_class):
        raise InvalidRequest("its transfer syntax is none that is stored here")
    return head


def _write(spooled: Path, meta: FileMeta, data_set: Iterable[bytes]) -> SpooledInstance:
    """Write the file of a data set.

    Raises:
        InvalidRequest: the medium breaks off.
        StorageUnavailable: the disk does not take it. Nothing is left of it.
    """
    header = file_header(
        sop_class=meta.sop_class,
        sop_instance=meta.instance,
        transfer_syntax=meta.transfer_syntax,
    )
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with spooled.open("xb") as written:
            written.write(header)
            for chunk in data_set:
                digest.update(chunk)
                size_bytes += len(chunk)
                written.write(chunk)
    except OSError as error:  # that of the medium is an InvalidRequest already
        spooled.unlink(missing_ok=True)
        raise StorageUnavailable("the disk does not take the file") from error
    return SpooledInstance(
        path=spooled,
        sop_class=meta.sop_class,
        instance=meta.instance,
        transfer_syntax=meta.transfer_syntax,
        end=digest.hexdigest,
        size_bytes=size_bytes,
    )
