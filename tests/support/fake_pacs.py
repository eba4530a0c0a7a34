"""A PACS at the level of the DIMSE kit's protocol, which a test commands; it really stores."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pydicom import dcmread

from gateway.catalogue.header import read_header
from gateway.dimse.commands import Peer, StoreRequest
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.scu import Find, MoveOutcome
from gateway.dimse.spool import SpoolFile
from gateway.dimse.turns import Lane
from gateway.errors import InvalidRequest, PacsUnavailable
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores
from tests.support.studies import CT

T = TypeVar("T")

PACS = "PACS"


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
        self.is_asked = asyncio.Event()
        self.lanes: list[str] = []
        """For whom it was asked, each time."""
        self.refuses: PacsUnavailable | None = None
        self._held_after: int | None = None
        self._goes_on = asyncio.Event()

    @property
    def called_ae(self) -> str:
        return PACS

    def hold_after(self, count: int) -> None:
        """Send no more than so many instances of a move, until `go_on`."""
        self._held_after = count

    def go_on(self) -> None:
        """Send the rest."""
        self._goes_on.set()

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
        self.lanes.append(lane.value)
        if self.refuses is not None:
            raise self.refuses
        try:
            return await self._move(wanted, destination_ae, message_id)
        except asyncio.CancelledError:
            self.was_left.set()
            raise

    async def _move(self, wanted: Resource, destination_ae: str, message_id: int) -> MoveOutcome:
        count = 0
        self.is_asked.set()
        for path in self.files[: len(self.files) - self.leaves_out]:
            if count == self.dies_after:
                raise PacsUnavailable("the association was aborted")
            if not _is_within(wanted, path):
                continue
            if count == self._held_after:
                await self._goes_on.wait()
            await self._store(path, destination_ae, message_id)
            count += 1
        return MoveOutcome(status=0, completed=count, failed=0, warning=0)

    async def _store(self, path: Path, originator_ae: str, message_id: int) -> None:
        spooled = self._stores.objects.new_spool()
        meta = dcmread(path, stop_before_pixels=True).file_meta
        with ThreadPoolExecutor(1) as writer:
            file = SpoolFile(spooled, b"", writer, bytes_max=2**30)
            request = StoreRequest(
                peer=Peer(calling_ae=PACS, called_ae=originator_ae, address="127.0.0.1"),
                sop_class=CT,
                sop_instance=Uid(meta.MediaStorageSOPInstanceUID),
                transfer_syntax=Uid(meta.TransferSyntaxUID),
                spooled=spooled,
                file=file,
                originator_ae=originator_ae,
                originator_message_id=message_id,
            )
            try:
                await file.write(memoryview(path.read_bytes()))
                self.spooled_max = max(self.spooled_max, len(list(spooled.parent.iterdir())))
                assert await self._mediator.offer(request) == 0
            finally:
                file.discard()
        self.sent += 1


def _is_within(wanted: Resource, path: Path) -> bool:
    """Whether the file was asked for; of one that cannot be read, a PACS would still know it."""
    try:
        header = read_header(path)
    except InvalidRequest:
        return True
    asked = (wanted.study, wanted.series, wanted.instance)
    told = (header.study, header.image.series, header.image.instance)
    return all(one in (None, found) for one, found in zip(asked, told, strict=True))
