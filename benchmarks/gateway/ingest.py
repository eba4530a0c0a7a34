"""How many instances a second are taken in by C-STORE, beside Orthanc and DCMTK's storescp.

Ours are durable and in the index when they are acknowledged. Orthanc has its own settings, by which
it does not wait for the disk, and storescp keeps no index and does not either. Each turn has a
server of its own that holds nothing; the senders share the processors with it.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection
from typing import Final

from benchmarks.kit.ct import save_ct
from benchmarks.kit.folders import let_go
from benchmarks.kit.peers import Server, orthanc, our_gateway
from benchmarks.kit.results import Spread
from benchmarks.kit.sending import Sent, send
from tests.support.peers import peer
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import NO_DELAY

ASSOCIATIONS: Final = (1, 4)
_STARTS_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    instances: int = 200
    """Of each of four studies, which go on one association, or each on its own."""
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """So many associations, and what each server did in each round."""

    associations: int
    turns: dict[str, list[Sent]] = field(default_factory=dict)

    def line(self) -> str:
        """For a person to read."""
        told = {name: Spread.of([one.rate for one in sent]) for name, sent in self.turns.items()}
        rates = ", ".join(f"{name} {rate}/s" for name, rate in told.items())
        ratios = ", ".join(f"{self.ratio(name)} x {name}" for name in told if name != "gateway")
        return f"{self.associations} associations: {rates}; {ratios}"

    def ratio(self, name: str) -> Spread:
        """Our rate over another's, round by round."""
        pairs = zip(self.turns["gateway"], self.turns[name], strict=True)
        return Spread.of([ours.rate / its.rate for ours, its in pairs])

    def figures(self) -> dict[str, object]:
        """To be kept."""
        others = [name for name in self.turns if name != "gateway"]
        return {
            "associations": self.associations,
            "rate_ratio": {name: self.ratio(name) for name in others},
            "per_second": {
                name: Spread.of([one.rate for one in sent]) for name, sent in self.turns.items()
            },
            "cpu_ms": {
                name: Spread.of([one.cpu_ms for one in sent]) for name, sent in self.turns.items()
            },
            "turns": self.turns,
        }


def measure(plan: Plan) -> Iterator[Ingest]:
    """Every number of associations, every server, taking turns."""
    with tempfile.TemporaryDirectory(prefix="drim-benchmark-") as folder:
        studies = [
            save_ct(Path(folder) / f"study-{number}", number=number, instances=plan.instances).files
            for number in range(max(ASSOCIATIONS))
        ]
        for associations in ASSOCIATIONS:
            together = [[one for files in studies for one in files]]
            batches = together if associations == 1 else studies
            measured = Ingest(associations=associations)
            for _ in range(plan.rounds):
                for name, start in SERVERS.items():
                    turn = _turn(start, batches, Path(tempfile.mkdtemp(dir=folder)))
                    measured.turns.setdefault(name, []).append(turn)
            yield measured


Start = Callable[[Path], AbstractContextManager[Server]]


def _turn(start: Start, batches: Sequence[Sequence[Path]], folder: Path) -> Sent:
    try:
        with start(folder) as server:
            return send(server, batches)
    finally:
        let_go(folder)


@contextmanager
def storescp(folder: Path, *, title: str = "STORESCP", port: int = 0) -> Iterator[Server]:
    """DCMTK's storescp, which writes each instance as it comes, until the block ends."""
    received, port = folder / "received", port or free_port()
    received.mkdir()
    command = [str(peer("storescp")), "--fork", "+B", "-aet", title, "-od", str(received)]
    process = subprocess.Popen(
        [*command, "--max-pdu", "131072", str(port)],
        env=NO_DELAY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_listener(port)
        yield Server(name="storescp", port=0, pid=process.pid, dicom=(title, port), served=received)
    finally:
        process.terminate()
        process.wait()


def _await_listener(port: int) -> None:
    given_up_at = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            create_connection((HOST, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < given_up_at, "storescp does not listen"
            time.sleep(0.05)
        else:
            return


SERVERS: Final[dict[str, Start]] = {
    "gateway": our_gateway,
    "orthanc": orthanc,
    "storescp": storescp,
}
