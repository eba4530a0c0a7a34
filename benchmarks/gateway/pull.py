"""How fast a study comes from Orthanc as PACS to a viewer, beside DCMTK's pull of the same study.

Ours comes through the gateway, by C-MOVE, C-GET or WADO-RS, checked on its way, to the last byte at
curl; DCMTK's comes into files, by movescu to a storescp, or by getscu. Each turn of ours has a
gateway that has pulled another small study before and holds nothing of this one, so that nothing
comes from copies that it keeps.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from benchmarks.gateway.ingest import storescp
from benchmarks.kit.ct import StudyFiles, save_ct
from benchmarks.kit.fetching import fetch
from benchmarks.kit.folders import let_go
from benchmarks.kit.peers import AS_STORED, DICOMWEB, SENDER, Server, orthanc, our_gateway
from benchmarks.kit.results import Spread
from simulators.imaging_centre import mllp
from simulators.imaging_centre.ris import build_message
from simulators.synthetic.identity import ACCESSION_ISSUER, PATIENT_ID_ISSUER
from tests.support.peers import peer
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import NO_DELAY

WAYS: Final = ("move", "get", "wado")
_PEER_OF: Final = {"move": "movescu", "get": "getscu"}
_TITLE: Final = "STORESCP"
_WITHIN_S: Final = 120.0
_LOOK_EVERY_S: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    instances: int = 200
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One pull of the study."""

    rate: float
    """Instances a second, to the last of them."""
    first_ms: float
    """To the first byte of the first; of DCMTK, to the first file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One way to pull, and what each side did in each round."""

    way: str
    ours: list[Turn] = field(default_factory=list)
    dcmtk: list[Turn] = field(default_factory=list)

    def line(self) -> str:
        """For a person to read."""
        told = self.figures()
        line = f"{self.way}: {told['ours_per_second']}/s, first after {told['ours_first_ms']} ms"
        if self.dcmtk:
            line += f"; {told['rate_ratio']} x {_PEER_OF[self.way]}"
            line += f", first after {told['first_ratio']} x its time"
        return line

    def figures(self) -> dict[str, object]:
        """To be kept."""
        pairs = list(zip(self.ours, self.dcmtk, strict=True)) if self.dcmtk else []
        compared = (
            {
                "rate_ratio": Spread.of([ours.rate / its.rate for ours, its in pairs]),
                "first_ratio": Spread.of([ours.first_ms / its.first_ms for ours, its in pairs]),
                "dcmtk_per_second": Spread.of([one.rate for one in self.dcmtk]),
                "dcmtk_first_ms": Spread.of([one.first_ms for one in self.dcmtk]),
            }
            if pairs
            else {}
        )
        return {
            "way": self.way,
            "ours_per_second": Spread.of([one.rate for one in self.ours]),
            "ours_first_ms": Spread.of([one.first_ms for one in self.ours]),
            **compared,
            "turns": {"ours": self.ours, "dcmtk": self.dcmtk},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pacs:
    server: Server
    study: StudyFiles
    small: StudyFiles
    """Another one, by which a gateway is warmed up."""
    gateway_port: int
    storescp_port: int
    folder: Path
    """For what comes."""

    @contextmanager
    def turn(self) -> Iterator[Path]:
        """A folder for one turn."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield folder
        finally:
            let_go(folder)


def measure(plan: Plan) -> Iterator[Pull]:
    """Every way, ours and DCMTK's in turn."""
    with _pacs(plan) as pacs:
        for way in WAYS:
            measured = Pull(way=way)
            for _ in range(plan.rounds):
                measured.ours.append(_ours(pacs, way))
                if way in _PEER_OF:
                    measured.dcmtk.append(_dcmtk(pacs, way))
            yield measured


@contextmanager
def _pacs(plan: Plan) -> Iterator[_Pacs]:
    gateway_port, storescp_port = free_port(), free_port()
    known = {"gateway": ("DRIMBOX", gateway_port), "files": (_TITLE, storescp_port)}
    with tempfile.TemporaryDirectory(prefix="drim-benchmark-") as name:
        folder = Path(name)
        study = save_ct(folder / "study", instances=plan.instances)
        small = save_ct(folder / "small", number=1, instances=2)
        with orthanc(folder, modalities=known) as server:
            server.store([*study.files, *small.files])
            yield _Pacs(
                server=server,
                study=study,
                small=small,
                gateway_port=gateway_port,
                storescp_port=storescp_port,
                folder=folder,
            )


def _ours(pacs: _Pacs, way: str) -> Turn:
    assert pacs.server.dicom is not None
    title, port = pacs.server.dicom
    told = {
        "ae_title": title, "host": HOST, "port": port, "retrieve": way,
        "wado_url": f"http://{HOST}:{pacs.server.port}{DICOMWEB}",
        "patient_id_issuer": PATIENT_ID_ISSUER, "accession_issuer": ACCESSION_ISSUER,
    }  # fmt: skip
    settings = {"GATEWAY_PACS": json.dumps([told])}
    with (
        pacs.turn() as folder,
        our_gateway(folder, settings=settings, dicom=pacs.gateway_port) as server,
    ):
        _tell(server, pacs.small)
        fetch(server, [f"{DICOMWEB}/studies/{pacs.small.uid}"], accept=AS_STORED)
        _tell(server, pacs.study)
        path = f"{DICOMWEB}/studies/{pacs.study.uid}"
        fetched = fetch(server, [path], accept=AS_STORED)
        least_bytes = sum(one.stat().st_size for one in pacs.study.files)
        assert fetched.sizes_bytes[0] >= least_bytes * 0.99, "not all of the study came"
        [first_s] = fetched.first_byte_s
        return Turn(rate=len(pacs.study.files) / fetched.seconds, first_ms=first_s * 1000)


def _tell(server: Server, study: StudyFiles) -> None:
    """Send the study's report, on which its PACS is asked, and wait until its images are known."""
    assert server.mllp is not None
    examination, given_up_at = study.examination, time.monotonic() + _WITHIN_S
    report = build_message(examination, sent_at=examination.started_at)
    asyncio.run(mllp.send(report, HOST, server.mllp))
    while len(_listed(server, f"{DICOMWEB}/studies/{study.uid}/series")) <= len("[]"):
        assert time.monotonic() < given_up_at, "the gateway does not learn of the study"
        time.sleep(0.05)


def _listed(server: Server, path: str) -> bytes:
    connection = HTTPConnection(HOST, server.port, timeout=_WITHIN_S)
    try:
        connection.request("GET", path, headers={"Accept": "application/dicom+json"})
        return connection.getresponse().read()
    finally:
        connection.close()


def _dcmtk(pacs: _Pacs, way: str) -> Turn:
    with pacs.turn() as folder:
        if way == "get":
            return _timed(pacs, ["getscu", "+B", "-aet", SENDER], into=folder)
        with storescp(folder, title=_TITLE, port=pacs.storescp_port) as server:
            assert server.served is not None
            return _timed(pacs, ["movescu", "-aet", SENDER, "-aem", _TITLE], into=server.served)


def _timed(pacs: _Pacs, command: list[str], *, into: Path) -> Turn:
    assert pacs.server.dicom is not None
    title, port = pacs.server.dicom
    program, *options = command
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={pacs.study.uid}"]
    first: list[float] = []
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK_EVERY_S):
            if any(into.iterdir()):
                first.append(time.perf_counter())
                return

    looking = threading.Thread(target=look)
    began = time.perf_counter()
    looking.start()
    try:
        done = subprocess.run(
            [peer(program), "-S", *options, "-aec", title, *keys, HOST, str(port)],
            env=_environment(),
            cwd=into,
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
        )
        seconds = time.perf_counter() - began
    finally:
        is_over.set()
        looking.join()
    assert done.returncode == 0, f"{program} failed: {done.stderr[-500:]!r}"
    count = len(list(into.iterdir()))
    assert count == len(pacs.study.files), f"{program} brought {count} instances"
    return Turn(rate=count / seconds, first_ms=(first[0] - began) * 1000)


def _environment() -> Mapping[str, str]:
    return os.environ | NO_DELAY
