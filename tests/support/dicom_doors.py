"""The DICOM doors on a real listener, with real stores and a clock that the test holds."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.dimse.acceptor import DimseServer
from gateway.dimse.provider import Handlers
from gateway.dimse.requesting import Listener
from gateway.intake.assembler import Assembler
from gateway.intake.commitments import Commitment, Commitments, tell_peers
from gateway.intake.dimse_door import DimseDoor
from gateway.intake.instances import InstanceIntake
from gateway.intake.procedure_steps import ProcedureSteps
from gateway.model.study import StudySnapshot
from gateway.publication.worker import DueWorker
from indexer.contract.identifiers import Uid
from simulators.imaging_centre.dimse import DicomAddress
from tests.support.gateway_stores import Stores, stores_in

HOST = "127.0.0.1"
RETRY_S = 60.0
"""Between two attempts to tell a commitment, whatever their number."""


@dataclass(frozen=True, kw_only=True)
class DicomDoors:
    """What a test sends to, and what is there afterwards."""

    stores: Stores
    address: DicomAddress
    worker: DueWorker[Commitment]

    async def told_of(self, study: str) -> StudySnapshot | None:
        """What is known of a study; None where nobody has spoken of it."""
        return await self.stores.database.read(
            lambda tx: self.stores.studies.snapshot(tx, Uid(study))
        )

    async def count(self, table: str) -> int:
        """Rows of a table."""
        [row] = await self.stores.database.read(
            lambda tx: tx.fetch(f"SELECT count(*) AS rows FROM {table}")
        )
        return int(row["rows"] or 0)

    def wait(self, seconds: float) -> None:
        """Let so much time pass on the clock that the test holds."""
        self.stores.clock.now_ms += int(seconds * 1000)
        self.worker.wake()


@asynccontextmanager
async def dicom_doors(
    folder: Path, *, listening: Mapping[str, Listener] | None = None
) -> AsyncIterator[DicomDoors]:
    """The doors at work.

    Args:
        listening: where those are told who ask for storage commitment, by AE title.
    """
    async with stores_in(folder) as stores:
        database, objects, clock = stores.database, stores.objects, stores.clock
        assembler = Assembler(
            database, stores.studies, objects, clock=clock, settle_ms=0, on_news=lambda: None
        )
        commitments = Commitments(
            database,
            objects,
            tell=tell_peers(listening or {}, calling_ae="DRIMBOX"),
            delay_s=lambda _attempts: RETRY_S,
            on_due=lambda: worker.wake(),
            clock=clock,
        )
        worker = DueWorker[Commitment](
            "commitment",
            claim=commitments.claim,
            handle=commitments.handle,
            next_due_at_ms=commitments.next_due_at_ms,
            clock=clock,
            together=2,
        )
        steps = ProcedureSteps(database, assembler, clock=clock)
        intake = InstanceIntake(assembler, objects)
        door = DimseDoor(assembler, intake, steps=steps, offer=_is_pushed)
        handlers = Handlers(
            store=door.store, n_create=door.n_create, n_set=steps.set, n_action=commitments.ask
        )
        server = await DimseServer.start(
            HOST, 0, handlers=handlers, admits=lambda _peer: None, spool=objects.new_spool
        )
        working = asyncio.create_task(worker.run())
        try:
            yield DicomDoors(
                stores=stores,
                address=DicomAddress("DRIMBOX", HOST, server.port),
                worker=worker,
            )
        finally:
            await server.close(grace_s=0)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


async def _is_pushed(_request: object) -> int | None:
    return None
