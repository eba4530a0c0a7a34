"""What became of each file of a medium, for whoever brought it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What became of a file, or of the pointer that it describes."""

    TAKEN = "taken"
    KNOWN = "known"
    """It was in already."""
    SKIPPED = "skipped"
    """It is nothing that is taken."""
    FAILED = "failed"
    """It should have been taken, and could not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file. Its name may name a patient: it goes to the person, to no log."""

    name: str
    fate: Fate
    reason: str = ""
    is_pointer: bool = False
    """Whether it is of a pointer that the file describes, and not of the file."""


class Tally:
    """Counts outcomes."""

    def __init__(self) -> None:
        self._by_fate: Counter[tuple[Fate, bool]] = Counter()
        self._by_reason: Counter[tuple[Fate, str]] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self._by_fate[outcome.fate, outcome.is_pointer] += 1
        if outcome.reason:
            self._by_reason[outcome.fate, outcome.reason] += 1

    @property
    def total(self) -> int:
        """Outcomes so far."""
        return self._by_fate.total()

    def count(self, fate: Fate) -> int:
        """Outcomes of one kind."""
        return self._by_fate[fate, False] + self._by_fate[fate, True]

    def lines(self) -> Iterator[str]:
        """One fact a line: how many of each, and why; nothing of what did not occur."""
        for fate in Fate:
            for is_pointer, unit in ((False, "file"), (True, "pointer")):
                if number := self._by_fate[fate, is_pointer]:
                    yield f"{fate} {counted(number, unit)}"
            for (one, reason), number in sorted(self._by_reason.items()):
                if one is fate:
                    yield f"  {number} {reason}"


def counted(number: int, unit: str) -> str:
    """So many of them, as `1 file` or `2 files`."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
