"""Retrieval behind a real HTTP server, on real stores, with a PACS that the test commands."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import HTTP
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import aiohttp
from fastapi import FastAPI
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway import http_errors
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.descriptions import Descriptions
from gateway.catalogue.header import read_header
from gateway.catalogue.search import CatalogueSearch
from gateway.dimse.move_mediator import MoveMediator
from gateway.lifecycle import workers as working
from gateway.model.image import StoredObject
from gateway.model.notification import HeldByPacs, InstanceStored, PacsAnswered, StudyAnnounced
from gateway.processes.pool import WorkerPool
from gateway.retrieval.describing.answers import MetadataAnswers
from gateway.retrieval.describing.described import DescribedStore
from gateway.retrieval.describing.describer import Describer
from gateway.retrieval.endpoints.search import Searcher
from gateway.retrieval.files import FileReader
from gateway.retrieval.forms.transcode import Transcoder
from gateway.retrieval.rendering.renderer import Renderer
from gateway.retrieval.routes import build_routes, build_search_routes
from gateway.retrieval.sources.pull import MovePuller
from gateway.retrieval.whole import StoredBodies
from gateway.security.forwarded import Addressed, Forwarding
from gateway.security.policy import Policy
from gateway.serving import serve
from gateway.shortcut import Shortcut
from gateway.storage.database import Transaction
from indexer.contract.identifiers import Uid
from tests.support.fake_pacs import PACS, FakePacs
from tests.support.fetching import BY_DEFAULT, CopyLimits, Fetching
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import ACCESSION, CT, LOCAL_ID, SERIES, STUDY, WITH_PACS

T = TypeVar("T")

PUBLIC_URL = "https://gateway.example"
ROOT_URL = f"{PUBLIC_URL}/dicom-web"
AT_ONE_ADDRESS = Forwarding((), base_url=PUBLIC_URL, fixed=True)
WAITING_MAX = 2
REWRITTEN_BYTES_MAX = 2**20
METADATA_BYTES_MAX = 2**20
TIDIED_S_MAX = 30.0


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
    """The data set as a file; of a compressed syntax, with its fragments, or, where its pixels are
    none, with some that nobody can decode."""
    wanted = UID(syntax)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = wanted
    if wanted.is_compressed and not wanted.is_deflated:
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        if not ds.PixelData.startswith(b"\xfe\xff\x00\xe0"):
            ds.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0ABCD"
    dcmwrite(path, ds, enforce_file_format=True)


def part10_of(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The same as `write_part10`, in memory."""
    buffer = BytesIO()
    write_part10(ds, buffer, syntax)
    return buffer.getvalue()


def data_set_bytes(path: Path) -> int:
    """How long a file is without what stands before its data set: what doors tell of it."""
    before = 128 + len(b"DICM") + 12  # the preamble, and the element that tells the rest
    told = read_file_meta_info(path)
    return path.stat().st_size - before - int(told.FileMetaInformationGroupLength)


