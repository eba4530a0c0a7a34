"""Whether the index's memory stays flat, however many submissions it has taken."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.index.messages import PROVIDE, Protocol, is_held
from benchmarks.index.stores import Engine, stores
from benchmarks.index.subject import Subject, an_index_on
from benchmarks.kit.driver import drive
from benchmarks.kit.exams import Exams
from benchmarks.kit.results import quantile
from gateway.serving import loop_factory

FLAT: Final = 0.2
"""How far from the middle of the run's second half memory may go in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    submissions: int = 1_000_000
    """Of manifests that list one instance."""
    seconds_max: float = 3600.0
    connections: int = 32
    samples: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The memory of the index's process after so many submissions."""

    submissions: int
    mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How the memory went."""

    engine: Engine
    asked: int
    seconds: float
    samples: list[Sample]

    @property
    def settled_mib(self) -> float:
        """The middle of the second half."""
        return quantile([one.mib for one in self._second_half], 0.5)

    @property
    def drift(self) -> float:
        """The farthest from there that it went in the second half, as a share of it."""
        return max(abs(one.mib / self.settled_mib - 1) for one in self._second_half)

    @property
    def _second_half(self) -> list[Sample]:
        return self.samples[len(self.samples) // 2 :]

    def figures(self) -> dict[str, object]:
        """What is kept."""
        return {
            "engine": self.engine,
            "submissions_asked": self.asked,
            "submissions": self.samples[-1].submissions,
            "seconds": self.seconds,
            "settled_mib": self.settled_mib,
            "drift": self.drift,
            "is_flat": self.drift <= FLAT,
            "samples": self.samples,
        }

    def line(self) -> str:
        """What matters most, for a person."""
        return (
            f"{self.engine}: {self.samples[-1].submissions} submissions in {self.seconds:.0f} s,"
            f" {self.settled_mib:.0f} MiB in the second half, {self.drift:.1%} off at most"
        )


def measure(plan: Plan, engine: Engine, *, tell: Callable[[str], None]) -> Curve:
    """The memory of one run, which ends early once it has taken too long."""
    with stores(engine) as places, places.new() as store, an_index_on(store) as index:
        began = time.perf_counter()
        samples = []
        for sample in _samples(plan, index):
            samples.append(sample)
            seconds = time.perf_counter() - began
            tell(f"{sample.submissions} submissions, {sample.mib:.0f} MiB, {seconds:.0f} s")
            if seconds > plan.seconds_max:
                break
        return Curve(
            engine=engine,
            asked=plan.submissions,
            seconds=time.perf_counter() - began,
            samples=samples,
        )


def _samples(plan: Plan, index: Subject) -> Iterator[Sample]:
    exams, provide = Exams.of(1), PROVIDE[Protocol.ITI_65]
    step = max(1, plan.submissions // plan.samples)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        for first in range(1, plan.submissions + 1, step):
            count = min(step, plan.submissions + 1 - first)
            told = exams.one_each(count, first=first)
            requests = (provide(one).request() for one in told)
            runner.run(drive(index.port, requests, connections=plan.connections, is_answer=is_held))
            mib = index.resident_bytes() / 2**20
            yield Sample(submissions=first + count - 1, mib=mib)
