"""Who asks a PACS by C-GET, and what came to it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.dimse.commands import StoreRequest
from gateway.dimse.limits import DimseLimits
from gateway.dimse.receiving import Spooling
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.scu import MoveOutcome, PacsTimeouts
from gateway.dimse.statuses import StoreStatus
from gateway.dimse.turns import PacsThreads
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from tests.integration.dimse.pacs import (
    CT,
)
from tests.support.arrivals import content_of

STUDY = Uid("1.2.3")
WHOLE = Resource(study=STUDY)
SHORT = PacsTimeouts(association_s=1, get_answer_s=0.3, stall_s=0.3)
LIMITS = DimseLimits(message_bytes_max=100_000, drained_bytes_max=200_000, artim_s=0.5)


@dataclass
class Getter:
    """Who asks, and what came to it."""

    folder: Path
    requestor: PacsRequestor
    spooling: Spooling
    came: list[tuple[StoreRequest, bytes]] = field(default_factory=list)

    async def take(self, request: StoreRequest) -> int:
        self.came.append((request, content_of(request)))
        return StoreStatus.SUCCESS

    async def get(
        self,
        wanted: Resource = WHOLE,
        *,
        storage: Collection[str] = (CT,),
        take: Callable[[StoreRequest], Awaitable[int]] | None = None,
    ) -> MoveOutcome:
        async with asyncio.timeout(10):
            return await self.requestor.get(
                wanted, storage=storage, spooling=self.spooling, take=take or self.take
            )

    @property
    def spooled(self) -> list[Path]:
        return list(self.folder.iterdir())


@pytest.fixture
def getter_of(tmp_path: Path) -> Iterator["GetterOf"]:
    """Who asks a PACS at a port."""
    folder = tmp_path / "spool"
    folder.mkdir()
    with PacsThreads(1) as threads:
        turns = threads.turns(associations_max=1)
        spooling = Spooling(lambda: folder / uuid4().hex, threads.executor)

        def getter(port: int) -> Getter:
            requestor = PacsRequestor(
                Listener(host="127.0.0.1", port=port),
                called_ae="PACS",
                calling_ae="DRIMBOX",
                turns=turns,
                timeouts=SHORT,
                limits=LIMITS,
            )
            return Getter(folder, requestor, spooling)

        yield getter


GetterOf = Callable[[int], Getter]
