"""How many submissions a second the index takes durably, beside a bare loop in the same run.

Index and loop take turns, each with tables of its own that hold nothing. The index has its clients
on the machine; of what they take from it only the CPU is told apart, so there are two ratios: of
rates, and of the CPU that a submission costs.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.index.bare_loop import run_bare_loop
from benchmarks.index.messages import PROVIDE, Message, Protocol, is_held
from benchmarks.index.stores import Engine, Store, Stores, stores
from benchmarks.index.subject import an_index_on
from benchmarks.kit.driver import drive
from benchmarks.kit.exams import Exams
from benchmarks.kit.processes import STEP_S
from benchmarks.kit.results import Spread, quantile
from gateway.serving import loop_factory

WARMING: Final = 64
"""Submissions before the index is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    submissions: int = 2000
    references: int = 200
    """Instances that each manifest lists."""
    connections: int = 64
    """Of which each has one submission under way; the loop commits as many at once."""
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one side took for all submissions of a round."""

    rate: float
    """Submissions a second."""
    cpu_ms: float
    """Of the process itself, for one submission."""
    server_cpu_ms: float
    """Of the database's server, for one submission; 0 where it is a library."""
    p99_ms: float = 0.0
    """From a request to its answer; the loop answers nobody."""
    written_kib: float = 0.0
    """What of one submission goes to the disk, the database's server's too; of the index alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Index and loop by one protocol on one engine."""

    engine: Engine
    protocol: Protocol
    index: Sequence[Turn]
    loop: Sequence[Turn]

    def line(self) -> str:
        """What matters most, for a person."""
        told = self.figures()
        return (
            f"{self.protocol} {self.engine}: {told['index_per_second']}/s,"
            f" {told['rate_ratio']} of the bare loop's rate; CPU {told['index_cpu_ms']} ms,"
            f" the loop's is {told['cpu_ratio']} of it"
        )

    def figures(self) -> dict[str, object]:
        """The medians, and the ratios of each round."""
        pairs = list(zip(self.index, self.loop, strict=True))
        return {
            "engine": self.engine,
            "protocol": self.protocol,
            "rate_ratio": Spread.of([index.rate / loop.rate for index, loop in pairs]),
            "cpu_ratio": Spread.of([loop.cpu_ms / index.cpu_ms for index, loop in pairs]),
            "index_per_second": Spread.of([one.rate for one in self.index]),
            "loop_per_second": Spread.of([one.rate for one in self.loop]),
            "index_cpu_ms": Spread.of([one.cpu_ms for one in self.index]),
            "loop_cpu_ms": Spread.of([one.cpu_ms for one in self.loop]),
            "index_server_cpu_ms": Spread.of([one.server_cpu_ms for one in self.index]),
            "loop_server_cpu_ms": Spread.of([one.server_cpu_ms for one in self.loop]),
            "index_p99_ms": Spread.of([one.p99_ms for one in self.index]),
            "index_written_kib": Spread.of([one.written_kib for one in self.index]),
            "turns": {"index": self.index, "loop": self.loop},
        }


def measure(
    plan: Plan, engines: Sequence[Engine], protocols: Sequence[Protocol]
) -> Iterator[Pairing]:
    """Every protocol on every engine."""
    exams = Exams.of(plan.references)
    for engine in engines:
        with stores(engine) as places:
            for protocol in protocols:
                told = exams.one_each(plan.submissions + WARMING)
                yield _measure(plan, places, engine, protocol, list(map(PROVIDE[protocol], told)))


def _measure(
    plan: Plan, places: Stores, engine: Engine, protocol: Protocol, messages: Sequence[Message]
) -> Pairing:
    index, loop = [], []
    for _ in range(plan.rounds):
        with places.new() as store:
            index.append(_turn_of_index(plan, store, messages))
        with places.new() as store:
            loop.append(_turn_of_loop(plan, store, protocol, messages[WARMING:]))
    return Pairing(engine=engine, protocol=protocol, index=index, loop=loop)


def _turn_of_index(plan: Plan, store: Store, messages: Sequence[Message]) -> Turn:
    requests = iter([one.request() for one in messages])
    with an_index_on(store) as index, asyncio.Runner(loop_factory=loop_factory()) as runner:
        first = iter([next(requests) for _ in range(WARMING)])
        runner.run(drive(index.port, first, connections=8, is_answer=is_held))
        cpu, server_cpu = index.cpu_seconds(), store.server_cpu_seconds()
        written = index.written_bytes() + store.server_written_bytes()
        driven = runner.run(
            drive(index.port, requests, connections=plan.connections, is_answer=is_held)
        )
        return Turn(
            rate=plan.submissions / driven.seconds,
            # It is counted in steps: what took less than one took one at most.
            cpu_ms=max(index.cpu_seconds() - cpu, STEP_S) / plan.submissions * 1000,
            server_cpu_ms=(store.server_cpu_seconds() - server_cpu) / plan.submissions * 1000,
            p99_ms=quantile(driven.latencies_s, 0.99) * 1000,
            written_kib=(index.written_bytes() + store.server_written_bytes() - written)
            / plan.submissions
            / 1024,
        )


def _turn_of_loop(
    plan: Plan, store: Store, protocol: Protocol, messages: Sequence[Message]
) -> Turn:
    store.make_tables()
    server_cpu = store.server_cpu_seconds()
    bodies = [one.body for one in messages]
    run = run_bare_loop(protocol, bodies, place=store.place, group=plan.connections)
    return Turn(
        rate=plan.submissions / run.seconds,
        cpu_ms=run.cpu_seconds / plan.submissions * 1000,
        server_cpu_ms=(store.server_cpu_seconds() - server_cpu) / plan.submissions * 1000,
    )
