"""Opens the DICOM doors: storage, notifications, procedure steps, storage commitment; with TLS."""

from dataclasses import dataclass
from random import random
from typing import Final

from gateway.app.parts import Parts, listener_of
from gateway.dimse.acceptor import DimseServer
from gateway.dimse.commands import Peer
from gateway.dimse.limits import DimseLimits
from gateway.dimse.provider import Handlers
from gateway.dimse.statuses import RejectReason
from gateway.intake.assembler import Assembler
from gateway.intake.commitments import Commitment, Commitments, tell_peers
from gateway.intake.dimse_door import DimseDoor
from gateway.intake.instances import InstanceIntake
from gateway.intake.procedure_steps import ProcedureSteps
from gateway.lifecycle import workers
from gateway.publication.backoff import retry_delay_s
from gateway.publication.worker import DueWorker
from gateway.settings import MIB, DicomPeer

GRACE_S: Final = 5.0
"""How long messages under way have to end when the gateway stops."""
TOLD_TOGETHER_MAX: Final = 2
"""Results of storage commitments told on new associations at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomPorts:
    """Where DICOM is listened for."""

    plain: int
    tls: int | None
    """None where no certificate is set."""


async def listen_dicom(parts: Parts, assembler: Assembler) -> DicomPorts:
    settings = parts.settings

    def admits(peer: Peer) -> RejectReason | None:
        if peer.called_ae != settings.ae_title:
            return RejectReason.CALLED_AE_NOT_RECOGNISED
        if not parts.policy.admits_association(peer.calling_ae, peer.address):
            return RejectReason.CALLING_AE_NOT_RECOGNISED
        return None

    commitments = await _commitments(parts)
    steps = ProcedureSteps(parts.database, assembler, clock=parts.clock)
    door = DimseDoor(
        assembler,
        InstanceIntake(assembler, parts.objects),
        steps=steps,
        offer=parts.mediator.offer,
    )
    server = await DimseServer.start(
        settings.bind,
        settings.dicom_port,
        handlers=Handlers(
            store=door.store, n_create=door.n_create, n_set=steps.set, n_action=commitments.ask
        ),
        admits=admits,
        spool=parts.objects.new_spool,
        limits=DimseLimits(
            associations_max=settings.associations_max,
            message_bytes_max=settings.instance_mib_max * MIB,
        ),
    )
    parts.stack.push_async_callback(server.close, grace_s=GRACE_S)
    context = settings.tls_context()
    if context is None:
        return DicomPorts(plain=server.port, tls=None)
    tls = server.listen(settings.bind, settings.dicom_tls_port, tls=context)
    return DicomPorts(plain=server.port, tls=tls)


async def _commitments(parts: Parts) -> Commitments:
    settings = parts.settings
    # Where one is named twice, the place that is set for results holds.
    peers: tuple[DicomPeer, ...] = (*settings.pacs, *settings.commitment_peers)
    listening = {one.ae_title: listener_of(settings, one) for one in peers}
    commitments = Commitments(
        parts.database,
        parts.objects,
        tell=tell_peers(listening, calling_ae=settings.ae_title),
        delay_s=lambda attempts: retry_delay_s(attempts, asked_s=None, draw=random()),
        on_due=lambda: worker.wake(),
        clock=parts.clock,
    )
    worker = DueWorker[Commitment](
        "commitment",
        claim=commitments.claim,
        handle=commitments.handle,
        next_due_at_ms=commitments.next_due_at_ms,
        clock=parts.clock,
        together=TOLD_TOGETHER_MAX,
    )
    await parts.stack.enter_async_context(workers(worker.run()))
    return commitments
