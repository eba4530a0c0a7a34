"""Takes in what is pushed over the web: the instances of a Store transaction (PS3.18 §10.5).

Each part of the body is one Part 10 file. It goes to the spool as it comes, is made durable as
soon as it is whole, and fails alone: what came before it, and what comes after, is taken.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Final

from gateway.catalogue.header import Header, read_header
from gateway.dicomweb.negotiation import DICOM
from gateway.dicomweb.part10 import FileHead, FileMeta
from gateway.dicomweb.store_response import Failed, FailureReason, Outcome, Stored
from gateway.dimse.negotiation import STORAGE, transfer_syntaxes
from gateway.dimse.spool import NoRoom, SpoolFile, file_header
from gateway.errors import GatewayError, InvalidRequest, Unavailable
from gateway.intake.instances import (
    InstanceIntake,
    Mismatch,
    OtherInstance,
    OtherStudy,
    SpooledInstance,
)
from indexer.contract.identifiers import Uid
from indexer.framing.multipart import ContentType, MultipartReader, PartBegins, PartEnds

log = logging.getLogger(__name__)

PARTS_MAX: Final = 20_000
"""Instances in one body, as in one manifest."""
BODIES_MAX: Final = 16
"""Bodies that are taken in at once; each holds up to some mebibytes in memory."""
BUSY_RETRY_S: Final = 5.0
_THREADS: Final = 4
_COPIED_BYTES: Final = 2**20
"""Of a file, read at once."""


class TooLong(InvalidRequest):
    """The instance is longer than is taken."""


class UnknownClass(InvalidRequest):
    """The SOP class is none that is stored."""


class UnknownSyntax(InvalidRequest):
    """The transfer syntax is none that is stored."""


_FAILURES: Final[Mapping[type[Exception], tuple[FailureReason, HTTPStatus]]] = {
    InvalidRequest: (FailureReason.CANNOT_UNDERSTAND, HTTPStatus.CONFLICT),
    Mismatch: (FailureReason.DATA_SET_DOES_NOT_MATCH, HTTPStatus.CONFLICT),
    OtherStudy: (FailureReason.OTHER_STUDY, HTTPStatus.CONFLICT),
    UnknownClass: (FailureReason.SOP_CLASS_NOT_SUPPORTED, HTTPStatus.CONFLICT),
    UnknownSyntax: (FailureReason.TRANSFER_SYNTAX_NOT_SUPPORTED, HTTPStatus.CONFLICT),
    TooLong: (FailureReason.OUT_OF_RESOURCES, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    Unavailable: (FailureReason.OUT_OF_RESOURCES, HTTPStatus.SERVICE_UNAVAILABLE),
    Exception: (FailureReason.PROCESSING_FAILURE, HTTPStatus.INTERNAL_SERVER_ERROR),
}
"""What an instance's failure is called, and the answer's status where all failed so."""


class StowDoor:
    """Takes in bodies. Whoever makes it closes it.

    Args:
        spool: names a file that does not exist, in the object store's spool.
        instance_bytes_max: longest data set that is taken.
    """

    def __init__(
        self, intake: InstanceIntake, *, spool: Callable[[], Path], instance_bytes_max: int
    ) -> None:
        self._intake = intake
        self._spool = spool
        self._instance_bytes_max = instance_bytes_max
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="stow-spool")
        self._bodies = 0

    async def store(
        self, body: AsyncIterator[bytes], *, boundary: str, study: Uid | None
    ) -> list[Outcome]:
        """Take in every instance of a body; what became of each, in their order.

        Args:
            study: that all of them must be of; None where any will do.

        Raises:
            InvalidValue: it is no multipart body, is broken off, or holds nothing or too much;
                what came whole before that is stored.
            Unavailable: too many bodies come at once.
        """
        reader = MultipartReader(boundary)
        if self._bodies >= BODIES_MAX:
            raise Unavailable("too many requests store at once", retry_after_s=BUSY_RETRY_S)
        self._bodies += 1
        try:
            outcomes = await self._take_parts(body, reader, study)
        finally:
            self._bodies -= 1
        if not outcomes:
            raise InvalidRequest("the body holds no instance")
        return outcomes

    def close(self) -> None:
        """Wait for writes that have begun."""
        self._threads.shutdown(wait=True)

    async def _take_parts(
        self, body: AsyncIterator[bytes], reader: MultipartReader, study: Uid | None
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        arrival: _Arrival | None = None
        try:
            async for chunk in body:
                for event in reader.feed(chunk):
                    if isinstance(event, PartBegins):
                        arrival = self._begin(event.content_type, study, count=len(outcomes))
                        continue
                    assert arrival is not None  # the reader begins a part before it gives of it
                    if isinstance(event, PartEnds):
                        outcomes.append(await arrival.finish())
                        arrival.discard()
                    else:
                        await arrival.write(event)
            reader.close()
        finally:
            if arrival is not None:
                arrival.discard()
            _log_refused(outcomes)
        return outcomes

    def _begin(self, content_type: ContentType, study: Uid | None, *, count: int) -> "_Arrival":
        if count >= PARTS_MAX:
            raise InvalidRequest(f"the body holds more than {PARTS_MAX} instances")
        return _Arrival(
            content_type,
            self._intake,
            spool=self._spool,
            threads=self._threads,
            study=study,
            bytes_max=self._instance_bytes_max,
        )


class _Arrival:
    """One part on its way into the spool; once it has failed, the rest of it is passed over."""

    def __init__(
        self,
        content_type: ContentType,
        intake: InstanceIntake,
        *,
        spool: Callable[[], Path],
        threads: Executor,
        study: Uid | None,
        bytes_max: int,
    ) -> None:
        self._content_type = content_type
        self._intake = intake
        self._spool = spool
        self._threads = threads
        self._study = study
        self._bytes_max = bytes_max
        self._head = FileHead()
        self._meta: FileMeta | None = None
        self._file: SpoolFile | None = None
        self._renamed: SpoolFile | None = None
        self._failed: Failed | None = None

    async def write(self, data: memoryview) -> None:
        """Take some of the part."""
        if self._failed is None:
            try:
                await self._write(data)
            except Exception as error:
                self._fail(error)

    async def finish(self) -> Outcome:
        """The part is whole: make it durable, and tell what became of it."""
        if self._failed is None:
            try:
                return await self._take()
            except Exception as error:
                return self._fail(error)
        return self._failed

    def discard(self) -> None:
        """Remove from the spool what was not taken."""
        for file in (self._file, self._renamed):
            if file is not None:
                file.discard()

    async def _write(self, data: memoryview) -> None:
        if self._content_type.kind not in ("", DICOM):
            raise InvalidRequest(f"a part is not {DICOM}")
        if self._file is None:
            head = self._head.feed(data)
            if head is None:
                return
            self._meta, begun = head
            self._file = self._open(self._meta)
            data = memoryview(begun)
        try:
            await self._file.write(data)
        except NoRoom:
            raise self._no_room(self._file) from None

    def _open(self, meta: FileMeta) -> SpoolFile:
        if meta.sop_class not in STORAGE:
            raise UnknownClass("the SOP class is none that is stored here")
        if meta.transfer_syntax not in transfer_syntaxes(meta.sop_class):
            raise UnknownSyntax("the transfer syntax is none that is stored here")
        header = file_header(
            sop_class=meta.sop_class,
            sop_instance=meta.instance,
            transfer_syntax=meta.transfer_syntax,
        )
        return SpoolFile(self._spool(), header, self._threads, bytes_max=self._bytes_max)

    async def _take(self) -> Stored:
        if self._file is None or self._meta is None:
            raise InvalidRequest("the part is no DICOM file: it ends within its head")
        try:
            header = await self._take_as_named(self._file, self._meta)
        except NoRoom:
            raise self._no_room(self._file) from None
        image = header.image
        return Stored(
            study=header.study,
            series=image.series,
            instance=image.instance,
            sop_class=image.sop_class,
        )

    async def _take_as_named(self, file: SpoolFile, meta: FileMeta) -> Header:
        """Software that hides who a patient is gives a data set new UIDs, and often leaves the old
        one in the file meta information. The data set is right; what is kept says as it does."""
        try:
            return await self._intake.take(self._spooled(file, meta))
        except OtherInstance:
            own = await asyncio.to_thread(read_header, file.path)
        renamed = self._meta = replace(meta, instance=own.image.instance)
        copy = self._renamed = self._open(renamed)
        loop, at = asyncio.get_running_loop(), -file.size_bytes
        while at < 0:
            chunk = await loop.run_in_executor(self._threads, _read_from_end, file.path, at)
            await copy.write(memoryview(chunk))
            at += len(chunk)
        return await self._intake.take(self._spooled(copy, renamed))

    def _spooled(self, file: SpoolFile, meta: FileMeta) -> SpooledInstance:
        return SpooledInstance(
            path=file.path,
            sop_class=meta.sop_class,
            instance=meta.instance,
            transfer_syntax=meta.transfer_syntax,
            end=file.end,
            size_bytes=file.size_bytes,
            study=self._study,
        )

    def _no_room(self, file: SpoolFile) -> GatewayError:
        if file.size_bytes > self._bytes_max:
            return TooLong(f"the instance is longer than {self._bytes_max} bytes")
        return Unavailable("the disk does not take the instance", retry_after_s=BUSY_RETRY_S)

    def _fail(self, error: Exception) -> Failed:
        reason, status = next(_FAILURES[kind] for kind in type(error).__mro__ if kind in _FAILURES)
        if not isinstance(error, GatewayError):
            log.error("instance_not_received", exc_info=error)
        self._failed = Failed(
            reason=reason,
            status=status,
            message=str(error) if isinstance(error, GatewayError) else "the gateway failed",
            instance=self._meta.instance if self._meta else None,
            sop_class=self._meta.sop_class if self._meta else None,
        )
        return self._failed


def _log_refused(outcomes: Iterable[Outcome]) -> None:
    """A line for each kind of fault, however many instances have it."""
    failed = [one for one in outcomes if isinstance(one, Failed)]
    faults = Counter((f"{one.reason:04X}", one.message) for one in failed)
    for (reason, cause), instances in faults.items():
        fields = {"reason": reason, "cause": cause, "instances": instances}
        log.warning("instances_refused", extra=fields)


def _read_from_end(path: Path, at: int) -> bytes:
    """Some of a file, from so many bytes before its end."""
    with path.open("rb") as file:
        file.seek(at, os.SEEK_END)
        return file.read(_COPIED_BYTES)
