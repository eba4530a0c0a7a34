"""Shows how far a command has come, and what came of it: a bar on a terminal, else lines."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.errors import Conflict
from gateway.media.tally import Fate, Outcome, Tally

LINE_EVERY_S: Final = 10.0
"""Between two lines, where there is no terminal."""


class Onlooker:
    """Shows a command's progress on standard error while entered, and counts its outcomes.

    Args:
        what: the command does.
        report: a file that each outcome but those taken and known is written to, a JSON object a
            line; made for its owner alone, for names of files may name patients. Its name ends in
            `.part` until all is told: a command that is broken off is to be run again.

    Raises:
        Conflict: on entry, if the report is there already.
        OSError: when it begins, if the report cannot be made.
    """

    def __init__(self, what: str, *, report: Path | None = None) -> None:
        self.tally = Tally()
        self._what = what
        self._report_path = report
        self._report: TextIO | None = None
        self._stack = ExitStack()
        self._show: Callable[[], None] = lambda: None
        self._done = self._total = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if self._report_path is not None and self._report_path.exists():
            raise Conflict(f"{self._report_path} is there: remove it, or name another by --report")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        if self._report_path is not None and self._report is not None and kind is None:
            _part_of(self._report_path).rename(self._report_path)

    def begin(self, total: int) -> None:
        """So many entries are to be looked at."""
        self._total = total
        if self._report_path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(_part_of(self._report_path), flags, 0o600)
            file = os.fdopen(descriptor, "w", encoding="utf-8")
            self._report = self._stack.enter_context(file)
        self._began = time.monotonic()
        self._show = self._bar() if sys.stderr.isatty() else self._lines()

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        self._show()

    def tell(self, outcome: Outcome) -> None:
        """What became of a file."""
        self.tally.add(outcome)
        if self._report is not None and outcome.fate in (Fate.SKIPPED, Fate.FAILED):
            told = {"file": outcome.name, "fate": outcome.fate, "reason": outcome.reason}
            # In ASCII: a name of a file may be no text.
            self._report.write(f"{json.dumps(told)}\n")

    def _bar(self) -> Callable[[], None]:
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._stack.enter_context(progress)
        task = progress.add_task(self._what, total=self._total, rate="")
        return lambda: progress.update(task, completed=self._done, rate=self._rate)

    def _lines(self) -> Callable[[], None]:
        said_at = self._began

        def show() -> None:
            nonlocal said_at
            now = time.monotonic()
            if now - said_at >= LINE_EVERY_S:
                said_at = now
                sys.stderr.write(f"{self._what}: {self._done} of {self._total}, {self._rate}\n")

        return show

    @property
    def _rate(self) -> str:
        return f"{self._done / max(time.monotonic() - self._began, 0.001):.0f}/s"


def _part_of(report: Path) -> Path:
    return report.with_name(f"{report.name}.part")
