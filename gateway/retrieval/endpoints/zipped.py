"""Instances as a zip archive, for people: a file-set with its DICOMDIR (PS3.10 §8).

An extension: PS3.18 does not have it, so it is given to nobody who does not name it. The archive is
sent as it is made; of a study only the records of the directory are held. Instances are as they are
stored, but that the patient is named by INS, too, and that what the web forbids or deflates comes
in Explicit VR Little Endian.
"""

import os
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast
from uuid import uuid4

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.catalogue.metered import MeteredFile
from gateway.dicomweb.accept import OCTETS
from gateway.dicomweb.negotiation import ZIP, instances_as
from gateway.errors import NotAcceptable
from gateway.media.directory import DicomDirectory
from gateway.media.leaflet import leaflets
from gateway.media.records import KEYWORDS, value_of
from gateway.media.tree import DICOMDIR
from gateway.media.zip_stream import ZipStream
from gateway.model.resource import Resource
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN, NATIVE
from gateway.retrieval.endpoints.answering import Body, Request, answer, left_out, read_request
from gateway.retrieval.files import FileReader, OpenFile
from gateway.retrieval.forms.leaving import KnownPatients, Leaving, crc32_of, ready
from gateway.retrieval.forms.transcode import Transcoder
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.source import HeldInstance
from gateway.security.policy import Policy
from indexer.contract.identifiers import Ins

FILE_NAME: Final = "images.zip"
"""What a browser saves it as: it tells nothing of whose they are."""

UNLISTED: Final = "OTHERS"
"""Folder of what is not in the directory, for it is not in the encoding that the others have."""

_PREFIX_BYTES: Final = 128 + 4 + 12  # preamble, "DICM" and the group length element (PS3.10 §7.1)
_PIXELS_FROM: Final = 0x7FE00000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A file that is ready to be sent, and what the directory tells of it."""

    leaving: Leaving
    crc32: int
    header: Dataset | None
    """None where the directory cannot tell of it."""
    transfer_syntax: str


class ZipEndpoint:
    """Answers with an archive whoever asks for one, and leaves all others to `instances`, or, if
    they want bulk data alone, to `bulk`."""

    def __init__(
        self,
        policy: Policy,
        retriever: Retriever,
        transcoder: Transcoder,
        files: FileReader,
        *,
        patients: KnownPatients,
        instances: ASGIApp,
        bulk: ASGIApp,
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._transcoder = transcoder
        self._files = files
        self._patients = patients
        self._instances = instances
        self._bulk = bulk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        kind = instances_as(request.accepted, single=resource.instance is not None)
        if kind != ZIP:
            await (self._bulk if kind == OCTETS else self._instances)(scope, receive, send)
            return
        if request.head:
            await self._retriever.ensure_known(request.access, resource)
            await Body(send).send_head(ZIP)
            return
        await answer(scope, receive, send, lambda body: self._answer(request, resource, body))

    async def _answer(self, request: Request, resource: Resource, body: Body) -> None:
        async with aclosing(await self._retriever.open(request.access, resource)) as stream:
            ins = await self._patients.ins(resource.study)
            archive = _Archive()
            async for held in stream:
                async with self._packed(held, ins) as packed:
                    if not body.begun:
                        warnings = left_out(stream.missing)
                        await body.begin(ZIP, file_name=FILE_NAME, warnings=warnings)
                        await body.write(archive.leaflets(stream.missing))
                    await body.write(archive.instance(packed))
                    await body.write_leaving(packed.leaving, self._files)
        await body.write(await self._files.run(archive.end), more=False)

    @asynccontextmanager
    async def _packed(self, held: HeldInstance, ins: Ins | None) -> AsyncIterator[_Packed]:
        async with AsyncExitStack() as stack:
            given = await self._given(stack, held)
            opened = await stack.enter_async_context(self._files.open(given.path))
            yield await self._files.run(_pack, given, opened, ins)

    async def _given(self, stack: AsyncExitStack, held: HeldInstance) -> HeldInstance:
        if held.transfer_syntax not in NATIVE:
            return held
        try:
            given = self._transcoder.given(held, EXPLICIT_LITTLE_ENDIAN)
            return await stack.enter_async_context(given)
        except NotAcceptable:  # too large, or broken: it keeps nobody from the rest
            return held


def _pack(given: HeldInstance, opened: OpenFile, ins: Ins | None) -> _Packed:
    if given.transfer_syntax in NATIVE and given.transfer_syntax != EXPLICIT_LITTLE_ENDIAN:
        leaving, header = Leaving(opened=opened), None
    else:
        leaving, header = ready(opened, ins), _header(given.path)
    return _Packed(
        leaving=leaving,
        crc32=crc32_of(leaving),
        header=header,
        transfer_syntax=given.transfer_syntax,
    )


def _header(path: Path) -> Dataset | None:
    """What the directory tells of an instance; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            prefix = file.read(_PREFIX_BYTES)
            file.seek(int.from_bytes(prefix[-4:], "little"), os.SEEK_CUR)
            return read_dataset(
                cast(BinaryIO, MeteredFile(file)),
                is_implicit_VR=False,
                is_little_endian=True,
                stop_when=lambda tag, _vr, _length: tag >= _PIXELS_FROM,
                specific_tags=[Tag(keyword) for keyword in KEYWORDS],
            )
    except Exception as error:  # pydicom raises whatever its parts raise on bytes that are none
        if isinstance(error, OSError) and error.errno is not None:  # the disk's own
            raise
        return None


class _Archive:
    """The frame of the archive: what stands before, between and after the instances."""

    def __init__(self) -> None:
        self._zip = ZipStream()
        self._directory = DicomDirectory(f"2.25.{uuid4().int}")
        self._series: dict[str, int] = {}
        self._count = 0

    def leaflets(self, missing: int) -> bytes:
        """What comes first, which also says how many instances are not there."""
        texts = leaflets(missing=missing)
        return b"".join(self._short(name, content) for name, content in texts)

    def instance(self, packed: _Packed) -> bytes:
        """What goes before the bytes of the next instance."""
        self._count += 1
        # Names that every medium can hold (PS3.10 §8.2, §8.5).
        file_id = ("DICOM", self._folder(packed.header), f"IM{self._count:06}")
        if packed.header is not None:
            self._directory.add(packed.header, file_id, packed.transfer_syntax)
        size_bytes = packed.leaving.size_bytes
        return self._zip.file("/".join(file_id), size_bytes=size_bytes, crc32=packed.crc32)

    def _folder(self, header: Dataset | None) -> str:
        if header is None:
            return UNLISTED
        series = value_of(header, "SeriesInstanceUID")
        return f"SE{self._series.setdefault(series, len(self._series) + 1):06}"

    def end(self) -> bytes:
        """What goes after the last."""
        return self._short(DICOMDIR, self._directory.encode()) + self._zip.end()

    def _short(self, name: str, content: bytes) -> bytes:
        head = self._zip.file(name, size_bytes=len(content), crc32=zlib.crc32(content))
        return head + content
