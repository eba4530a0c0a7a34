"""What the product stands on is declared, used and locked, and may be given on with it."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests.architecture.repository import PACKAGES, ROOT, files, name, project

NEVER_IMPORTED = {
    "tzdata",  # read by `zoneinfo`
}
LOCKED = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^\s;]+)", re.MULTILINE)


def test_every_import_of_others_is_declared() -> None:
    undeclared = [
        f"{name(path)}: {module}"
        for path in files(".py", under=PACKAGES)
        for module in _imports(path) - sys.stdlib_module_names - set(PACKAGES)
        if not _distributions(module) & _declared()
    ]

    assert undeclared == []


def test_every_declared_dependency_is_used() -> None:
    imported = {
        distribution
        for path in files(".py", under=PACKAGES)
        for module in _imports(path)
        for distribution in _distributions(module)
    }

    assert _declared() - imported - NEVER_IMPORTED == set()


def test_what_gateway_and_index_share_needs_the_standard_library_only() -> None:
    foreign = [
        f"{name(path)}: {module}"
        for path in files(".py", under=("indexer/contract", "indexer/framing"))
        for module in _imports(path) - sys.stdlib_module_names - {"indexer"}
    ]

    assert foreign == []


def test_nothing_that_runs_is_under_the_gpl() -> None:
    """Under the GPL or LGPL, who ships a gateway would owe more than its own licence asks."""
    under_it = [
        distribution
        for distribution, _ in _locked("requirements.lock")
        if re.search(r"\bL?GPL|General Public License", _licence(distribution))
    ]

    assert under_it == []


def test_both_locks_name_the_same_versions() -> None:
    to_run, to_work = _locked("requirements.lock"), _locked("requirements-dev.lock")

    assert to_run - to_work == set()


def test_the_locks_hold_every_declared_dependency() -> None:
    locked = {distribution for distribution, _ in _locked("requirements.lock")}

    assert _declared() - locked == set()


def _imports(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports."""
    return {module.partition(".")[0] for module in _imported_modules(path)}


def _imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module


def _distributions(module: str) -> set[str]:
    return {_normal(each) for each in _DISTRIBUTIONS_OF.get(module, [])}


def _declared() -> set[str]:
    requirements: list[str] = project()["project"]["dependencies"]
    return {_normal(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in requirements}


def _locked(lock: str) -> set[tuple[str, str]]:
    text = (ROOT / lock).read_text()
    return {(found["name"], found["version"]) for found in LOCKED.finditer(text)}


def _licence(distribution: str) -> str:
    try:
        about = metadata.metadata(distribution)
    except metadata.PackageNotFoundError:  # locked for another platform
        return ""
    expression = about.get_all("License-Expression", [])
    first_lines = [text.partition("\n")[0] for text in about.get_all("License", [])]
    classifiers = [text for text in about.get_all("Classifier", []) if text.startswith("License")]
    return " ".join([*expression, *first_lines, *classifiers])


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


_DISTRIBUTIONS_OF = metadata.packages_distributions()
