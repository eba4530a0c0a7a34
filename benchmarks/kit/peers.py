"""What serves images while it is measured: our gateway, and beside it Orthanc and nginx.

Each is a process of its own, as it is run by whoever installs it, and holds the same files. Ours
has its default settings, in open access. `python -m benchmarks` goes into a network of its own
first, where loopback is all there is: Orthanc listens on every interface.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from benchmarks.kit.processes import cpu_seconds, resident_bytes
from tests.support.peers import orthanc_plugin, peer
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import NO_DELAY, a_gateway, an_nginx, an_orthanc

SENDER: Final = "BENCHMARK"
"""AE title of whoever fills the servers."""
DICOMWEB: Final = "/dicom-web"
AS_STORED: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_SENT_TOGETHER: Final = 1000  # files in one command
_WITHIN_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    name: str
    port: int
    """Of HTTP."""
    pid: int
    dicom: tuple[str, int] | None = None
    """AE title and port; None where it does not speak DICOM."""
    mllp: int | None = None
    """Port where it hears HL7; None where it does not."""
    served: Path | None = None
    """The folder whose files it gives, where it gives files."""

    def cpu_seconds(self) -> float:
        """CPU of its process and of all that it started, so far."""
        return cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Memory of its first process that is resident now."""
        return resident_bytes(self.pid)

    def get(self, path: str, accept: str = AS_STORED) -> tuple[str, bytes]:
        """Content-Type and body of one answer, which is 200."""
        connection = HTTPConnection(HOST, self.port, timeout=_WITHIN_S)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, f"{self.name} answered {answer.status}: {body[:200]!r}"
            return answer.getheader("Content-Type", ""), body
        finally:
            connection.close()

    def store(self, files: Sequence[Path]) -> None:
        """Have it take these instances by C-STORE, one association after the other."""
        assert self.dicom is not None, f"{self.name} does not speak DICOM"
        title, port = self.dicom
        options = ["-aet", SENDER, "-aec", title, "--decompress-never", HOST, str(port)]
        for at in range(0, len(files), _SENT_TOGETHER):
            sent = subprocess.run(
                [peer("dcmsend"), *options, *files[at : at + _SENT_TOGETHER]],
                env=os.environ | NO_DELAY,
                capture_output=True,
                text=True,
                timeout=_WITHIN_S,
                check=False,
            )
            assert sent.returncode == 0, f"{self.name} did not take all: {sent.stderr[-500:]}"


@contextmanager
def our_gateway(
    folder: Path, *, settings: Mapping[str, str] | None = None, dicom: int | None = None
) -> Iterator[Server]:
    """Our own, which holds nothing yet, until the block ends.

    Args:
        settings: of the environment, where a benchmark is about other than the default ones.
        dicom: its DICOM port, where a peer must know it beforehand.
    """
    with a_gateway(folder, settings=settings, dicom=dicom) as running:
        yield Server(
            name="gateway",
            port=running.http,
            pid=running.program.pid,
            dicom=("DRIMBOX", running.dicom),
            mllp=running.mllp,
        )


@contextmanager
def orthanc(
    folder: Path,
    *,
    options: Mapping[str, object] | None = None,
    modalities: Mapping[str, tuple[str, int]] | None = None,
) -> Iterator[Server]:
    """Orthanc with its DICOMweb, which holds nothing yet, until the block ends.

    Args:
        modalities: AE title and port of whom else it knows, by its own name for each.
        options: of its configuration, beside those that are set here.
    """
    configured = {
        "Plugins": [str(orthanc_plugin("DicomWeb"))],
        "DicomWeb": {
            "Enable": True,
            "Root": f"{DICOMWEB}/",
            "StudiesMetadata": "Full",
            "SeriesMetadata": "Full",
        },
    }
    known = {"benchmark": (SENDER, free_port()), **(modalities or {})}
    with an_orthanc(folder, modalities=known, options=configured | {**(options or {})}) as run:
        yield Server(
            name="orthanc", port=run.http, pid=run.program.pid, dicom=("ORTHANC", run.dicom)
        )


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """An nginx that gives what is put into its `served`, until the block ends."""
    with an_nginx(folder) as running:
        yield Server(
            name="nginx", port=running.http, pid=running.program.pid, served=running.served
        )
