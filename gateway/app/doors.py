"""Opens the doors by which a centre tells of studies beside DICOM: HL7 and the web."""

from ssl import SSLContext
from zoneinfo import ZoneInfo

from starlette.routing import Route

from gateway.app.parts import Parts
from gateway.hl7.mllp import MllpLimits, MllpServer
from gateway.intake.assembler import Assembler
from gateway.intake.hl7_door import Hl7Door
from gateway.intake.instances import InstanceIntake
from gateway.intake.stow import StowDoor
from gateway.intake.stow_routes import stow_routes
from gateway.retrieval.routes import STUDIES
from gateway.settings import MIB


async def listen_mllp(parts: Parts, assembler: Assembler) -> tuple[int, int | None]:
    """The port without TLS, and the one with it, where one is set."""
    settings = parts.settings
    door = Hl7Door(assembler, ZoneInfo(settings.time_zone))
    limits = MllpLimits(
        message_bytes_max=settings.message_mib_max * MIB,
        connections_max=settings.hl7_connections_max,
    )

    async def listen(port: int, tls: SSLContext | None) -> int:
        server = await MllpServer.start(
            settings.bind,
            port,
            handle=door.handle,
            admits=parts.policy.admits_sender,
            limits=limits,
            tls=tls,
        )
        parts.stack.push_async_callback(server.close)
        return server.port

    plain = await listen(settings.mllp_port, None)
    tls = settings.tls_context()
    if settings.mllp_tls_port is None or tls is None:
        return plain, None
    return plain, await listen(settings.mllp_tls_port, tls)


def store_routes(parts: Parts, assembler: Assembler) -> list[Route]:
    """Where instances are pushed to over the web."""
    settings = parts.settings
    door = StowDoor(
        InstanceIntake(assembler, parts.objects),
        spool=parts.objects.new_spool,
        instance_bytes_max=settings.instance_mib_max * MIB,
    )
    parts.stack.callback(door.close)
    return stow_routes(parts.policy, door, studies=STUDIES)
