"""The web doors behind the gate on a real HTTP server, with real stores."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import aiohttp
from fastapi import FastAPI
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from gateway import http_errors
from gateway.intake import stow_routes, webhook
from gateway.intake.assembler import Assembler
from gateway.intake.instances import InstanceIntake
from gateway.intake.stow import StowDoor
from gateway.security.forwarded import Addressed, Forwarding
from gateway.security.gate import Gate
from gateway.security.policy import Policy
from gateway.serving import listen, serve, url_of
from indexer.contract.identifiers import Uid
from indexer.framing.multipart_writer import MultipartRelated
from tests.support.gateway_stores import Stores, stores_in
from tests.support.retrieval import write_part10
from tests.support.studies import STUDY

PUBLIC_URL = "https://gateway.example"
STUDIES = "/dicom-web/studies"
INSTANCE_BYTES_MAX = 100_000
BODY = 'multipart/related; type="application/dicom"; boundary="b"'


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    told: Any
    """The body decoded, if it is JSON."""
    warnings: list[str]

    def references(self, tag: str) -> list[tuple[str, int]]:
        """Instance and failure reason (0 for none) of each item in a sequence."""
        items = self.told.get(tag, {"Value": []})["Value"]
        return [
            (
                one.get("00081155", {"Value": [""]})["Value"][0],
                one.get("00081197", {"Value": [0]})["Value"][0],
            )
            for one in items
        ]

    @property
    def stored(self) -> list[str]:
        """The instances that it names as stored."""
        return [uid for uid, _reason in self.references("00081199")]

    @property
    def failed(self) -> list[tuple[str, int]]:
        """The instances that it names as not stored, each with its reason."""
        return self.references("00081198")


class WebDoors:
    """What a test sends, and what is there afterwards."""

    def __init__(self, stores: Stores, url: str, http: aiohttp.ClientSession) -> None:
        self.stores = stores
        self.url = url
        self._http = http

    async def post(self, path: str, data: Any, **headers: str) -> Answer:
        """Send a body; names of headers have underscores for their hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.post(self.url + path, data=data, headers=named) as response:
            body = await response.read()
            told = await response.json(content_type=None) if body.startswith(b"{") else None
            warnings = response.headers.getall("Warning", [])
            return Answer(response.status, dict(response.headers), body, told, warnings)

    async def push(
        self, *files: bytes, path: str = STUDIES, kind: str = "application/dicom", **headers: str
    ) -> Answer:
        """Store files by one Store transaction."""
        headers.setdefault("Content_Type", BODY)
        return await self.post(path, body_of(files, kind=kind), **headers)

    async def held(self, study: Uid = STUDY) -> dict[str, bytes]:
        """The files that are stored of a study, by instance."""
        found = await self.stores.database.read(lambda tx: self.stores.studies.snapshot(tx, study))
        return {
            image.told[0].instance: self.stores.objects.path(image.stored.key).read_bytes()
            for image in (found.images if found else ())
            if image.stored is not None
        }

    @property
    def spooled(self) -> list[Path]:
        """What lies in the spool."""
        return list(self.stores.objects.new_spool().parent.iterdir())

    @property
    def objects(self) -> list[Path]:
        """What lies in the store."""
        folder = self.stores.objects.path("0" * 32).parents[1]
        return [path for path in folder.rglob("*") if path.is_file()]


def file_of(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as a file."""
    with NamedTemporaryFile() as file:
        write_part10(ds, Path(file.name), syntax)
        return file.read()


def body_of(files: Iterable[bytes], *, kind: str = "application/dicom") -> bytes:
    """A body of these parts, with the boundary of `BODY`."""
    frame = MultipartRelated("application/dicom", boundary="b")
    parts = [frame.part(kind, size_bytes=len(file)) + file for file in files]
    return b"".join(parts) + frame.end()


@asynccontextmanager
async def web_doors(folder: Path, policy: Policy) -> AsyncIterator[WebDoors]:
    """The doors at work under this policy."""
    async with stores_in(folder / "gateway") as stores:
        assembler = Assembler(
            stores.database,
            stores.studies,
            stores.objects,
            clock=stores.clock,
            settle_ms=0,
            on_news=lambda: None,
        )
        door = StowDoor(
            InstanceIntake(assembler, stores.objects),
            spool=stores.objects.new_spool,
            instance_bytes_max=INSTANCE_BYTES_MAX,
        )
        app = FastAPI()
        http_errors.install(app)
        app.include_router(webhook.webhook_routes(policy, assembler.study_announced))
        app.router.routes.extend(stow_routes.stow_routes(policy, door, studies=STUDIES))
        wide = {STUDIES: stow_routes.BODY, webhook.PATH: webhook.BODY}
        forwarding = Forwarding((), base_url=PUBLIC_URL, fixed=True)
        app.add_middleware(Addressed, forwarding=forwarding)
        app.add_middleware(Gate, policy=policy, refusal=http_errors.answer, wide=wide)
        stop = asyncio.Event()
        with listen("127.0.0.1", 0) as listening:
            async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as http:
                tasks.create_task(serve(app, listening, stop=stop))
                try:
                    yield WebDoors(stores, url_of(listening), http)
                finally:
                    stop.set()
        door.close()
