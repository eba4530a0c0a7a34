"""What every engine promises to the repositories; each test runs on each, by `database_url`."""

import asyncio
from concurrent.futures import Future

import pytest

from gateway.errors import StorageUnavailable
from gateway.storage import postgresql_writing, sqlite, transaction
from gateway.storage.database import Database, Dialect, LongWork, Row, Transaction
from tests.support.gates import Gate
from tests.support.notes import (
    INSERT,
    SELECT,
    OpenDatabase,
    WorkFailed,
    a_note,
    a_note_that_fails,
    note_ids,
)


async def test_what_was_written_is_read(database: Database) -> None:
    await database.write(a_note(1, "chest"))

    rows = await database.read(lambda tx: tx.fetch("SELECT note_id, text FROM note"))

    assert rows == [{"note_id": 1, "text": "chest"}]


async def test_a_statement_without_result_gives_no_rows(database: Database) -> None:
    rows = await database.write(lambda tx: tx.fetch("DELETE FROM note"))

    assert rows == []


@pytest.mark.parametrize("text", ["", "é œ", "a'; DROP TABLE note; --", "\N{GRINNING FACE}", None])
async def test_a_parameter_comes_back_as_it_was(database: Database, text: str | None) -> None:
    [row] = await database.write(
        lambda tx: tx.fetch(f"{INSERT} RETURNING text", note_id=1, text=text)
    )

    assert row["text"] == text


async def test_a_work_gives_its_result(database: Database) -> None:
    async def count(tx: Transaction) -> int:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1), (2)")
        return len(await tx.fetch(SELECT))

    assert await database.write(count) == 2


async def test_a_work_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(WorkFailed):
        await database.write(a_note_that_fails(1))

    assert await note_ids(database) == []


