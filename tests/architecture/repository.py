"""The repository's own files, as the tests of its form read them."""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "indexer", "simulators")
_PLACES = (*PACKAGES, ".ci", "benchmarks", "docs", "scripts", "tests")
_GENERATED = {"__pycache__", "node_modules"}


def files(*suffixes: str, under: tuple[str, ...] = _PLACES) -> Iterator[Path]:
    """Files with one of the suffixes; those at the top too, unless `under` names places."""
    candidates = [*ROOT.iterdir()] if under is _PLACES else []
    for place in under:
        candidates += (ROOT / place).rglob("*")
    for path in sorted(candidates):
        wanted = path.suffix in suffixes and path.is_file()
        if wanted and not _GENERATED.intersection(path.parts):
            yield path


def name(path: Path) -> str:
    """The path as a person names it: from the root."""
    return path.relative_to(ROOT).as_posix()


@cache
def project() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
