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

RESULTS: Final = Path(__file__).parents[1] / "results"
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
        return f"{plain(self.median)} [{plain(self.least)}-{plain(self.most)}]"


def plain(figure: float) -> str:
    """Three digits of it, or all before the point."""
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.3g}"


def quantile(figures: Sequence[float], share: float) -> float:
    """The figure that so large a share of them does not exceed."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine(*, server: bool) -> dict[str, object]:
    """What the figures were measured on and with.

    Args:
        server: whether a PostgreSQL server was among it.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "load_average_at_the_end": round(os.getloadavg()[0], 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **({"postgresql": _postgresql_version()} if server else {}),
        **{name: version(name) for name in _LIBRARIES},
    }


def _postgresql_version() -> str:
    program = [str(postgresql_programs() / "postgres"), "--version"]
    told = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    return told.stdout.split()[2]


def keep(
    name: str, figures: Mapping[str, object], *, into: Path, command: str, server: bool
) -> None:
    """Write what was measured, on what, and how to measure it again."""
    into.mkdir(parents=True, exist_ok=True)
    whole = {"command": command, "machine": machine(server=server), **figures}
    text = json.dumps(whole, indent=1, default=_plain)
    (into / f"{name}.json").write_text(text + "\n")


def _plain(value: Any) -> dict[str, Any]:
    return asdict(value)
