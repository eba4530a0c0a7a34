"""What a person is told while a command runs, and what is written down for them."""

import json
import stat
from pathlib import Path

import pytest

from gateway.errors import Conflict
from gateway.media.tally import Fate, Outcome
from gateway.progress import Onlooker

TAKEN = Outcome(name="a", fate=Fate.TAKEN)
TAKEN_OVER = Outcome(name="METADATA.XML", fate=Fate.TAKEN, is_pointer=True)
SKIPPED = Outcome(name="b\udcff", fate=Fate.SKIPPED, reason="not a DICOM file")
FAILED = Outcome(name="c", fate=Fate.FAILED, reason="it cannot be read")


def test_outcomes_are_counted_by_fate_and_reason() -> None:
    with Onlooker("import") as onlooker:
        for outcome in (TAKEN, TAKEN_OVER, SKIPPED, FAILED, SKIPPED):
            onlooker.tell(outcome)

    assert list(onlooker.tally.lines()) == [
        "taken 1 file",
        "taken 1 pointer",
        "skipped 2 files",
        "  2 not a DICOM file",
        "failed 1 file",
        "  1 it cannot be read",
    ]


def test_the_report_names_what_was_not_taken_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"

    with Onlooker("import", report=path) as onlooker:
        onlooker.begin(3)
        for outcome in (TAKEN, SKIPPED, FAILED):
            onlooker.tell(outcome)

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["file"] for line in lines] == [SKIPPED.name, FAILED.name]
    assert lines[1] == {"file": "c", "fate": "failed", "reason": "it cannot be read"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_report_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    path.write_text("kept")

    with pytest.raises(Conflict, match="remove it, or name another"), Onlooker("", report=path):
        pass

    assert path.read_text() == "kept"


def test_a_report_is_there_under_its_name_once_it_is_whole(tmp_path: Path) -> None:
    """The same command is to be run again after Ctrl-C, a kill, or a folder in use."""
    path = tmp_path / "report.jsonl"

    with pytest.raises(Conflict, match="in use"), Onlooker("", report=path):
        raise Conflict("in use")
    left_by_what_did_not_begin = list(tmp_path.iterdir())
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            break_off(path)
    with Onlooker("", report=path) as onlooker:
        onlooker.begin(1)
        onlooker.tell(FAILED)

    assert left_by_what_did_not_begin == []
    assert len(path.read_text().splitlines()) == 1
    assert [*tmp_path.iterdir()] == [path]


def break_off(report: Path) -> None:
    with Onlooker("", report=report) as onlooker:
        onlooker.begin(1)
        onlooker.tell(FAILED)
        raise KeyboardInterrupt


def test_without_a_terminal_a_line_is_written_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("gateway.progress.time.monotonic", lambda: now_s)
    with Onlooker("import") as onlooker:
        onlooker.begin(30)
        for _ in range(30):
            now_s += 0.5
            onlooker.advance()

    told = capsys.readouterr()
    assert told.err.splitlines() == ["import: 20 of 30, 2/s"]
    assert told.out == ""


def test_on_a_terminal_a_bar_shows_how_many_are_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Onlooker("import") as onlooker:
        onlooker.begin(3)
        for _ in range(3):
            onlooker.advance()

    assert "3/3" in capsys.readouterr().err
