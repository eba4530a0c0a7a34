"""Retrieval behind a real HTTP server, on real stores, with a PACS that the test commands."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import HTTP
from io import BytesIO
from pathlib import Path
from shutil import copyfile
from types import MappingProxyType
from typing import TypeVar

import aiohttp
import uvicorn
from fastapi import FastAPI
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from starlette.types import ASGIApp

from gateway import http_errors
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.descriptions import Descriptions
from gateway.catalogue.header import read_header
from gateway.catalogue.search import CatalogueSearch
from gateway.dimse.commands import Peer, StoreRequest
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.scu import Find, MoveOutcome
from gateway.dimse.turns import Lane
from gateway.errors import PacsUnavailable
from gateway.model.image import StoredObject
from gateway.model.notification import HeldByPacs, InstanceStored, PacsAnswered, StudyAnnounced
from gateway.model.resource import Resource
from gateway.processes.pool import WorkerPool
from gateway.retrieval.answers import MetadataAnswers
from gateway.retrieval.described import DescribedStore
from gateway.retrieval.describer import Describer
from gateway.retrieval.endpoints.search import Searcher
from gateway.retrieval.files import FileReader
from gateway.retrieval.renderer import Renderer
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.routes import build_routes, build_search_routes
from gateway.retrieval.sources.pacs import PacsSource
from gateway.retrieval.sources.pull import MovePuller
from gateway.retrieval.sources.source import Source
from gateway.retrieval.sources.store import StoreSource
from gateway.retrieval.transcode import Transcoder
from gateway.security.policy import Policy
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import ACCESSION, CT, LOCAL_ID, SERIES, STUDY, WITH_PACS

T = TypeVar("T")

PUBLIC_URL = "https://gateway.example"
PACS = "PACS"
WAITING_MAX = 2
REWRITTEN_BYTES_MAX = 2**20
METADATA_BYTES_MAX = 2**20


def a_slice(number: int = 1, **told: object) -> Dataset:
    """A small CT slice of the patient of `tests.support.studies`."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = CT
    ds.StudyInstanceUID = STUDY
    ds.SeriesInstanceUID = SERIES
    ds.SOPInstanceUID = f"{SERIES}.{number}"
    ds.PatientID = LOCAL_ID.value
    ds.PatientName = "EXEMPLE^CAMILLE"
    ds.PatientBirthDate = "19550517"
    ds.PatientSex = "M"
    ds.AccessionNumber = ACCESSION.value
    ds.StudyDate = "20260102"
    ds.StudyDescription = "Scanner du crâne"
    ds.Modality = "CT"
    ds.SeriesNumber = 1
    ds.InstanceNumber = number
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PixelData = bytes([number % 256, 0]) * 256
    for keyword, value in told.items():
        setattr(ds, keyword, value)
    return ds


def write_part10(ds: Dataset, path: Path | BytesIO, syntax: str = ExplicitVRLittleEndian) -> None:
    """The data set as a file; of a compressed syntax, with pixels that nobody can decode."""
    wanted = UID(syntax)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = wanted
    if wanted.is_compressed and not wanted.is_deflated:
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0ABCD"
    dcmwrite(path, ds, enforce_file_format=True)


