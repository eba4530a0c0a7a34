"""The benchmarks run, with tiny counts: asked for the shape of what they tell, never for speed."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.index import search
from benchmarks.index.filling import fill, patients_of
from benchmarks.index.lines import LinesOfExams, rows_in, rows_of
from benchmarks.index.stores import Engine, Store, stores
from benchmarks.kit import driver
from benchmarks.kit.exams import Exams
from benchmarks.kit.fetching import fetch
from benchmarks.kit.peers import Server
from benchmarks.kit.processes import STEP_S
from tests.support.peers import peer
from tests.support.programs import an_nginx


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


def test_what_is_too_little_to_be_counted_has_a_cost(tmp_path: Path) -> None:
    class Idle(Server):
        def cpu_seconds(self) -> float:
            return 7.0

    with an_nginx(tmp_path) as nginx:
        idle = Idle(name="idle", port=nginx.http, pid=nginx.program.pid)
        came = fetch(idle, ["/ready"], accept="*/*")

    assert came.cpu_seconds == STEP_S


def test_rendering_is_measured_beside_orthanc(tmp_path: Path) -> None:
    few = "--instances 2 --requests 4 --rounds 1".split()

    run = CliRunner().invoke(app, ["rendered", *few, "--into", str(tmp_path)])

    assert run.exit_code == 0, run.output
    pairings = json.loads((tmp_path / "rendered.json").read_text())["pairings"]
    assert [one["kind"] for one in pairings] == ["image/jpeg", "image/png"]
    assert all(one["ours_bytes"] > 0 for one in pairings)
    assert (tmp_path / "rendered.png").read_bytes().startswith(b"\x89PNG")


def test_searching_for_studies_is_measured_beside_orthanc(tmp_path: Path) -> None:
    few = "--studies 8 --size 16 --size 8 --searches 3 --rounds 2".split()

    run = CliRunner().invoke(app, ["qido", *few, "--into", str(tmp_path)])

    assert run.exit_code == 0, run.output
    told = json.loads((tmp_path / "qido.json").read_text())
    assert [one["gateway"]["clients"] for one in told["compared"]] == [1, 8]
    assert all(one["ratio"]["median"] > 0 for one in told["compared"])
    assert [one["studies"] for one in told["sizes"]] == [8, 16]
    assert (tmp_path / "qido.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name, few, asked",
    [
        ("metadata", "--instances 2 --requests 4 --rounds 1", 3),
        ("frames", "--frames 40 --requests 4 --rounds 1", 3),
    ],
)
def test_what_is_described_is_measured_beside_others(
    tmp_path: Path, name: str, few: str, asked: int
) -> None:
    run = CliRunner().invoke(app, [name, *few.split(), "--into", str(tmp_path)])

    assert run.exit_code == 0, run.output
    pairings = json.loads((tmp_path / f"{name}.json").read_text())["pairings"]
    assert len(pairings) == asked
    assert all(
        side["requests_per_s"]["median"] > 0 for one in pairings for side in one["sides"].values()
    )
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


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
    exams = LinesOfExams()
    exam = Exams.of(1).submission(1234, patient=56, of=9999)

    filled = exams.of([exam])

    told = {
        table.name: [dict(zip(table.columns, row, strict=True)) for row in rows_in(lines)]
        for table, lines in zip(exams.tables, filled, strict=True)
    }
    set_id, entry_id = told["submission_set"][0]["set_id"], told["entry"][0]["entry_id"]
    assert told == {
        table: [{column: str(value) for column, value in row.items()} for row in rows]
        for table, rows in rows_of(exam, set_id=set_id, entry_id=entry_id).items()
    }


@pytest.mark.parametrize("engine", Engine)
def test_an_index_that_was_filled_has_the_schema_of_its_migrations(engine: Engine) -> None:
    with stores(engine) as places, places.new() as store:
        store.make_tables()
        made = _schema_of(store)

        fill(store.place, patients_of(20, seed=1), tell=lambda _: None)

        assert _schema_of(store) == made
        assert "entry_by_patient" in made


def test_an_index_that_is_kept_is_filled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = "search --engine sqlite --entries 20 --searches 3 --rounds 1".split()
    folders = ["--filled", str(tmp_path / "filled"), "--into", str(tmp_path)]
    first = CliRunner().invoke(app, [*few, *folders])
    monkeypatch.setattr(search, "fill", pytest.fail)

    second = CliRunner().invoke(app, [*few, *folders])

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output


def _schema_of(store: Store) -> str:
    """All that the engine would need to be told to make it anew."""
    if (server := store.server) is not None:
        dump = [str(server.programs / "pg_dump"), "--schema-only", server.url]
        made = subprocess.run(dump, capture_output=True, text=True, timeout=60, check=True).stdout
        # Lines of `\restrict` have a key that is drawn anew each time.
        return "".join(line for line in made.splitlines(True) if "restrict " not in line)
    with closing(sqlite3.connect(store.place)) as database:
        told = database.execute("SELECT name, sql FROM sqlite_master ORDER BY type, name")
        return str([row for row in told if not row[0].startswith("sqlite_stat")])


def test_taking_in_is_measured_beside_orthanc_and_storescp(tmp_path: Path) -> None:
    told = measured_alone("ingest", "--instances", "3", into=tmp_path)

    assert [one["associations"] for one in told["ingests"]] == [1, 4]
    assert told["ingests"][0]["rate_ratio"].keys() == {"orthanc", "storescp"}
    assert all(one["per_second"]["gateway"]["median"] > 0 for one in told["ingests"])


def test_a_pull_is_measured_beside_dcmtk(tmp_path: Path) -> None:
    told = measured_alone("pull", "--instances", "3", into=tmp_path)

    assert [one["way"] for one in told["pulls"]] == ["move", "get", "wado"]
    assert all(one["rate_ratio"]["median"] > 0 for one in told["pulls"][:2])
    assert all(one["ours_first_ms"]["median"] > 0 for one in told["pulls"])


def measured_alone(name: str, *few: str, into: Path) -> dict[str, Any]:
    """What a benchmark with peers keeps, measured once in a network of its own."""
    for program in ("Orthanc", "dcmsend", "storescp", "movescu", "getscu", "curl"):
        peer(program)
    command = [sys.executable, "-m", "benchmarks", name, *few, "--rounds", "1", "--into", str(into)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert (into / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    told: dict[str, Any] = json.loads((into / f"{name}.json").read_text())
    return told


def test_a_manifest_is_measured_beside_pydicom(tmp_path: Path) -> None:
    few = "--references 3 --rounds 1".split()

    run = CliRunner().invoke(app, ["manifest", *few, "--into", str(tmp_path)])

    assert run.exit_code == 0, run.output
    deeds = json.loads((tmp_path / "manifest.json").read_text())["deeds"]
    assert [one["deed"] for one in deeds] == ["build and write", "read and list"]
    assert (tmp_path / "manifest.png").read_bytes().startswith(b"\x89PNG")


def test_all_benchmarks_are_run_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def run(command: list[str], *, check: bool) -> None:
        begun.append(command[3])

    monkeypatch.setattr(subprocess, "run", run)
    invoked = CliRunner().invoke(app, ["all", "--into", str(tmp_path)])

    assert invoked.exit_code == 0, invoked.output
    assert begun == [one.name for one in app.registered_commands if one.name != "all"]
    assert {"publish", "retrieve", "qido", "pull", "ingest"} <= set(begun)
