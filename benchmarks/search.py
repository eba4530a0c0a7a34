"""How long a search for a patient's documents takes as the index grows, warm.

An index is filled in bulk, exams of few patients among exams of all; documents lie apart from the
rows and are none of them filled in. Then the same patients are searched for by ITI-67, one after
the other: once cold, and then in rounds, of which the figures are.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.driver import drive
from benchmarks.exams import ins_of
from benchmarks.filling import fill, patients_of
from benchmarks.messages import is_found, search_of
from benchmarks.results import Spread, quantile
from benchmarks.stores import Engine, Store, Stores, stores
from benchmarks.subject import an_index_on
from gateway.serving import loop_factory

SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    sizes: Sequence[int] = (10_000, 100_000, 1_000_000)
    """Entries, from few to many."""
    searches: int = 1000
    """Of so many patients, drawn as they come to be seen: in proportion to their exams."""
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What came of one size of index."""

    engine: Engine
    entries: int
    patients: int
    fill_seconds: float
    stored_bytes: int
    """Of rows and their indexes."""
    found_median: float
    """Entries that a search finds; those of the hundredth of the patients with most, or more."""
    found_p99: float
    cold_p99_ms: float
    median_ms: Spread
    p99_ms: Spread

    def line(self) -> str:
        """What matters most, for a person."""
        return (
            f"{self.engine}, {self.entries} entries: median {self.median_ms} ms,"
            f" p99 {self.p99_ms} ms (cold {self.cold_p99_ms:.3g}); finds {self.found_median:.0f},"
            f" at most {self.found_p99:.0f} in 99 of 100; {self.stored_bytes / 2**20:.0f} MiB,"
            f" filled in {self.fill_seconds:.0f} s"
        )


def measure(plan: Plan, engines: Sequence[Engine]) -> Iterator[Size]:
    """Every size on every engine."""
    for engine in engines:
        with stores(engine) as places:
            for entries in plan.sizes:
                yield _measure(plan, places, engine, entries)


def _measure(plan: Plan, places: Stores, engine: Engine, entries: int) -> Size:
    whose = patients_of(entries, seed=SEED)
    exams = np.bincount(whose)
    with places.new() as store:
        store.make_tables()
        began = time.perf_counter()
        fill(store.place, whose)
        filled_s = time.perf_counter() - began
        stored_bytes = store.size_bytes()
        drawn = np.random.default_rng(SEED).choice(whose, min(plan.searches, entries))
        cold, *warm = _search(plan, store, drawn.tolist())
    return Size(
        engine=engine,
        entries=entries,
        patients=int(np.count_nonzero(exams)),
        fill_seconds=filled_s,
        stored_bytes=stored_bytes,
        found_median=quantile(exams[drawn].tolist(), 0.5),
        found_p99=quantile(exams[drawn].tolist(), 0.99),
        cold_p99_ms=quantile(cold, 0.99) * 1000,
        median_ms=Spread.of([quantile(one, 0.5) * 1000 for one in warm]),
        p99_ms=Spread.of([quantile(one, 0.99) * 1000 for one in warm]),
    )


def _search(plan: Plan, store: Store, patients: Sequence[int]) -> list[list[float]]:
    """Seconds that each search took: when it was the first, and in each round after that."""
    requests = [search_of(ins_of(one)) for one in patients]
    with an_index_on(store) as index, asyncio.Runner(loop_factory=loop_factory()) as runner:
        rounds = [
            runner.run(drive(index.port, iter(requests), connections=1, is_answer=is_found))
            for _ in range(1 + plan.rounds)
        ]
    return [one.latencies_s for one in rounds]
