"""Moves that go through a mediator, from a PACS to an acceptor."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from gateway.dimse.commands import StoreRequest
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.turns import PacsThreads
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from simulators.imaging_centre.dimse import AS_REQUESTOR
from tests.integration.dimse.conftest import Receiver
from tests.integration.dimse.pacs import CT, Pacs, an_instance
from tests.support.arrivals import content_of

STUDY = Uid("1.2.3")
WHOLE = Resource(study=STUDY)


@dataclass
class Gateway:
    """A mediator behind an acceptor, a PACS, and an intake that takes what no move asked for."""

    mediator: MoveMediator
    pacs: Pacs
    requestor: PacsRequestor
    receiver: Receiver
    answered: list[int] = field(default_factory=list)

    async def store(self, request: StoreRequest) -> int:
        status = await self.mediator.offer(request)
        if status is None:
            status = await self.receiver.store(request)
        self.answered.append(status)
        return status

    async def moved(self, **what: Uid) -> list[str]:
        """Instances of a move, in order; their files are checked and removed."""
        async with self.mediator.move(self.requestor, Resource(study=STUDY, **what)) as arrivals:
            return [taken(arrival) async for arrival in arrivals]


def taken(arrival: StoreRequest) -> str:
    ds = dcmread(BytesIO(content_of(arrival)))
    assert arrival.sop_instance == ds.SOPInstanceUID
    arrival.spooled.unlink(missing_ok=True)
    return arrival.sop_instance


@pytest.fixture
async def gateway(receiver: Receiver) -> AsyncIterator[Gateway]:
    pacs = Pacs(instances=[an_instance(number) for number in range(1, 6)])
    with pacs.running(), PacsThreads(4) as pool:
        requestor = PacsRequestor(
            Listener(host="127.0.0.1", port=pacs.port),
            called_ae="PACS",
            calling_ae="DRIMBOX",
            turns=pool.turns(),
        )
        gateway = Gateway(
            MoveMediator(ae_title="DRIMBOX", moves_max=2, waiting_max=2), pacs, requestor, receiver
        )
        pacs.destination_port = await receiver.listen(store=gateway.store)
        yield gateway


def push(port: int, instance: Dataset, **originator) -> int:
    """Store an instance from outside any move."""
    ae = AE("PACS")
    ae.add_requested_context(CT, [ExplicitVRLittleEndian])
    association = ae.associate("127.0.0.1", port, evt_handlers=AS_REQUESTOR)
    status = int(association.send_c_store(instance, **originator).Status)
    association.release()
    return status
