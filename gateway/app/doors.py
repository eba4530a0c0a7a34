"""Opens the doors by which a centre tells of studies: DICOM, HL7 and the web."""

from typing import Final
from zoneinfo import ZoneInfo

from starlette.routing import Route

from gateway.app.parts import MIB, Parts
from gateway.dimse.acceptor import DimseServer
from gateway.dimse.commands import Peer
from gateway.dimse.limits import DimseLimits
from gateway.dimse.provider import Handlers
from gateway.dimse.statuses import RejectReason
from gateway.hl7.mllp import MllpLimits, MllpServer
from gateway.intake.assembler import Assembler
from gateway.intake.dimse_door import DimseDoor
from gateway.intake.hl7_door import Hl7Door
from gateway.intake.instances import InstanceIntake
from gateway.intake.stow import StowDoor
from gateway.intake.stow_routes import stow_routes
from gateway.retrieval.routes import STUDIES

DIMSE_GRACE_S: Final = 5.0
"""How long messages under way have to end when the gateway stops."""


async def listen_dicom(parts: Parts, assembler: Assembler) -> DimseServer:
    settings = parts.settings

    def admits(peer: Peer) -> RejectReason | None:
        if peer.called_ae != settings.ae_title:
            return RejectReason.CALLED_AE_NOT_RECOGNISED
        if not parts.policy.admits_association(peer.calling_ae, peer.address):
            return RejectReason.CALLING_AE_NOT_RECOGNISED
        return None

    door = DimseDoor(assembler, parts.objects, offer=parts.mediator.offer)
    server = await DimseServer.start(
        settings.bind,
        settings.dicom_port,
        handlers=Handlers(store=door.store, n_create=door.n_create),
        admits=admits,
        spool=parts.objects.new_spool,
        limits=DimseLimits(
            associations_max=settings.associations_max,
            message_bytes_max=settings.instance_mib_max * MIB,
        ),
    )
    parts.stack.push_async_callback(server.close, grace_s=DIMSE_GRACE_S)
    return server


async def listen_mllp(parts: Parts, assembler: Assembler) -> MllpServer:
    settings = parts.settings
    door = Hl7Door(assembler, ZoneInfo(settings.time_zone))
    server = await MllpServer.start(
        settings.bind,
        settings.mllp_port,
        handle=door.handle,
        admits=parts.policy.admits_sender,
        limits=MllpLimits(
            message_bytes_max=settings.message_mib_max * MIB,
            connections_max=settings.hl7_connections_max,
        ),
    )
    parts.stack.push_async_callback(server.close)
    return server


def store_routes(parts: Parts, assembler: Assembler) -> list[Route]:
    """Where instances are pushed to over the web."""
    settings = parts.settings
    door = StowDoor(
        InstanceIntake(assembler, parts.objects),
        spool=parts.objects.new_spool,
        instance_bytes_max=settings.instance_mib_max * MIB,
    )
    parts.stack.callback(door.close)
    studies_url = f"{settings.base_url}{STUDIES}"
    return stow_routes(parts.policy, door, studies=STUDIES, studies_url=studies_url)
