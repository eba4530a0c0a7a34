"""Figures with their spread, and where they are kept: JSON and, beside it, a picture."""

import json
import os
import platform
import sqlite3
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

from tests.support.peers import postgresql_programs

RESULTS: Final = Path(__file__).parent / "results"
_LIBRARIES: Final = "aiosqlite asyncpg lxml orjson starlette uvicorn uvloop".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The middle of some figures, with the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Self:
        """Of one figure at least."""
        return cls(median=statistics.median(figures), least=min(figures), most=max(figures))

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.least:.3g}-{self.most:.3g}]"


def quantile(figures: Sequence[float], share: float) -> float:
    """The figure that so large a share of them does not exceed."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine() -> dict[str, object]:
    """What the figures were measured on and with."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "load_average_before": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in _LIBRARIES},
    }


def postgresql_version() -> str:
    """Of the server that is started for a run."""
    program = [str(postgresql_programs() / "postgres"), "--version"]
    told = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    return told.stdout.strip().rpartition(") ")[2]


def keep(name: str, *, into: Path, figures: Mapping[str, object], command: str) -> Path:
    """Write what was measured; the file, which holds also how to measure it again."""
    into.mkdir(parents=True, exist_ok=True)
    file = into / f"{name}.json"
    whole = {"command": command, "machine": machine(), **figures}
    file.write_text(json.dumps(whole, indent=1, default=_plain) + "\n")
    return file


def _plain(value: Any) -> dict[str, Any]:
    return asdict(value)
