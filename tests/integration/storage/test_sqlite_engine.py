"""What the SQLite engine adds to the contract: shared commits, limits, and what a bad disk does."""

import asyncio
import logging
import resource
import sqlite3
import stat
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.errors import StorageUnavailable
from gateway.storage.database import Transaction, Work
from gateway.storage.sqlite import SqliteDatabase
from tests.support.gates import Gate
from tests.support.notes import CREATE, SELECT, WorkFailed, a_note, a_note_that_fails, note_ids

WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.sqlite"


@pytest.fixture
async def engine(file: Path) -> AsyncIterator[SqliteDatabase]:
    engine = await SqliteDatabase.open(file)
    await engine.write(lambda tx: tx.fetch(CREATE))
    yield engine
    await engine.close()


def commits(file: Path) -> int:
    """Commits in the write-ahead log: the frames that give the size of the database after them."""
    log = file.with_name(f"{file.name}-wal").read_bytes()
    frame_bytes = FRAME_HEADER_BYTES + struct.unpack_from(">I", log, 8)[0]
    starts = range(WAL_HEADER_BYTES, len(log) - frame_bytes + 1, frame_bytes)
    return sum(struct.unpack_from(">I", log, start + 4)[0] > 0 for start in starts)


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """As on a full disk, but for this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def behind_a_gate(
    engine: SqliteDatabase, tasks: asyncio.TaskGroup, works: int
) -> tuple[Gate, list[asyncio.Task[None]]]:
    """Hand in works 1, 2, … while the writer is held, so that they wait together."""
    gate = Gate()
    tasks.create_task(engine.write(gate))
    await gate.reached.wait()
    waiting = [tasks.create_task(engine.write(a_note(n))) for n in range(1, works + 1)]
    await asyncio.sleep(0)  # each has handed in its work
    return gate, waiting


async def test_works_that_wait_share_one_commit(engine: SqliteDatabase, file: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        gate, _ = await behind_a_gate(engine, tasks, works=200)
        before = commits(file)
        gate.open()

    assert commits(file) - before == 1
    assert len(await note_ids(engine)) == 200


async def test_a_group_has_a_limit(file: Path) -> None:
    engine = await SqliteDatabase.open(file, group_max=50)
    await engine.write(lambda tx: tx.fetch(CREATE))

    async with asyncio.TaskGroup() as tasks:
        gate, _ = await behind_a_gate(engine, tasks, works=200)
        before = commits(file)
        gate.open()

    assert commits(file) - before == 4
    await engine.close()


async def test_no_caller_hears_of_its_work_before_the_commit(
    engine: SqliteDatabase, file: Path
) -> None:
    at_return = []

    async def write(n: int) -> None:
        await engine.write(a_note(n))
        at_return.append(commits(file))

    async with asyncio.TaskGroup() as tasks:
        gate, _ = await behind_a_gate(engine, tasks, works=0)
        before = commits(file)
        for n in range(1, 21):
            tasks.create_task(write(n))
        await asyncio.sleep(0)  # each has handed in its work
        gate.open()

    assert at_return == [before + 1] * 20


async def test_works_run_in_the_order_in_which_they_came(engine: SqliteDatabase) -> None:
    order: list[int] = []

    def work(n: int) -> Work[None]:
        async def run(tx: Transaction) -> None:
            await tx.fetch(SELECT)
            order.append(n)

        return run

    await asyncio.gather(*(engine.write(work(n)) for n in range(300)))

    assert order == list(range(300))


async def test_too_many_waiting_writes_are_turned_away(file: Path) -> None:
    engine = await SqliteDatabase.open(file, queue_max=10)
    await engine.write(lambda tx: tx.fetch(CREATE))

    async with asyncio.TaskGroup() as tasks:
        gate, _ = await behind_a_gate(engine, tasks, works=10)
        with pytest.raises(StorageUnavailable) as refused:
            await engine.write(a_note(11))
        gate.open()

    assert refused.value.retry_after_s is not None
    assert await note_ids(engine) == list(range(1, 11))
    await engine.close()


async def test_too_many_waiting_reads_are_turned_away(file: Path) -> None:
    engine = await SqliteDatabase.open(file, readers=1, queue_max=1)
    await engine.write(lambda tx: tx.fetch(CREATE))
    gate = Gate()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.read(gate))
        await gate.reached.wait()
        tasks.create_task(engine.read(lambda tx: tx.fetch(SELECT)))
        await asyncio.sleep(0)  # it waits for the connection
        with pytest.raises(StorageUnavailable):
            await engine.read(gate)
        gate.open()

    await engine.close()


async def test_a_failure_that_no_caller_hears_is_logged_by_its_kind_alone(
    engine: SqliteDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(tx: Transaction) -> None:
        raise WorkFailed("DUPONT")

    caller = asyncio.create_task(engine.write(work))
    await asyncio.sleep(0)  # it has handed in its work
    caller.cancel()
    await asyncio.wait([caller])
    await engine.write(a_note(1))

    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert (record.message, vars(record)["error"]) == ("work_failed_unheard", "WorkFailed")
    assert "DUPONT" not in caplog.text


async def test_parameters_are_not_logged(
    engine: SqliteDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await engine.write(a_note(1, "DUPONT"))
        await engine.read(lambda tx: tx.fetch(SELECT))

    assert "DUPONT" not in caplog.text


async def test_a_full_disk_fails_the_group_and_spares_the_next(
    engine: SqliteDatabase, file: Path
) -> None:
    async with asyncio.TaskGroup() as tasks:
        gate, _ = await behind_a_gate(engine, tasks, works=0)
        failing = [engine.write(a_note(n)) for n in range(1, 6)]
        together = asyncio.gather(
            *failing, engine.write(a_note_that_fails(6)), return_exceptions=True
        )
        await asyncio.sleep(0)  # each has handed in its work
        with no_file_may_grow():
            gate.open()
            *unavailable, own = await together

    assert [type(outcome) for outcome in unavailable] == [StorageUnavailable] * 5
    assert isinstance(own, WorkFailed)
    await engine.write(a_note(7))
    assert await note_ids(engine) == [7]


async def test_a_work_cannot_go_on_after_sqlite_has_rolled_it_back(engine: SqliteDatabase) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (2)")
        await tx.fetch("ROLLBACK")  # as SQLite itself does on some failures of the disk
        with pytest.raises(StorageUnavailable):
            await tx.fetch("INSERT INTO note (note_id) VALUES (3)")

    outcomes = await asyncio.gather(
        engine.write(a_note(1)), engine.write(work), return_exceptions=True
    )
    await engine.write(a_note(4))

    assert isinstance(outcomes[1], StorageUnavailable)
    kept = [1] if outcomes[0] is None else []  # they need not have shared a group
    assert await note_ids(engine) == [*kept, 4]


async def test_no_rows_are_added_after_sqlite_has_rolled_back(engine: SqliteDatabase) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("ROLLBACK")
        await tx.add("note", [{"note_id": 1}])

    with pytest.raises(StorageUnavailable, match="rolled"):
        await engine.write(work)

    await engine.write(a_note(2))
    assert await note_ids(engine) == [2]


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_work_cannot_wait_for_what_is_not_its_transaction(
    engine: SqliteDatabase, kind: str
) -> None:
    async def waiting(tx: Transaction) -> None:
        await tx.fetch(SELECT)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits nothing but its transaction"):
        await getattr(engine, kind)(waiting)

    await engine.write(a_note(1))
    assert await note_ids(engine) == [1]


async def test_a_commit_that_is_refused_leaves_no_transaction_open(engine: SqliteDatabase) -> None:
    await engine.write(
        lambda tx: tx.fetch(
            "CREATE TABLE part (note_id REFERENCES note DEFERRABLE INITIALLY DEFERRED)"
        )
    )

    with pytest.raises(StorageUnavailable) as refused:
        await engine.write(lambda tx: tx.fetch("INSERT INTO part (note_id) VALUES (404)"))
    await engine.write(a_note(1))

    assert isinstance(refused.value.__cause__, sqlite3.IntegrityError)
    assert await note_ids(engine) == [1]


async def test_nobody_waits_for_ever_when_the_loop_is_torn_down(engine: SqliteDatabase) -> None:
    gate = Gate()
    callers = [asyncio.create_task(engine.write(work)) for work in (gate, a_note(1), a_note(2))]
    await gate.reached.wait()
    late = asyncio.create_task(engine.write(a_note(3)))
    await asyncio.sleep(0)  # it has handed in its work

    [writer] = [task for task in asyncio.all_tasks() if task.get_name() == "group-writer"]
    writer.cancel()
    gate.open()  # what a thread has begun it ends; nobody waits for what comes after
    heard = await asyncio.gather(*callers, late, return_exceptions=True)

    assert [type(answer) for answer in heard] == [StorageUnavailable] * 4
    assert 3 not in await note_ids(engine)
    with pytest.raises(StorageUnavailable):
        await engine.write(a_note(4))


async def test_a_cancelled_read_ends_its_statement(engine: SqliteDatabase) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    gate = Gate()
    gate.open()

    async def work(tx: Transaction) -> None:
        await gate.pass_through()
        await tx.fetch(endless)

    reading = asyncio.create_task(engine.read(work))
    await gate.reached.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await reading

    assert await note_ids(engine) == []


async def test_the_file_is_as_safe_as_sqlite_can_make_it(engine: SqliteDatabase) -> None:
    async def ask(tx: Transaction) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [next(iter((await tx.fetch(f"PRAGMA {n}"))[0].values())) for n in names]

    full = 2

    assert await engine.write(ask) == ["wal", full, 1]


async def test_a_closed_file_is_whole_without_its_log(engine: SqliteDatabase, file: Path) -> None:
    await engine.write(a_note(1))

    await engine.close()

    assert not file.with_name(f"{file.name}-wal").exists()
    with sqlite3.connect(file) as plain:
        assert plain.execute(SELECT).fetchall() == [(1,)]
    plain.close()


@pytest.fixture
def damaged(file: Path) -> Path:
    file.write_bytes(b"not a database" * 100)
    return file


async def test_what_is_no_database_is_refused(damaged: Path) -> None:
    with pytest.raises(StorageUnavailable, match="cannot open"):
        await SqliteDatabase.open(damaged)


async def test_the_file_is_for_its_owner_alone(engine: SqliteDatabase, file: Path) -> None:
    files = [file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")]

    assert [stat.S_IMODE(each.stat().st_mode) for each in files] == [0o600] * 3


async def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="cannot open"):
        await SqliteDatabase.open(tmp_path / "absent" / "rows.sqlite")


async def test_a_path_may_hold_signs_that_mean_something_in_an_address(tmp_path: Path) -> None:
    folder = tmp_path / "a?b #c%20é"
    folder.mkdir()

    engine = await SqliteDatabase.open(folder / "rows.sqlite")
    await engine.write(lambda tx: tx.fetch(CREATE))
    await engine.close()

    assert (folder / "rows.sqlite").stat().st_size > 0
