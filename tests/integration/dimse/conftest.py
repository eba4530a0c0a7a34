"""An acceptor on a free port, and what came to it."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.dimse.acceptor import Admits, DimseServer
from gateway.dimse.commands import NRequest, StoreRequest
from gateway.dimse.event_reports import Result
from gateway.dimse.limits import DimseLimits
from gateway.dimse.provider import Handlers
from tests.integration.dimse.getting import getter_of

__all__ = ["getter_of"]


@dataclass
class Receiver:
    """Handlers that remember what they were given, and a spool folder of their own."""

    folder: Path
    stored: list[StoreRequest] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    created: list[NRequest] = field(default_factory=list)
    set: list[NRequest] = field(default_factory=list)
    servers: list[DimseServer] = field(default_factory=list)

    async def store(self, request: StoreRequest) -> int:
        await request.file.finish()
        self.stored.append(request)
        self.files.append(request.spooled.read_bytes())
        return 0

    async def n_create(self, request: NRequest) -> int:
        self.created.append(request)
        return 0

    async def n_set(self, request: NRequest) -> int:
        self.set.append(request)
        return 0

    async def n_action(self, _request: NRequest) -> Result:
        raise AssertionError("nothing is asked for")

    def spool(self) -> Path:
        return self.folder / uuid4().hex

    def spooled(self) -> list[Path]:
        return list(self.folder.iterdir())

    def digest(self) -> str:
        """Of the data set of the only file that came."""
        [file], [request] = self.files, self.stored
        return hashlib.sha256(file[-request.size_bytes :]).hexdigest()

    async def listen(
        self,
        *,
        store: Callable[[StoreRequest], Awaitable[int]] | None = None,
        n_create: Callable[[NRequest], Awaitable[int]] | None = None,
        n_action: Callable[[NRequest], Awaitable[Result]] | None = None,
        admits: Admits = lambda _peer: None,
        limits: DimseLimits | None = None,
    ) -> int:
        """Start an acceptor; its port."""
        server = await DimseServer.start(
            "127.0.0.1",
            0,
            handlers=Handlers(
                store=store or self.store,
                n_create=n_create or self.n_create,
                n_set=self.n_set,
                n_action=n_action or self.n_action,
            ),
            admits=admits,
            spool=self.spool,
            limits=limits,
        )
        self.servers.append(server)
        return server.port


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    folder = tmp_path / "spool"
    folder.mkdir()
    receiver = Receiver(folder)
    yield receiver
    for server in receiver.servers:
        await server.close(grace_s=0)
