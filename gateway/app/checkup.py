"""Puts together what `drim-gateway check` looks at, and what `/health/ready` tells."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from gateway.app.index import index_probes
from gateway.app.machine import machine_probes, port_probes
from gateway.app.neighbours import (
    commitment_probes,
    database_probes,
    pacs_probes,
    sender_probes,
)
from gateway.app.parts import Parts, open_requestors
from gateway.catalogue.checks import Checks
from gateway.clock import system_clock
from gateway.errors import StorageUnavailable
from gateway.health import Check, Finding, Probe, Watch, examine
from gateway.security.policy import OpenAccess
from gateway.settings import Settings

PROBE_BYTES: Final = 64 * 1024
"""Written to find out whether the disk takes more; some instances are shorter."""


async def check(settings: Settings, *, open_access: bool) -> list[Finding]:
    """Look at everything that a gateway of these settings needs, whether it runs or not."""
    async with AsyncExitStack() as stack:
        probes: Mapping[str, Probe] = {
            **machine_probes(settings, system_clock),
            **database_probes(settings),
            **port_probes(settings),
            **sender_probes(settings, is_open=open_access),
            **pacs_probes(settings, open_requestors(stack, settings)),
            # Not by a gateway at work: a modality is not to be asked whenever somebody watches.
            **commitment_probes(settings),
            **index_probes(settings),
        }
        return await examine(probes)


def watch_of(parts: Parts) -> Watch:
    """What a gateway at work tells; that its ports are open is known."""
    probes: Mapping[str, Probe] = {
        **machine_probes(parts.settings, parts.clock),
        **sender_probes(parts.settings, is_open=isinstance(parts.policy, OpenAccess)),
        **pacs_probes(parts.settings, parts.requestors),
        **index_probes(parts.settings),
    }
    return Watch(probes, now_s=asyncio.get_running_loop().time)


def readiness(parts: Parts) -> dict[str, Check]:
    """What must be there for news to be taken: a database and a disk that are written to."""
    checks = Checks(parts.database.dialect)

    async def database() -> None:
        now_ms = parts.clock()
        await parts.database.write(lambda tx: checks.touch(tx, now_ms=now_ms))

    async def disk() -> None:
        await asyncio.to_thread(_write, parts)

    return {"database": database, "disk": disk}


def _write(parts: Parts) -> None:
    spooled = parts.objects.new_spool()
    try:
        with spooled.open("wb", buffering=0) as file:
            taken = file.write(bytes(PROBE_BYTES))
    except OSError as error:
        raise StorageUnavailable(f"the disk takes no file: {error.strerror}") from error
    finally:
        spooled.unlink(missing_ok=True)
    if taken < PROBE_BYTES:
        raise StorageUnavailable("the disk takes no file")
