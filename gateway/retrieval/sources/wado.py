"""Pulls by WADO-RS from a PACS that serves DICOMweb itself."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import uuid4

from gateway.dicomweb.client import DICOM, Retrieved, WadoClient
from gateway.dicomweb.part10 import FileHead, FileMeta
from gateway.dimse.arrivals import Arrivals
from gateway.dimse.commands import Peer, StoreRequest
from gateway.dimse.receiving import Spooling
from gateway.dimse.scu import SUCCESS, MoveOutcome
from gateway.dimse.spool import NO_ROOM, NoRoom, SpoolFile, file_header
from gateway.dimse.turns import Lane, PacsTurns
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    PacsIncomplete,
    PacsUnavailable,
    Unavailable,
)
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from indexer.framing.multipart import PartBegins, PartEnds

log = logging.getLogger(__name__)

WAITING_MAX: Final = 4
"""Instances of one pull that may wait for their reader."""
PARTS_MAX: Final = 100_000
"""Instances of one answer."""


class WadoPuller:
    """Pulls from one PACS (see `Puller`).

    Args:
        pacs_ae: what the PACS is called.
        turns: when it may be asked; who pulls is no other than who moves.
        spooling: where what comes is written.
        bytes_max: of one instance.
    """

    def __init__(
        self,
        client: WadoClient,
        *,
        pacs_ae: str,
        turns: PacsTurns,
        spooling: Spooling,
        bytes_max: int,
    ) -> None:
        self._client = client
        self._pacs_ae = pacs_ae
        self._turns = turns
        self._spooling = spooling
        self._bytes_max = bytes_max

    @asynccontextmanager
    async def open(
        self, wanted: Resource, *, lane: Lane
    ) -> AsyncIterator[AsyncIterator[StoreRequest]]:
        """Have it send (see `Puller.open`)."""
        arrivals = Arrivals(waiting_max=WAITING_MAX)
        asking = asyncio.create_task(self._ask(wanted, lane, arrivals))
        try:
            yield arrivals
        finally:
            arrivals.close()
            asking.cancel()
            await asyncio.wait({asking})

    async def _ask(self, wanted: Resource, lane: Lane, arrivals: Arrivals) -> None:
        outcome: MoveOutcome | PacsUnavailable = _outcome(0)
        try:
            async with self._turns.turn(lane), self._client.retrieve(wanted) as retrieved:
                outcome = _outcome(await self._take_parts(retrieved, arrivals))
                if retrieved.is_partial:
                    outcome = PacsIncomplete("the PACS could not send some instances")
        except NotFound:  # as by C-MOVE, which then sends nothing
            pass
        except PacsUnavailable as error:
            outcome = error
        except GatewayError as error:
            retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else None
            outcome = PacsUnavailable(f"the PACS {error}", retry_after_s=retry_after_s)
        except Exception:  # a bug of ours must not leave the reader waiting
            log.exception("pull_failed")
            outcome = PacsUnavailable("the pull failed")
        arrivals.finish(outcome)

    async def _take_parts(self, retrieved: Retrieved, arrivals: Arrivals) -> int:
        """How many instances came."""
        count, part = 0, _Part(self._spooling, self._bytes_max)
        try:
            async for event in retrieved.events():
                if isinstance(event, PartBegins):
                    if count == PARTS_MAX:
                        raise PacsUnavailable("the PACS sends more instances than any study has")
                    count += 1
                    if event.content_type.kind not in ("", DICOM):
                        raise PacsUnavailable("the PACS sends what is no instance")
                elif isinstance(event, PartEnds):
                    await arrivals.take(await part.finish(self._pacs_ae))
                    part.discard()
                    part = _Part(self._spooling, self._bytes_max)
                else:
                    await part.write(event)
        except NoRoom:
            raise PacsUnavailable(NO_ROOM) from None
        except InvalidRequest as error:
            raise PacsUnavailable(f"the PACS sends what cannot be read: {error}") from None
        finally:
            part.discard()
        return count


class _Part:
    """An instance on its way into the spool."""

    def __init__(self, spooling: Spooling, bytes_max: int) -> None:
        self._spooling = spooling
        self._bytes_max = bytes_max
        self._head = FileHead()
        self._meta: FileMeta | None = None
        self._file: SpoolFile | None = None

    async def write(self, data: memoryview) -> None:
        """Take some of the file.

        Raises:
            InvalidRequest: it is no DICOM file.
            NoRoom: it is too long, or the disk refused it.
        """
        if self._file is None:
            head = self._head.feed(data)
            if head is None:
                return
            self._meta, begun = head
            self._file = self._open(self._meta)
            data = memoryview(begun)
        await self._file.write(data)

    async def finish(self, pacs_ae: str) -> StoreRequest:
        """The file is whole.

        Raises:
            InvalidRequest: it ends within its head.
            NoRoom: the disk refused it.
        """
        if self._file is None or self._meta is None:
            raise InvalidRequest("an instance ends within its head")
        return StoreRequest(
            peer=Peer(calling_ae=pacs_ae, called_ae="", address=""),
            sop_class=self._meta.sop_class,
            sop_instance=self._meta.instance,
            transfer_syntax=self._meta.transfer_syntax,
            spooled=self._file.path,
            file=self._file,
        )

    def discard(self) -> None:
        """Remove what nobody took."""
        if self._file is not None:
            self._file.discard()

    def _open(self, meta: FileMeta) -> SpoolFile:
        header = file_header(
            sop_class=meta.sop_class,
            sop_instance=meta.instance,
            transfer_syntax=meta.transfer_syntax,
        )
        return SpoolFile(
            self._spooling.new_path(), header, self._spooling.executor, bytes_max=self._bytes_max
        )


async def try_wado(client: WadoClient) -> bool:
    """Find out whether a PACS would give instances, by asking for a study that is nobody's.

    Returns:
        whether the address is that of its services: it may be another's, which has no study.

    Raises:
        GatewayError: it would not; the message says why, after its name.
    """
    nobodys = Uid(f"2.25.{uuid4().int}")
    with suppress(NotFound):
        async with client.retrieve(Resource(study=nobodys)):
            pass
    return await client.answers_searches(nobodys)


def _outcome(count: int) -> MoveOutcome:
    return MoveOutcome(status=SUCCESS, completed=count, failed=0, warning=0)