def part10_of(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The same as `write_part10`, in memory."""
    buffer = BytesIO()
    write_part10(ds, buffer, syntax)
    return buffer.getvalue()


class FakePacs:
    """A PACS at the level of the DIMSE kit's protocol; it stores through the real mediator."""

    def __init__(self, stores: Stores, mediator: MoveMediator, folder: Path) -> None:
        self._stores = stores
        self._mediator = mediator
        self._folder = folder
        self.files: list[Path] = []
        self.dies_after: int | None = None
        self.leaves_out = 0
        self.sent = 0
        self.was_left = asyncio.Event()
        self.spooled_max = 0

    @property
    def called_ae(self) -> str:
        return PACS

    async def converse(self, talk: Callable[[Find], T]) -> T:
        raise NotImplementedError

    async def move(
        self,
        wanted: Resource,
        *,
        destination_ae: str,
        message_id: int,
        lane: Lane = Lane.VIEWER,
    ) -> MoveOutcome:
        try:
            return await self._move(wanted, destination_ae, message_id)
        except asyncio.CancelledError:
            self.was_left.set()
            raise

    async def _move(self, wanted: Resource, destination_ae: str, message_id: int) -> MoveOutcome:
        count = 0
        for path in self.files[: len(self.files) - self.leaves_out]:
            if count == self.dies_after:
                raise PacsUnavailable("the association was aborted")
            image = read_header(path).image
            if wanted.series not in (None, image.series):
                continue
            if wanted.instance not in (None, image.instance):
                continue
            await self._store(path, destination_ae, message_id)
            count += 1
        return MoveOutcome(status=0, completed=count, failed=0, warning=0)

    async def _store(self, path: Path, originator_ae: str, message_id: int) -> None:
        spooled = self._stores.objects.new_spool()
        copyfile(path, spooled)
        self.spooled_max = max(self.spooled_max, len(list(spooled.parent.iterdir())))
        meta = dcmread(path, stop_before_pixels=True).file_meta
        request = StoreRequest(
            peer=Peer(calling_ae=PACS, called_ae=originator_ae, address="127.0.0.1"),
            sop_class=CT,
            sop_instance=Uid(meta.MediaStorageSOPInstanceUID),
            transfer_syntax=Uid(meta.TransferSyntaxUID),
            spooled=spooled,
            digest_sha256="",
            size_bytes=path.stat().st_size,
            originator_ae=originator_ae,
            originator_message_id=message_id,
        )
        try:
            assert await self._mediator.offer(request) == 0
        finally:
            spooled.unlink(missing_ok=True)
        self.sent += 1


class Bench:
    """What a test does to the gateway and asks of it."""

    def __init__(self, stores: Stores, pacs: FakePacs, folder: Path) -> None:
        self.stores = stores
        self.pacs = pacs
        self._folder = folder
        self.root = ""
        self.http: aiohttp.ClientSession
        self.describer: Describer

    @property
    def spooled(self) -> list[Path]:
        """What lies in the spool."""
        return list(self.stores.objects.new_spool().parent.iterdir())

    async def push(self, ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> None:
        """Have an instance stored here."""
        spooled = self.stores.objects.new_spool()
        write_part10(ds, spooled, syntax)
        header = read_header(spooled)
        size_bytes = spooled.stat().st_size
        key = await self.stores.objects.keep(spooled)
        stored = StoredObject(
            key=key, transfer_syntax=Uid(syntax), size_bytes=size_bytes, sha256=key
        )
        news = InstanceStored(study=header.study, image=header.image, stored=stored)
        await self.stores.database.write(
            lambda tx: self.stores.studies.instance_stored(tx, news, now_ms=0, due_at_ms=0)
        )

    async def hold_in_pacs(self, *held: Dataset, syntax: str = ExplicitVRLittleEndian) -> None:
        """Have the PACS hold these instances, and have told the gateway so."""
        for number, ds in enumerate(held):
            path = self._folder / f"{number}.dcm"
            write_part10(ds, path, syntax)
            self.pacs.files.append(path)
        held_there = tuple(
            HeldByPacs(pacs=PACS, image=read_header(path).image) for path in self.pacs.files
        )
        answer = PacsAnswered(study=STUDY, held=held_there, asked_after=1)
        told, studies = StudyAnnounced(study=STUDY), self.stores.studies
        await self.stores.database.write(lambda tx: studies.study_announced(tx, told, now_ms=0))
        await self.stores.database.write(lambda tx: studies.pacs_answered(tx, answer))

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Run a client that blocks, while the gateway answers it."""
        return await asyncio.to_thread(act)

    def get(
        self,
        path: str = f"/studies/{STUDY}",
        accept: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> "aiohttp.client._RequestContextManager":
        """Ask; by default for the study as it is stored."""
        any_form = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        asked = {"Accept": any_form if accept is None else accept, **headers}
        return self.http.get(self.root + path, headers=asked)


def parts_of(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Transfer syntax and bytes of each part, by the standard library's parser for mail."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parsed = message_from_bytes(head + body, policy=HTTP)
    assert not parsed.defects
    found = []
    for part in parsed.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert len(content) == int(part["Content-Length"])
        assert part.get_content_type() == "application/dicom"
        found.append((str(part.get_param("transfer-syntax")), content))
    return found


def parts_by_type(content_type: str, body: bytes, part_type: str) -> list[bytes]:
    """The parts of a body of one media type, by the same parser."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parsed = message_from_bytes(head + body, policy=HTTP)
    assert parsed.get_param("type") == part_type
    assert not parsed.defects
    parts = list(parsed.iter_parts())
    assert {part.get_content_type() for part in parts} == {part_type}
    return [
        content for part in parts if isinstance(content := part.get_payload(decode=True), bytes)
    ]


def instances_of(content_type: str, body: bytes) -> list[Dataset]:
    """The instances of a multipart body."""
    return [dcmread(BytesIO(content)) for _, content in parts_of(content_type, body)]


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The application on a real socket; its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


def described(
    stores: Stores, workers: WorkerPool, catalogue: Catalogue, files: FileReader
) -> tuple[Describer, DescribedStore, MetadataAnswers]:
    """What is stored, described."""
    database, objects = stores.database, stores.objects
    descriptions = Descriptions(database.dialect)
    describer = Describer(
        database,
        descriptions,
        workers,
        path=objects.path,
        new_spool=objects.new_spool,
        discard=objects.discard_spool,
        rewritten_bytes_max=REWRITTEN_BYTES_MAX,
    )
    stored = DescribedStore(database, descriptions, describer, catalogue, path=objects.path)
    answers = MetadataAnswers(
        stored,
        files,
        folder=objects.new_spool().parent.parent,
        root_url=f"{PUBLIC_URL}/dicom-web",
        size_bytes_max=METADATA_BYTES_MAX,
    )
    return describer, stored, answers


@asynccontextmanager
async def a_bench(folder: Path, policy: Policy) -> AsyncIterator[Bench]:
    """A gateway's retrieval under this policy."""
    async with stores_in(folder / "gateway") as stores:
        mediator = MoveMediator(ae_title="DRIMBOX", waiting_max=WAITING_MAX)
        pacs = FakePacs(stores, mediator, folder)
        bench = Bench(stores, pacs, folder)
        objects, files = stores.objects, FileReader()
        catalogue = Catalogue(
            stores.database,
            stores.studies,
            policy=WITH_PACS,
            clock=stores.clock,
            on_news=lambda: None,
        )
        workers = WorkerPool(workers=2, waiting_max=16, memory_mib_max=512)
        transcoder = Transcoder(
            workers, objects.new_spool, objects.discard_spool, size_bytes_max=REWRITTEN_BYTES_MAX
        )
        from_pacs = PacsSource(
            catalogue,
            {PACS: MovePuller(mediator, pacs)},
            path=objects.path,
            discard=objects.discard_spool,
            files=files,
        )
        sources: list[Source] = [StoreSource(catalogue, objects.path), from_pacs]
        bench.describer, stored, answers = described(stores, workers, catalogue, files)
        retriever = Retriever(policy, catalogue, stored, sources)
        searcher = Searcher(policy, CatalogueSearch(stores.database))
        app = FastAPI()
        http_errors.install(app)
        app.router.routes.extend(
            build_routes(
                policy,
                retriever,
                transcoder,
                files,
                renderer=Renderer(workers),
                answers=answers,
                patients=catalogue,
            )
            + build_search_routes(policy, searcher, public_url=PUBLIC_URL)
        )
        async with serving(app) as url, aiohttp.ClientSession() as bench.http:
            bench.root = f"{url}/dicom-web"
            yield bench
        await answers.close()
        await bench.describer.close()
        await workers.close()
        files.close()
