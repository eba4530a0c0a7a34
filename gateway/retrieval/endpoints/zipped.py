"""Instances as a zip archive, for people: a file-set with its DICOMDIR (PS3.10 §8).

An extension: PS3.18 does not have it, so it is given to nobody who does not name it. The archive is
sent as it is made; of a study only the records of the directory are held. Instances are as they are
stored, but that the patient is named by INS, too, and that what the web forbids or deflates comes
in Explicit VR Little Endian.
"""

import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast
from uuid import uuid4

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.catalogue.metered import MeteredFile
from gateway.dicomweb.negotiation import ZIP, wants_zip
from gateway.media.directory import DicomDirectory
from gateway.media.leaflet import leaflets
from gateway.media.records import KEYWORDS, value_of
from gateway.media.tree import DICOMDIR
from gateway.media.zip_stream import ZipStream
from gateway.model.resource import Resource
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN, NATIVE
from gateway.retrieval.endpoints.answering import Body, Request, answer, read_request
from gateway.retrieval.files import FileReader, OpenFile
from gateway.retrieval.leaving import KnownPatients, Leaving, crc32_of, ready
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.source import HeldInstance
from gateway.retrieval.transcode import Transcoder
from gateway.security.policy import Policy
from indexer.contract.identifiers import Ins

FILE_NAME: Final = "images.zip"
"""What a browser saves it as: it tells nothing of whose they are."""

_PREFIX_BYTES: Final = 128 + 4 + 12  # preamble, "DICM" and the group length element (PS3.10 §7.1)
_PIXELS_FROM: Final = 0x7FE00000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A file that is ready to be sent, and what the directory tells of it."""

    leaving: Leaving
    crc32: int
    header: Dataset
    transfer_syntax: str


class ZipEndpoint:
    """Answers with an archive whoever asks for one, and leaves all others to `instances`."""

    def __init__(
        self,
        policy: Policy,
        retriever: Retriever,
        transcoder: Transcoder,
        files: FileReader,
        *,
        patients: KnownPatients,
        instances: ASGIApp,
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._transcoder = transcoder
        self._files = files
        self._patients = patients
        self._instances = instances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        if not wants_zip(request.accepted, single=resource.instance is not None):
            await self._instances(scope, receive, send)
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
                        await body.begin(ZIP, file_name=FILE_NAME)
                        await body.write(archive.leaflets())
                    await body.write(archive.instance(packed))
                    await body.write_leaving(packed.leaving, self._files)
        await body.write(await self._files.run(archive.end), more=False)

    @asynccontextmanager
    async def _packed(self, held: HeldInstance, ins: Ins | None) -> AsyncIterator[_Packed]:
        stored = held.transfer_syntax
        syntax = EXPLICIT_LITTLE_ENDIAN if stored in NATIVE else stored
        async with (
            self._transcoder.given(held, syntax) as given,
            self._files.open(given.path) as opened,
        ):
            yield await self._files.run(_pack, given.path, opened, given.transfer_syntax, ins)


def _pack(path: Path, opened: OpenFile, transfer_syntax: str, ins: Ins | None) -> _Packed:
    leaving = ready(opened, ins)
    return _Packed(
        leaving=leaving,
        crc32=crc32_of(leaving),
        header=_header(path),
        transfer_syntax=transfer_syntax,
    )


def _header(path: Path) -> Dataset:
    with path.open("rb") as file:
        prefix = file.read(_PREFIX_BYTES)
        file.seek(int.from_bytes(prefix[-4:], "little"), 1)
        return read_dataset(
            cast(BinaryIO, MeteredFile(file)),
            is_implicit_VR=False,
            is_little_endian=True,
            stop_when=lambda tag, _vr, _length: tag >= _PIXELS_FROM,
            specific_tags=[Tag(keyword) for keyword in KEYWORDS],
        )


class _Archive:
    """The frame of the archive: what stands before, between and after the instances."""

    def __init__(self) -> None:
        self._zip = ZipStream()
        self._directory = DicomDirectory(f"2.25.{uuid4().int}")
        self._series: dict[str, int] = {}
        self._count = 0

    def leaflets(self) -> bytes:
        return b"".join(self._short(name, content) for name, content in leaflets())

    def instance(self, packed: _Packed) -> bytes:
        """What goes before the bytes of the next instance."""
        series = value_of(packed.header, "SeriesInstanceUID")
        folder = self._series.setdefault(series, len(self._series) + 1)
        self._count += 1
        # Names that every medium can hold (PS3.10 §8.2, §8.5).
        file_id = ("DICOM", f"SE{folder:06}", f"IM{self._count:06}")
        self._directory.add(packed.header, file_id, packed.transfer_syntax)
        size_bytes = packed.leaving.size_bytes
        return self._zip.file("/".join(file_id), size_bytes=size_bytes, crc32=packed.crc32)

    def end(self) -> bytes:
        """What goes after the last."""
        return self._short(DICOMDIR, self._directory.encode()) + self._zip.end()

    def _short(self, name: str, content: bytes) -> bytes:
        head = self._zip.file(name, size_bytes=len(content), crc32=zlib.crc32(content))
        return head + content
