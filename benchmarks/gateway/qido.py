"""How fast studies are found: beside Orthanc, and as the archive of the gateway grows.

Each server holds the same studies. They are asked in turn for the studies of a patient by
QIDO-RS, each request another patient, on connections that are kept.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.gateway.archive import STUDIES_OF, fill, patient_of, save
from benchmarks.kit.driver import Driven, drive
from benchmarks.kit.peers import DICOMWEB, Server, orthanc, our_gateway
from benchmarks.kit.results import Spread, quantile
from gateway.serving import loop_factory

_STRIDE: Final = 7919 * STUDIES_OF
"""A prime number of patients: those who are asked for one after the other are nowhere near."""
_JSON: Final = "application/dicom+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    studies: int = 20_000
    """Of each server that is compared."""
    sizes: Sequence[int] = (10_000, 1_000_000)
    """Of the gateway alone, from few to many."""
    searches: int = 2000
    """Of the gateway, in each round."""
    peer_searches: int = 100
    """Of Orthanc, which is slower."""
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of one server's searches by so many clients."""

    server: str
    clients: int
    per_s: Spread
    p50_ms: Spread
    p99_ms: Spread
    cpu_ms: Spread
    """Of the server, for one search."""

    def line(self) -> str:
        """What matters most, for a person."""
        return (
            f"{self.server}, {self.clients} at once: {self.per_s} /s, p50 {self.p50_ms} ms,"
            f" p99 {self.p99_ms} ms, {self.cpu_ms} ms of CPU each"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The gateway and Orthanc at the same studies, by as many clients."""

    gateway: Asked
    orthanc: Asked
    ratio: Spread
    """Searches a second, the gateway's to Orthanc's in the same round."""

    def line(self) -> str:
        """What matters most, for a person."""
        return f"{self.gateway.line()}\n{self.orthanc.line()}\n  {self.ratio} times"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The gateway, one client, at one size of archive."""

    studies: int
    asked: Asked

    def line(self) -> str:
        """What matters most, for a person."""
        return f"{self.studies} studies: {self.asked.line()}"


def compare(plan: Plan) -> Iterator[Compared]:
    """One client, and then eight."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drim-benchmark-")))
        peer = stack.enter_context(orthanc(folder))
        peer.store(save(folder / "files", plan.studies))
        ours = stack.enter_context(_filled(folder, plan.studies))
        for clients in (1, 8):
            turns = [
                (
                    _ask(ours, plan.studies, plan.searches, clients),
                    _ask(peer, plan.studies, plan.peer_searches, clients),
                )
                for _ in range(plan.rounds)
            ]
            yield Compared(
                gateway=_asked("gateway", clients, [one for one, _ in turns]),
                orthanc=_asked("orthanc", clients, [one for _, one in turns]),
                ratio=Spread.of([one.per_s / other.per_s for one, other in turns]),
            )


def grow(plan: Plan) -> Iterator[Size]:
    """Archives from small to large, which are asked in turn, so that both meet the same machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drim-benchmark-")))
        servers = [
            (size, stack.enter_context(_filled(folder / str(size), size))) for size in plan.sizes
        ]
        rounds: dict[int, list[_Turn]] = {size: [] for size in plan.sizes}
        for _ in range(plan.rounds):
            for size, server in servers:
                rounds[size].append(_ask(server, size, plan.searches, clients=1))
        for size, turns in rounds.items():
            yield Size(studies=size, asked=_asked("gateway", 1, turns))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    driven: Driven
    cpu_seconds: float

    @property
    def per_s(self) -> float:
        return len(self.driven.latencies_s) / self.driven.seconds


@contextmanager
def _filled(folder: Path, studies: int) -> Iterator[Server]:
    data_dir = folder / "gateway"
    data_dir.mkdir(parents=True)
    asyncio.run(fill(data_dir, studies))
    with our_gateway(folder) as server:
        yield server


def _ask(server: Server, studies: int, searches: int, clients: int) -> _Turn:
    requests = [_request(at * _STRIDE % studies) for at in range(searches)]
    before = server.cpu_seconds()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        driven = runner.run(
            drive(server.port, iter(requests), connections=clients, is_answer=_finds)
        )
    return _Turn(driven=driven, cpu_seconds=server.cpu_seconds() - before)


def _request(number: int) -> bytes:
    path = f"{DICOMWEB}/studies?PatientID={patient_of(number)}"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {_JSON}\r\n\r\n".encode()


def _finds(answer: bytes) -> bool:
    """Whether a patient's studies are in it, by their unique ids."""
    return answer.count(b'"0020000D"') == STUDIES_OF


def _asked(server: str, clients: int, turns: Sequence[_Turn]) -> Asked:
    latencies = [one.driven.latencies_s for one in turns]
    return Asked(
        server=server,
        clients=clients,
        per_s=Spread.of([one.per_s for one in turns]),
        p50_ms=Spread.of([quantile(one, 0.5) * 1000 for one in latencies]),
        p99_ms=Spread.of([quantile(one, 0.99) * 1000 for one in latencies]),
        cpu_ms=Spread.of([one.cpu_seconds / len(one.driven.latencies_s) * 1000 for one in turns]),
    )
