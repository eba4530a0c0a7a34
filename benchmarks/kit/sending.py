"""Sends instances by C-STORE as modalities do, with DCMTK's dcmsend."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.kit.peers import SENDER, Server
from tests.support.peers import peer
from tests.support.program import HOST
from tests.support.programs import NO_DELAY

_WITHIN_S: Final = 600.0
_PDU_BYTES: Final = "131072"  # the longest that dcmsend knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of instances that were all answered with success."""

    rate: float
    """Instances a second, from the start of the first sender to the end of the last."""
    cpu_ms: float
    """Of the server, for one instance."""


def send(server: Server, batches: Sequence[Sequence[Path]]) -> Sent:
    """Send each batch on an association of its own, all at once.

    Raises:
        AssertionError: an instance was not taken.
    """
    assert server.dicom is not None, f"{server.name} does not speak DICOM"
    title, port = server.dicom
    command = [str(peer("dcmsend")), "-aet", SENDER, "-aec", title, "--decompress-never"]
    command += ["--no-uid-checks", "--max-send-pdu", _PDU_BYTES, HOST, str(port)]
    cpu_before, began = server.cpu_seconds(), time.perf_counter()
    running = [
        subprocess.Popen(
            command + [str(one) for one in files],
            env=os.environ | NO_DELAY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for files in batches
    ]
    told = [one.communicate(timeout=_WITHIN_S)[0] for one in running]
    seconds = time.perf_counter() - began
    for one, text in zip(running, told, strict=True):
        assert one.returncode == 0, f"{server.name} did not take all: {text[-500:]}"
    count = sum(map(len, batches))
    cpu = server.cpu_seconds() - cpu_before
    return Sent(rate=count / seconds, cpu_ms=cpu / count * 1000)
