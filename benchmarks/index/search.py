"""How long a search for a patient's documents takes as the index grows, warm.

An index is filled in bulk, exams of few patients among exams of all; documents lie apart from the
rows and are none of them filled in. Then the same patients are searched for by ITI-67, one after
the other: once cold, and then in rounds, of which the figures are.
"""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.index.filling import Tell, fill, patients_of
from benchmarks.index.messages import is_found, search_of
from benchmarks.index.stores import Engine, Store, store_in
from benchmarks.index.subject import an_index_on
from benchmarks.kit.driver import drive
from benchmarks.kit.exams import ins_of
from benchmarks.kit.results import Spread, quantile
from gateway.serving import loop_factory

SEED: Final = 7
_FILLED: Final = "filled.json"


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


def measure(
    plan: Plan, engines: Sequence[Engine], *, kept_in: Path | None, tell: Tell
) -> Iterator[Size]:
    """Every size on every engine.

    Args:
        kept_in: where indexes that were filled stay, and are found by later runs.
        tell: is told how far a filling is.
    """
    for engine in engines:
        for entries in plan.sizes:
            with _folder(kept_in, f"{engine}-{entries}") as folder:
                yield _measure(plan, engine, entries, folder, tell)


def _measure(plan: Plan, engine: Engine, entries: int, folder: Path, tell: Tell) -> Size:
    whose = patients_of(entries, seed=SEED)
    exams = np.bincount(whose)
    filled_s = _filled_s(folder, engine, whose, tell)
    with store_in(folder, engine) as store:
        store.make_tables()  # what was kept may be of an earlier schema
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


@contextmanager
def _folder(kept_in: Path | None, name: str) -> Iterator[Path]:
    """Where an index is, gone when the block ends unless such are kept."""
    if kept_in is not None:
        yield kept_in.absolute() / name
        return
    folder = Path(tempfile.mkdtemp(prefix="drim-benchmark-"))
    folder.chmod(0o755)  # a server's own user passes
    try:
        yield folder / name
    finally:
        shutil.rmtree(folder)


def _filled_s(folder: Path, engine: Engine, whose: NDArray[np.int64], tell: Tell) -> float:
    """How long the filling of the index took, now or in the run that kept it."""
    filled = folder / _FILLED
    if not filled.exists():
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was broken off
        began = time.perf_counter()
        with store_in(folder, engine) as store:
            store.make_tables()
            fill(store.place, whose, tell=tell)
        filled.write_text(json.dumps({"seconds": time.perf_counter() - began}))
    return float(json.loads(filled.read_text())["seconds"])


def _search(plan: Plan, store: Store, patients: Sequence[int]) -> list[list[float]]:
    """Seconds that each search took: when it was the first, and in each round after that."""
    requests = [search_of(ins_of(one)) for one in patients]
    with an_index_on(store) as index, asyncio.Runner(loop_factory=loop_factory()) as runner:
        rounds = [
            runner.run(drive(index.port, iter(requests), connections=1, is_answer=is_found))
            for _ in range(1 + plan.rounds)
        ]
    return [one.latencies_s for one in rounds]
