"""An operator verifies and seals the journal: what was done to it behind its back is told."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.document_set import document_set_of
from indexer.contract.identifiers import Ins
from indexer.server.acts import Exchange
from indexer.server.app import DATABASE_FILE
from indexer.server.journal.chain import Seal
from indexer.server.journal.verification import follow, write_seal
from tests.support.custody import Custody, custody_of
from tests.support.pointers import ANNE, PAUL, a_submission

LINES = {ANNE: 3, PAUL: 2}
EVER = 10**14


@pytest.fixture
async def custody(tmp_path: Path) -> Custody:
    """One that was; its files are there."""
    async with custody_of(await SqliteDatabase.open(tmp_path / DATABASE_FILE)) as custody:
        for number, patient in enumerate([ANNE, PAUL, ANNE, PAUL, ANNE]):
            await published(custody, number, patient)
    return custody


async def published(custody: Custody, number: int, patient: Ins = ANNE) -> None:
    submitted = document_set_of(a_submission(number, patient=patient))
    await custody.custodian.provide(None, submitted, exchange=Exchange.PROVIDE_BUNDLE)


def command(
    folder: Path, *arguments: str | Path, told: str = ""
) -> subprocess.CompletedProcess[str]:
    """What became of `drim-index journal` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "indexer.server", "journal", *arguments],
        env={**os.environ, "INDEX_DATA_DIR": str(folder)},
        input=told,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def harm(folder: Path, *statements: str) -> None:
    """What somebody may do who owns the database."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection, connection:
        for name in ("journal_is_not_changed", "journal_is_not_shortened"):
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def sealed(folder: Path) -> Path:
    """A seal of all that is there, in a file."""

    async def work() -> Seal:
        database = await SqliteDatabase.open(folder / DATABASE_FILE)
        _, [seal] = await follow(database, untils_ms=[EVER])
        await database.close()
        return seal

    kept = folder / "seals"
    kept.write_text(write_seal(asyncio.run(work())) + "\n")
    return kept


def test_a_journal_that_nobody_touched_is_whole(custody: Custody, tmp_path: Path) -> None:
    ended = command(tmp_path, "verify", "--seals", sealed(tmp_path))

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["lines: 5", "chains: 2", "seals: 1"]


@pytest.mark.parametrize("patient", [ANNE, PAUL])
def test_one_record_is_verified_without_being_named(
    custody: Custody, tmp_path: Path, patient: Ins
) -> None:
    ended = command(tmp_path, "verify", "--one", told=f"{patient.oid}|{patient.value}\n")

    assert ended.stdout.splitlines()[:2] == [f"lines: {LINES[patient]}", "chains: 1"]


# Paul's key comes first: 1620… before 2790….
@pytest.mark.parametrize("statement, told", [
    ("UPDATE journal SET event = CAST(replace(CAST(event AS TEXT), 'done', 'gone') AS BLOB) "
     f"WHERE patient_key LIKE '%{ANNE.value}' AND position = 2",
     "chain 2 is broken at line 2: its hash is another"),
    ("UPDATE journal SET at_ms = at_ms - 1 WHERE position = 1",
     "chain 1 is broken at line 1: its hash is another"),
    (f"DELETE FROM journal WHERE patient_key LIKE '%{ANNE.value}' AND position = 1",
     "chain 2 is broken at line 1: it is missing"),
    (f"UPDATE journal SET patient_key = 'x' WHERE patient_key LIKE '%{PAUL.value}'",
     "chain 2 is broken at line 1: its hash is another"),
    (f"INSERT INTO journal SELECT patient_key, 4, at_ms, event, hash FROM journal "
     f"WHERE patient_key LIKE '%{ANNE.value}' AND position = 3",
     "chain 2 is broken at line 4: its hash is another"),
])  # fmt: skip
def test_a_line_that_was_touched_is_told_by_its_place_alone(
    custody: Custody, tmp_path: Path, statement: str, told: str
) -> None:
    harm(tmp_path, statement)

    ended = command(tmp_path, "verify")

    assert ended.returncode == 1
    assert ended.stderr == f"drim-index: {told}\n"


@pytest.mark.parametrize("statement, told", [
    (f"DELETE FROM journal WHERE patient_key LIKE '%{ANNE.value}' AND position = 3",
     "1 lines and 0 chains of it are missing"),
    (f"DELETE FROM journal WHERE patient_key LIKE '%{PAUL.value}'",
     "2 lines and 1 chains of it are missing"),
    ("DELETE FROM journal", "5 lines and 2 chains of it are missing"),
])  # fmt: skip
def test_what_leaves_whole_chains_behind_is_told_by_the_seal(
    custody: Custody, tmp_path: Path, statement: str, told: str
) -> None:
    kept = sealed(tmp_path)
    harm(tmp_path, statement)

    with_seal = command(tmp_path, "verify", "--seals", kept)
    without = command(tmp_path, "verify")

    assert (with_seal.returncode, without.returncode) == (1, 0)
    assert with_seal.stderr.endswith(f"is broken: {told}\n")
    assert PAUL.value not in with_seal.stdout + with_seal.stderr


async def test_a_seal_is_made_while_the_index_runs(tmp_path: Path) -> None:
    clock_ms = [0]
    database = await SqliteDatabase.open(tmp_path / DATABASE_FILE)
    async with custody_of(database, now_ms=lambda: clock_ms[0]) as custody:
        await published(custody, 1)  # long ago
        clock_ms[0] = EVER
        await published(custody, 2)  # later than what is sealed

        first = await asyncio.to_thread(command, tmp_path, "seal")
        await published(custody, 3)
        (tmp_path / "seals").write_text(first.stdout)
        verified = await asyncio.to_thread(
            command, tmp_path, "verify", "--seals", tmp_path / "seals"
        )

    assert '"chains":1,"lines":1' in first.stdout
    assert (verified.returncode, verified.stderr) == (0, "")
    assert verified.stdout.splitlines() == ["lines: 3", "chains: 1", "seals: 1"]


@pytest.mark.parametrize("spoil, arguments, told", [
    (lambda kept: kept.write_text("{}"), [], ""),
    (lambda kept: kept.write_text('{"until": "2026-11-23", "chains": 1}'), [], ""),
    (lambda kept: kept.write_bytes(b"\xff"), [], ""),
    (lambda kept: kept.unlink(), [], ""),
    (lambda kept: None, ["--one"], f"{ANNE.oid}|{ANNE.value}"),
])  # fmt: skip
def test_seals_that_cannot_be_read_are_told_before_anything_is_done(
    custody: Custody,
    tmp_path: Path,
    spoil: Callable[[Path], object],
    arguments: list[str],
    told: str,
) -> None:
    kept = sealed(tmp_path)
    spoil(kept)

    ended = command(tmp_path, "verify", "--seals", kept, *arguments, told=told)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("drim-index: ")


def test_a_patient_who_cannot_be_is_not_repeated(custody: Custody, tmp_path: Path) -> None:
    ended = command(tmp_path, "verify", "--one", told="DESMAUX Anne")

    assert ended.returncode == 2
    assert "DESMAUX" not in ended.stderr


def test_where_there_is_no_index_nothing_is_made(tmp_path: Path) -> None:
    ended = command(tmp_path / "elsewhere", "verify")

    assert ended.returncode == 1
    assert list(tmp_path.iterdir()) == []
