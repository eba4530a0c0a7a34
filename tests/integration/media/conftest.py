"""A data folder that no gateway works in, and whoever is told how an import goes."""

import asyncio
from pathlib import Path

import pytest

from gateway.media.tally import Fate, Outcome
from gateway.settings import Settings
from tests.support.failing_index import IndexInMemory


class Onlooker:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.total = self.advanced = 0
        self.breaks_off: asyncio.Task[None] | None = None
        """Cancelled, as Ctrl-C does, once three outcomes were told."""

    def begin(self, total: int) -> None:
        self.total = total

    def advance(self) -> None:
        self.advanced += 1

    def tell(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if len(self.outcomes) == 3 and self.breaks_off is not None:
            self.breaks_off.cancel()

    def of(self, fate: Fate) -> dict[str, str]:
        """Reasons by name."""
        return {one.name: one.reason for one in self.outcomes if one.fate is fate}


@pytest.fixture
def onlooker() -> Onlooker:
    return Onlooker()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "gateway")


@pytest.fixture
def heir(tmp_path: Path) -> Settings:
    """The gateway that comes after."""
    return Settings(data_dir=tmp_path / "heir")


@pytest.fixture
def index() -> IndexInMemory:
    return IndexInMemory()
