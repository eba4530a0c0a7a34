"""Many rows added to a table at once, which every engine promises alike."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.errors import StorageUnavailable
from gateway.storage.database import Database, Row, Transaction, Work
from tests.support.gates import Gate
from tests.support.notes import WorkFailed, a_note, note_ids

CREATE_KEPT = """CREATE TABLE kept
    (number BIGINT PRIMARY KEY, share DOUBLE PRECISION, text TEXT, content BLOB)"""
EVERY_KIND: list[Row] = [
    {"number": -(2**63), "share": -0.1, "text": "é \\N\t\r\n", "content": b"\0\n\\N"},
    {"number": 2**63 - 1, "share": 1e300, "text": "", "content": b""},
    {"number": 0, "share": None, "text": None, "content": None},
]


def notes(*note_ids: int) -> list[Row]:
    return [{"note_id": one, "text": "chest"} for one in note_ids]


def adding(rows: Sequence[Row]) -> Work[None]:
    return lambda tx: tx.add("note", rows)


async def test_rows_come_back_as_they_were_added(database: Database) -> None:
    await database.write(lambda tx: tx.fetch(CREATE_KEPT))

    await database.write(lambda tx: tx.add("kept", EVERY_KIND))

    found = await database.read(lambda tx: tx.fetch("SELECT * FROM kept ORDER BY number"))
    assert found == sorted(EVERY_KIND, key=lambda row: int(str(row["number"])))


async def test_what_a_row_leaves_out_is_as_the_table_says(database: Database) -> None:
    await database.write(
        lambda tx: tx.fetch("CREATE TABLE told (number INTEGER, kind TEXT DEFAULT 'chest')")
    )

    await database.write(lambda tx: tx.add("told", [{"number": 1}]))

    found = await database.read(lambda tx: tx.fetch("SELECT * FROM told"))
    assert found == [{"number": 1, "kind": "chest"}]


async def test_a_value_goes_where_its_row_names_it(database: Database) -> None:
    await database.write(adding([{"note_id": 1, "text": "chest"}, {"text": "skull", "note_id": 2}]))

    found = await database.read(lambda tx: tx.fetch("SELECT * FROM note ORDER BY note_id"))
    assert found == [{"note_id": 1, "text": "chest"}, {"note_id": 2, "text": "skull"}]


@pytest.mark.parametrize("other", [{"note_id": 2}, {"note_id": 2, "text": "", "number": 3}])
async def test_rows_that_name_different_columns_are_not_added(
    database: Database, other: Row
) -> None:
    with pytest.raises(ValueError, match="the same columns"):
        await database.write(adding([*notes(1), other]))

    assert await note_ids(database) == []


async def test_no_rows_are_no_statement(database: Database) -> None:
    await database.write(lambda tx: tx.add("no_such_table", []))


async def test_many_rows_are_added_at_once(database: Database) -> None:
    await database.write(adding(notes(*range(20_000))))

    assert await note_ids(database) == list(range(20_000))


async def test_what_was_added_is_seen_by_its_own_work(database: Database) -> None:
    async def work(tx: Transaction) -> list[Row]:
        await tx.add("note", notes(1, 2))
        return await tx.fetch("DELETE FROM note WHERE note_id = 1 RETURNING text")

    assert await database.write(work) == [{"text": "chest"}]
    assert await note_ids(database) == [2]


async def test_a_key_that_is_taken_refuses_all_rows_of_its_work_alone(database: Database) -> None:
    await database.write(a_note(5))

    outcomes = await asyncio.gather(
        database.write(adding(notes(1, 2))),
        database.write(adding(notes(3, 4, 5, 6))),
        database.write(adding(notes(7, 8))),
        return_exceptions=True,
    )

    assert [outcomes[0], outcomes[2]] == [None, None]
    assert "unique" in str(outcomes[1]).lower()
    assert not isinstance(outcomes[1], StorageUnavailable)
    assert await note_ids(database) == [1, 2, 5, 7, 8]


async def test_a_work_that_goes_on_after_rows_were_refused_keeps_none_of_them(
    database: Database,
) -> None:
    async def work(tx: Transaction) -> None:
        with pytest.raises(Exception, match=r"(?i)unique"):
            await tx.add("note", notes(1, 2, 2))

    with pytest.raises(Exception, match=r"(?i)unique"):
        await database.write(work)

    assert await note_ids(database) == []


async def test_a_work_that_fails_after_it_added_rows_hurts_no_neighbour(
    database: Database,
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.add("note", notes(3, 4))
        raise WorkFailed

    outcomes = await asyncio.gather(
        database.write(adding(notes(1, 2))),
        database.write(work),
        database.write(adding(notes(5))),
        return_exceptions=True,
    )

    assert [type(one) for one in outcomes] == [type(None), WorkFailed, type(None)]
    assert await note_ids(database) == [1, 2, 5]


async def test_a_cancelled_caller_does_not_keep_its_rows_from_being_added(
    database: Database,
) -> None:
    gate = Gate()

    async def work(tx: Transaction) -> None:
        await gate.pass_through()
        await tx.add("note", notes(1, 2))

    caller = asyncio.create_task(database.write(work))
    await gate.reached.wait()
    caller.cancel()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await database.write(adding(notes(3)))

    assert await note_ids(database) == [1, 2, 3]


async def test_a_reader_may_not_add_rows(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        await database.read(adding(notes(1)))

    assert await note_ids(database) == []


async def test_no_rows_are_added_after_the_work_has_ended(database: Database) -> None:
    async def leak(tx: Transaction) -> Transaction:
        return tx

    leaked = await database.write(leak)

    with pytest.raises(RuntimeError, match="ended"):
        await leaked.add("note", notes(1))
