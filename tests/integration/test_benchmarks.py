"""The benchmarks run, with tiny counts: asked for the shape of what they tell, never for speed."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import driver
from benchmarks.__main__ import app
from benchmarks.exams import Exams
from benchmarks.filling import RowsOfExams, rows_of


@pytest.mark.parametrize(
    "protocol, engine", [("ITI-65", "sqlite"), ("ITI-41", "sqlite"), ("ITI-41", "postgresql")]
)
def test_publishing_is_measured_beside_a_bare_loop(
    tmp_path: Path, protocol: str, engine: str
) -> None:
    few = "--submissions 5 --references 3 --connections 2 --rounds 1".split()
    of_one = ["--engine", engine, "--protocol", protocol]

    run = CliRunner().invoke(app, ["publish", *few, *of_one, "--into", str(tmp_path)])

    assert run.exit_code == 0, run.output
    told = json.loads((tmp_path / "publish.json").read_text())
    [pairing] = told["pairings"]
    assert pairing["rate_ratio"].keys() == {"median", "least", "most"}
    assert len(pairing["turns"]["index"]) == len(pairing["turns"]["loop"]) == 1
    assert told["vihf_cpu_ms"]["median"] > 0
    assert told["machine"]["cores"] >= 1
    assert (tmp_path / "publish.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_searching_is_measured_as_the_index_grows(tmp_path: Path, engine: str) -> None:
    few = "--entries 20 --entries 5 --searches 3 --rounds 2".split()

    run = CliRunner().invoke(app, ["search", *few, "--engine", engine, "--into", str(tmp_path)])

    assert run.exit_code == 0, run.output
    sizes = json.loads((tmp_path / "search.json").read_text())["sizes"]
    assert [one["entries"] for one in sizes] == [5, 20]
    assert all(one["p99_ms"]["median"] > 0 for one in sizes)
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")


def test_memory_is_sampled_as_submissions_come(tmp_path: Path) -> None:
    run = CliRunner().invoke(
        app, ["memory", "--submissions", "9", "--samples", "3", "--into", str(tmp_path)]
    )

    assert run.exit_code == 0, run.output
    told = json.loads((tmp_path / "memory.json").read_text())
    assert [one["submissions"] for one in told["samples"]] == [3, 6, 9]
    assert told["samples"][-1]["mib"] > 0
    assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")


async def test_an_answer_that_does_not_come_ends_a_benchmark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "ANSWER_S_MAX", 0.05)
    loop = asyncio.get_running_loop()
    silent = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]

    async with silent:
        with pytest.raises(driver.Unanswered, match="does not come"):
            await driver.drive(port, iter([b"?"]), connections=2, is_answer=bool)


def test_an_index_is_filled_with_the_rows_that_it_writes_itself() -> None:
    rows = RowsOfExams()
    exam = Exams.of(1).submission(1234, patient=56, of=9999)

    filled = rows.of(exam)

    told = [
        (table.name, dict(zip(table.columns, row, strict=True)))
        for table, row in zip(rows.tables, filled, strict=True)
    ]
    set_id, entry_id = str(told[0][1]["set_id"]), str(told[1][1]["entry_id"])
    assert told == rows_of(exam, set_id=set_id, entry_id=entry_id)
