"""Large studies: until their first byte, and the memory that they take, beside a small one.

They are stored by one gateway and asked of the next on the same folder, which knows nothing yet.
Bodies go to curl, which throws them away. What else the machine does changes little of either.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.index.filling import Tell
from benchmarks.kit.ct import SIDE, build_ct
from benchmarks.kit.fetching import Fetched, fetch
from benchmarks.kit.peers import AS_STORED, DICOMWEB, Server, our_gateway
from benchmarks.kit.processes import most_resident_bytes, reset_most_resident
from benchmarks.kit.results import Spread

JSON: Final = "application/dicom+json"
CLIENTS: Final = 3
UNSETTLED: Final = {"GATEWAY_STUDY_SETTLE_S": "86400"}
"""Whether a pointer may go is looked at when a study has settled: not while it is measured."""
_TOGETHER: Final = 500  # files on their way in, which are removed when they are stored
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A study."""

    instances: int
    frames: int = 1
    """Of each instance."""
    side: int = SIDE
    """Of a frame, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured; the first study is the small one."""

    studies: Sequence[Shape] = (
        Shape(instances=200, side=128),
        Shape(instances=2_000, side=128),
        Shape(instances=20_000, side=128),
        Shape(instances=512, frames=16),
    )
    requests: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one resource of a study."""

    mib: float
    first_ms: float
    """Until the first byte of the first request."""
    again_ms: Spread
    """Of those after it."""
    more_mib: float
    """The most that was resident meanwhile, above what was before, with `CLIENTS` at once, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Large:
    """One study."""

    shape: Shape
    study: Answer
    metadata: Answer

    def line(self) -> str:
        """For a person."""
        told = (
            f"{name} {one.mib:.0f} MiB, first byte {one.first_ms:.0f} ms, then {one.again_ms} ms,"
            f" memory +{one.more_mib:.1f} MiB"
            for name, one in (("study", self.study), ("metadata", self.metadata))
        )
        return f"{self.shape.instances} instances: " + "; ".join(told)


def measure(plan: Plan, *, tell: Tell) -> Iterator[Large]:
    """Each of the studies."""
    with TemporaryDirectory(prefix="drim-benchmark-") as folder:
        with our_gateway(Path(folder), settings=UNSETTLED) as filled:
            uids = [_store(filled, Path(folder), at, one) for at, one in enumerate(plan.studies)]
            for uid in uids:  # to describe them is not what is measured
                tell("a study is stored")
                filled.get(_path(uid, "/metadata"), JSON)
        with our_gateway(Path(folder), settings=UNSETTLED) as ours:
            ours.get(f"{DICOMWEB}/studies?limit=1", JSON)
            for uid, shape in zip(uids, plan.studies, strict=True):
                yield Large(
                    shape=shape,
                    study=_asked(ours, _path(uid), AS_STORED, plan.requests),
                    metadata=_asked(ours, _path(uid, "/metadata"), JSON, plan.requests),
                )


def _store(ours: Server, folder: Path, number: int, shape: Shape) -> str:
    instances = build_ct(number, shape.instances, frames=shape.frames, side=shape.side)
    uid = ""
    while True:
        sent = folder / "sent"
        sent.mkdir()
        files = []
        for at, ds in enumerate(islice(instances, _TOGETHER)):
            files.append(sent / str(at))
            ds.save_as(files[-1], enforce_file_format=True)
            uid = ds.StudyInstanceUID
        if files:
            ours.store(files)
        shutil.rmtree(sent)
        if not files:
            return uid


def _path(uid: str, rest: str = "") -> str:
    return f"{DICOMWEB}/studies/{uid}{rest}"


def _asked(ours: Server, path: str, accept: str, requests: int) -> Answer:
    reset_most_resident(ours.pid)
    idle_bytes = ours.resident_bytes()
    first = fetch(ours, [path], accept=accept)
    again = fetch(ours, [path], accept=accept, each=requests)
    fetch(ours, [path], accept=accept, clients=CLIENTS)
    return Answer(
        mib=first.sizes_bytes[0] / _MIB,
        first_ms=_first_byte_ms(first)[0],
        again_ms=Spread.of(_first_byte_ms(again)),
        more_mib=(most_resident_bytes(ours.pid) - idle_bytes) / _MIB,
    )


def _first_byte_ms(fetched: Fetched) -> list[float]:
    return [seconds * 1000 for seconds in fetched.first_byte_s]
