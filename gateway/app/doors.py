"""Opens the doors by which a centre tells of studies: DICOM and HL7."""

from typing import Final
from zoneinfo import ZoneInfo

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
    door = Hl7Door(assembler.report_received, ZoneInfo(settings.time_zone))
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