async def test_a_wrong_statement_leaves_nothing_and_is_no_want_of_storage(
    database: Database,
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")

    with pytest.raises(Exception, match=r"(?i)unique") as raised:
        await database.write(work)

    assert not isinstance(raised.value, StorageUnavailable)
    assert await note_ids(database) == []


async def test_nothing_is_committed_before_what_must_be_done_first(database: Database) -> None:
    file: Future[None] = Future()
    ran, loop = asyncio.Event(), asyncio.get_running_loop()

    async def work(tx: Transaction) -> None:
        await a_note(1)(tx)
        loop.call_soon_threadsafe(ran.set)

    writing = asyncio.create_task(database.write(work, after=file))
    await ran.wait()
    seen_before = await note_ids(database)
    was_told = writing.done()
    file.set_result(None)
    await writing

    assert (seen_before, was_told) == ([], False)
    assert await note_ids(database) == [1]


async def test_nothing_is_committed_where_what_must_be_done_first_fails(
    database: Database,
) -> None:
    file: Future[None] = Future()
    file.set_exception(OSError(5, "the disk fails"))

    with pytest.raises(StorageUnavailable):
        await database.write(a_note(1), after=file)
    await database.write(a_note(2))

    assert await note_ids(database) == [2]


async def test_what_must_be_done_first_is_not_waited_for_without_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in (sqlite, postgresql_writing):
        monkeypatch.setattr(engine, "AFTER_S_MAX", 0.01)

    with pytest.raises(StorageUnavailable):
        await database.write(a_note(1), after=Future())
    await database.write(a_note(2))

    assert await note_ids(database) == [2]


async def test_a_work_that_fails_does_not_hurt_its_neighbours(database: Database) -> None:
    works = [a_note(n) if n % 3 else a_note_that_fails(n) for n in range(1, 31)]

    outcomes = await asyncio.gather(*map(database.write, works), return_exceptions=True)

    kept = [n for n in range(1, 31) if n % 3]
    assert await note_ids(database) == kept
    assert [n for n, outcome in enumerate(outcomes, start=1) if outcome is None] == kept


async def test_a_work_that_catches_its_own_error_keeps_the_rest(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        try:
            raise WorkFailed
        except WorkFailed:
            await tx.fetch("INSERT INTO note (note_id) VALUES (2)")

    await database.write(work)

    assert await note_ids(database) == [1, 2]


async def test_a_cancelled_caller_does_not_cancel_its_work(database: Database) -> None:
    gate = Gate()

    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        await gate.pass_through()
        await tx.fetch("INSERT INTO note (note_id) VALUES (2)")

    caller = asyncio.create_task(database.write(work))
    await gate.reached.wait()
    caller.cancel()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await database.write(a_note(3))

    assert await note_ids(database) == [1, 2, 3]


async def test_a_caller_cancelled_in_the_queue_does_not_cancel_its_work(database: Database) -> None:
    callers = [asyncio.create_task(database.write(a_note(n))) for n in range(1, 6)]
    await asyncio.sleep(0)  # each has handed in its work

    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    await database.write(a_note(6))

    assert await note_ids(database) == [1, 2, 3, 4, 5, 6]


async def test_a_work_that_is_cancelled_by_what_it_awaits_fails_alone(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await database.write(work)
    await database.write(a_note(2))

    assert await note_ids(database) == [2]


async def test_a_work_that_waits_for_something_else_is_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "PAUSE_S_MAX", 0.05)

    async def deadlock(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        await database.write(a_note(2))  # waits for the writer, which waits for this work

    # One engine gives it no loop to wait on, the other ends it after a while.
    with pytest.raises((RuntimeError, StorageUnavailable), match=r"event loop|paused"):
        await database.write(deadlock)
    await database.write(a_note(3))

    kept = await note_ids(database)
    assert 3 in kept
    assert 1 not in kept


async def test_a_write_begins_a_generation_and_a_read_does_not(database: Database) -> None:
    before = database.generation
    await database.read(lambda tx: tx.fetch(SELECT))
    after_reading = database.generation
    await database.write(a_note(1))
    after_writing = database.generation
    with pytest.raises(WorkFailed):
        await database.write(a_note_that_fails(2))

    if database.dialect is Dialect.POSTGRESQL:  # another gateway may take over, unseen
        assert before is after_writing is None
    else:
        assert before == after_reading
        assert len({before, after_writing, database.generation}) == 3


async def test_a_long_work_is_a_work(database: Database) -> None:
    await database.write(LongWork(a_note(1)))

    assert await note_ids(database) == [1]


async def test_a_character_that_is_none_hides_nothing_else_of_a_json_text(
    database: Database,
) -> None:
    """JSON may write U+0000, and bytes from outside are kept as they came."""
    await database.write(lambda tx: tx.fetch("CREATE TABLE told (json BLOB)"))
    told = rb'{"name": "a\u0000\u0000b", "path": "c:\\u0000", "until": "x", "list": [{"n": 7}]}'
    await database.write(lambda tx: tx.fetch("INSERT INTO told VALUES (:told)", told=told))
    as_text = (
        "convert_from(json, 'UTF8')"
        if database.dialect is Dialect.POSTGRESQL
        else "CAST(json AS TEXT)"
    )
    [row] = await database.read(
        lambda tx: tx.fetch(
            f"SELECT json_extract({as_text}, '$.until') AS until,"
            f" json_extract({as_text}, '$.path') AS path,"
            f" CAST(json_extract({as_text}, '$.list[0].n') AS INTEGER) AS n FROM told"
        )
    )

    assert row == {"until": "x", "path": r"c:\u0000", "n": 7}


async def test_a_reader_sees_one_snapshot(database: Database) -> None:
    await database.write(a_note(1))
    gate = Gate()

    async def read_twice(tx: Transaction) -> tuple[list[Row], list[Row]]:
        before = await tx.fetch(SELECT)
        await gate.pass_through()
        return before, await tx.fetch(SELECT)

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(database.read(read_twice))
        await gate.reached.wait()
        await database.write(a_note(2))  # a reader does not hold it up
        gate.open()
    before, after = reading.result()

    assert before == after == [{"note_id": 1}]
    assert await note_ids(database) == [1, 2]


async def test_a_reader_does_not_wait_for_the_writer(database: Database) -> None:
    gate = Gate()

    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        await gate.pass_through()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(database.write(work))
        await gate.reached.wait()
        meanwhile = await note_ids(database)
        gate.open()

    assert meanwhile == []
    assert await note_ids(database) == [1]


async def test_a_reader_may_not_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        await database.read(a_note(1))

    assert await note_ids(database) == []


async def test_more_readers_than_connections_take_turns(database: Database) -> None:
    await database.write(a_note(1))

    answers = await asyncio.gather(*(note_ids(database) for _ in range(100)))

    assert answers == [[1]] * 100


async def test_a_cancelled_reader_gives_its_connection_back(database: Database) -> None:
    gate = Gate()

    # More than there are connections, so that some are cancelled while they wait for one.
    readers = [asyncio.create_task(database.read(gate)) for _ in range(20)]
    await gate.reached.wait()
    for reader in readers:
        reader.cancel()
    gate.open()
    await asyncio.wait(readers)

    assert await asyncio.gather(*(note_ids(database) for _ in range(20))) == [[]] * 20


async def test_a_transaction_is_void_after_its_work(database: Database) -> None:
    async def leak(tx: Transaction) -> Transaction:
        return tx

    leaked = await database.write(leak)

    with pytest.raises(RuntimeError, match="ended"):
        await leaked.fetch(SELECT)


async def test_closing_finishes_what_was_accepted(
    database: Database, open_database: OpenDatabase
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for n in range(1, 301):
            tasks.create_task(database.write(a_note(n)))
        reading = tasks.create_task(note_ids(database))
        await asyncio.sleep(0)  # each has handed in its work
        await database.close()

    assert reading.done()
    again = await open_database()
    assert await note_ids(again) == list(range(1, 301))
    await again.close()


async def test_a_closed_database_refuses(database: Database) -> None:
    await database.close()
    await database.close()

    with pytest.raises(StorageUnavailable):
        await database.write(a_note(1))
    with pytest.raises(StorageUnavailable):
        await note_ids(database)


async def test_a_database_names_a_dialect(database: Database) -> None:
    assert database.dialect in set(Dialect)
