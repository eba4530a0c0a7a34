"""How fast a study's bytes leave by WADO-RS, beside Orthanc and nginx in the same run.

All hold the same studies, nginx each as one file that is the body of our answer. The servers take
turns, so that a busy moment of the machine meets all of them; clients and servers share its cores.
What else is measured is how long a metadata request waits while studies go out: at ours, and at
nginx, which shows what the machine has it wait.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final

from benchmarks.index.filling import Tell
from benchmarks.kit.ct import StudyFiles, save_ct
from benchmarks.kit.driver import drive
from benchmarks.kit.fetching import Fetched, downloading, fetch
from benchmarks.kit.peers import AS_STORED, DICOMWEB, Server, nginx, orthanc, our_gateway
from benchmarks.kit.results import Spread, quantile
from gateway.serving import loop_factory
from simulators.synthetic.uids import uid_of
from tests.support.program import HOST

DOWNLOADS: Final = 10
"""Running while metadata is asked for."""
RATE_BYTES: Final = 100_000_000 // 8
"""A second, of each: the line of a viewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    studies: int = 20
    """More than one server would keep in memory of what it gave last."""
    instances: int = 200
    clients: Sequence[int] = (1, 4, 16)
    fetches: int = 32
    """Studies fetched by all clients of a turn together."""
    rounds: int = 5
    metadata: int = 2000
    """Requests for metadata of one instance, idle and under load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The turns of all servers with so many clients, by their names."""

    clients: int
    turns: dict[str, list[Fetched]]

    def figures(self) -> dict[str, object]:
        """The spread of each server, and the ratios of ours to the others in each round."""
        told: dict[str, object] = {"clients": self.clients}
        for name, turns in self.turns.items():
            told[name] = {
                "mib_per_s": Spread.of([one.mib_per_s for one in turns]),
                "cpu_s_per_gib": Spread.of([one.cpu_s_per_gib for one in turns]),
                "first_byte_ms": Spread.of([_first_byte_ms(one) for one in turns]),
            }
        for name in ("orthanc", "nginx"):
            pairs = list(zip(self.turns["gateway"], self.turns[name], strict=True))
            told[f"rate_to_{name}"] = Spread.of([a.mib_per_s / b.mib_per_s for a, b in pairs])
            # By the turns together: CPU is counted in steps, of which nginx takes few.
            ours, theirs = (sum(pair[side].cpu_seconds for pair in pairs) for side in (0, 1))
            told[f"cpu_to_{name}"] = round(ours / theirs, 3) if theirs else None
        return told

    def line(self) -> str:
        """What matters most, for a person."""
        told = self.figures()
        servers = "; ".join(
            f"{name} {Spread.of([one.mib_per_s for one in turns])} MiB/s,"
            f" {Spread.of([one.cpu_s_per_gib for one in turns])} CPU s/GiB"
            for name, turns in self.turns.items()
        )
        return (
            f"{self.clients} clients: {servers}. To Orthanc: rate {told['rate_to_orthanc']},"
            f" CPU {told['cpu_to_orthanc']}; to nginx: rate {told['rate_to_nginx']}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """p99 of a metadata request in ms: idle, and while studies go out; in each round."""

    idle: list[float]
    by_lines: list[float]
    """While each download has the rate of a viewer's line."""
    unbounded: list[float]
    """While they take all that the machine gives."""

    def figures(self) -> dict[str, object]:
        """To be kept."""
        by_lines, unbounded = self._to_idle(self.by_lines), self._to_idle(self.unbounded)
        return {"p99_ms": self, "by_lines_to_idle": by_lines, "unbounded_to_idle": unbounded}

    def line(self) -> str:
        """For a person."""
        return (
            f"p99 idle {Spread.of(self.idle)} ms, with {DOWNLOADS} downloads at 100 Mbit/s"
            f" {self._to_idle(self.by_lines)} times that, unbounded"
            f" {self._to_idle(self.unbounded)} times"
        )

    def _to_idle(self, waits: Sequence[float]) -> Spread:
        return Spread.of([one / idle for one, idle in zip(waits, self.idle, strict=True)])


def measure(plan: Plan, *, tell: Tell) -> tuple[list[Load], dict[str, Waits]]:
    """Every number of clients, and the waits of ours and of nginx."""
    folder = Path(tempfile.mkdtemp(prefix="drim-benchmark-"))
    try:
        with ExitStack() as stack:
            servers = _servers(stack, folder)
            studies = list(_filled(plan, servers, folder, tell))
            paths = [f"{DICOMWEB}/studies/{one.uid}" for one in studies]
            loads = [_load(plan, servers, paths, clients) for clients in plan.clients]
            return loads, _waits(plan, servers, paths)
    finally:
        shutil.rmtree(folder)


def _servers(stack: ExitStack, folder: Path) -> list[Server]:
    servers = []
    for open_one in (our_gateway, orthanc, nginx):
        own = folder / open_one.__name__
        own.mkdir()
        servers.append(stack.enter_context(open_one(own)))
    return servers


def _filled(
    plan: Plan, servers: Sequence[Server], folder: Path, tell: Tell
) -> Iterator[StudyFiles]:
    ours, other, files = servers
    assert files.served is not None
    for number in range(plan.studies):
        study = save_ct(folder / "study", number=number, instances=plan.instances)
        for one in (ours, other):
            one.store(study.files)
        path = f"{DICOMWEB}/studies/{study.uid}"
        target = files.served / path.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(ours.get(path)[1])
        shutil.rmtree(folder / "study")
        tell(f"{number + 1} of {plan.studies} studies are stored")
        yield study


def _load(plan: Plan, servers: Sequence[Server], paths: Sequence[str], clients: int) -> Load:
    turns: dict[str, list[Fetched]] = {one.name: [] for one in servers}
    each = max(1, plan.fetches // clients)
    for _ in range(plan.rounds):
        for one in servers:
            fetched = fetch(one, paths, accept=AS_STORED, clients=clients, each=each)
            turns[one.name].append(fetched)
    return Load(clients=clients, turns=turns)


def _waits(plan: Plan, servers: Sequence[Server], paths: Sequence[str]) -> dict[str, Waits]:
    ours, _, files = servers
    study = paths[0].rpartition("/")[2]
    path = f"{paths[0]}/series/{uid_of(study, 1)}/instances/{uid_of(study, 1, 1)}/metadata"
    assert files.served is not None
    (files.served / "metadata").write_bytes(ours.get(path, "application/dicom+json")[1])
    asked = {ours: path, files: "/metadata"}
    waits = {one.name: Waits(idle=[], by_lines=[], unbounded=[]) for one in asked}
    for _ in range(plan.rounds):
        for server, metadata in asked.items():
            found = waits[server.name]
            found.idle.append(_p99_ms(plan, server, metadata))
            for rate, came in ((RATE_BYTES, found.by_lines), (None, found.unbounded)):
                with downloading(
                    server, paths, accept=AS_STORED, clients=DOWNLOADS, rate_bytes=rate
                ):
                    came.append(_p99_ms(plan, server, metadata))
    return waits


def _p99_ms(plan: Plan, server: Server, path: str) -> float:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/dicom+json\r\n\r\n"
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        driven = runner.run(
            drive(
                server.port,
                repeat(request.encode(), plan.metadata),
                connections=1,
                is_answer=lambda answer: answer.endswith(b"]"),
            )
        )
    return quantile(driven.latencies_s, 0.99) * 1000


def _first_byte_ms(fetched: Fetched) -> float:
    return quantile(fetched.first_byte_s, 0.5) * 1000