class Bench:
    """What a test does to the gateway and asks of it."""

    def __init__(self, stores: Stores, pacs: FakePacs, folder: Path) -> None:
        self.stores = stores
        self.pacs = pacs
        self._folder = folder
        self.root = ""
        self.http: aiohttp.ClientSession
        self.describer: Describer
        self.fetching: Fetching

    @property
    def spooled(self) -> list[Path]:
        """What lies in the spool."""
        return list(self.stores.objects.new_spool().parent.iterdir())

    async def tidied(self) -> None:
        """Wait until nothing lies in the spool: a client may have the last byte before that."""
        async with asyncio.timeout(TIDIED_S_MAX):
            while self.spooled:  # noqa: ASYNC110 - a folder tells nobody of its changes
                await asyncio.sleep(0.01)

    @property
    def kept(self) -> list[Path]:
        """What lies in the store."""
        objects = self.stores.objects.path("0" * 32).parent.parent
        return [path for path in objects.rglob("*") if path.is_file()]

    async def pulled(self) -> None:
        """Wait until nothing is pulled any more, and what was is kept."""
        await self.fetching.pulled()

    async def fetched(self, path: str = f"/studies/{STUDY}") -> list[Dataset]:
        """The instances that come, of an answer that is whole."""
        async with self.get(path) as response:
            assert response.status == 200
            return instances_of(response.headers["Content-Type"], await response.read())

    async def push(self, ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> None:
        """Have an instance stored here."""
        spooled = self.stores.objects.new_spool()
        write_part10(ds, spooled, syntax)
        header = read_header(spooled)
        size_bytes = data_set_bytes(spooled)
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
        for ds in held:
            path = self._folder / f"{len(self.pacs.files)}.dcm"
            write_part10(ds, path, syntax)
            self.pacs.files.append(path)
        headers = [read_header(path) for path in self.pacs.files]
        studies, write = self.stores.studies, self.stores.database.write
        for study in {Uid(ds.StudyInstanceUID) for ds in held}:
            images = [header.image for header in headers if header.study == study]
            held_there = tuple(HeldByPacs(pacs=PACS, image=image) for image in images)
            answer = PacsAnswered(study=study, held=held_there, asked_after=1)

            async def work(tx: Transaction, answer: PacsAnswered = answer) -> None:
                told = StudyAnnounced(study=answer.study)
                await studies.study_announced(tx, told, now_ms=0)
                await studies.pacs_answered(tx, answer, now_ms=0)

            await write(work)

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


def any_parts(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Content-Type and bytes of each part, by the same parser."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parsed = message_from_bytes(head + body, policy=HTTP)
    assert not parsed.defects
    found = []
    for part in parsed.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert len(content) == int(part["Content-Length"])
        syntax = part.get_param("transfer-syntax")
        found.append((f"{part.get_content_type()}; transfer-syntax={syntax}", content))
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
    stop = asyncio.Event()
    running = asyncio.create_task(serve(app, listening, stop=stop))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        stop.set()
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
        size_bytes_max=METADATA_BYTES_MAX,
    )
    return describer, stored, answers


@asynccontextmanager
async def a_bench(
    folder: Path,
    policy: Policy,
    *,
    limits: CopyLimits = BY_DEFAULT,
    nothing_found: int = 200,
    forwarding: Forwarding = AT_ONE_ADDRESS,
) -> AsyncIterator[Bench]:
    """A gateway's retrieval under this policy; by default it keeps what passes.

    Args:
        nothing_found: what a search is answered that finds nothing.
    """
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
        bench.describer, stored, answers = described(stores, workers, catalogue, files)
        pullers = {PACS: MovePuller(mediator, pacs)}
        bench.fetching = fetching = Fetching(stores, catalogue, pullers, files, limits=limits)
        routes = build_routes(
            policy,
            fetching.retriever(policy, stored),
            transcoder,
            files,
            renderer=Renderer(workers),
            answers=answers,
            patients=catalogue,
            bodies=StoredBodies(files, objects.path),
        )
        app = _application(routes + _searching(policy, stores, nothing_found), forwarding)
        async with (
            working(fetching.keeper.run(), fetching.prefetcher.run()),
            serving(app) as url,
            aiohttp.ClientSession() as bench.http,
        ):
            bench.root = f"{url}/dicom-web"
            yield bench
        await fetching.flights.close()
        await answers.close()
        await bench.describer.close()
        await workers.close()
        files.close()


def _application(routes: list[Route], forwarding: Forwarding) -> FastAPI:
    app = FastAPI()
    http_errors.install(app)
    app.add_middleware(Shortcut, routes=routes)
    app.add_middleware(Addressed, forwarding=forwarding)
    app.router.routes.extend(routes)
    return app


def _searching(policy: Policy, stores: Stores, nothing_found: int) -> list[Route]:
    searcher = Searcher(policy, CatalogueSearch(stores.database))
    return build_search_routes(policy, searcher, nothing_found=nothing_found)
