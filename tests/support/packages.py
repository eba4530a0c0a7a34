"""Packages made for one test, to hold the SQL files that a program would ship."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

MakePackage = Callable[[Mapping[str, str]], str]

_numbers = itertools.count()


def package_maker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> MakePackage:
    """Makes packages of the files given by name and text, and returns the package's name.

    Each has a name of its own, for Python remembers what it has imported.
    """
    monkeypatch.syspath_prepend(folder)

    def make(files: Mapping[str, str]) -> str:
        name = f"sql_of_test_{next(_numbers)}"
        (folder / name).mkdir()
        for file, text in {"__init__.py": "", **files}.items():
            (folder / name / file).write_text(text, encoding="utf-8")
        return name

    return make
