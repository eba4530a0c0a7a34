"""What PostgreSQL's COPY, by which rows are added there, says of values, locks and lost servers."""

import asyncio
import logging

import pytest

from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.storage import postgresql_connection
from gateway.storage.database import Row, Transaction, Work
from gateway.storage.postgresql import PostgresqlDatabase
from gateway.storage.postgresql_statement import StatementRefused
from tests.support.lines import Line
from tests.support.notes import CREATE, a_note, note_ids
from tests.support.postgresql import PostgresqlServer


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long, neither for an answer nor for a lock."""
    monkeypatch.setattr(postgresql_connection, "ANSWER_S_MAX", 0.5)
    monkeypatch.setattr(postgresql_connection, "LOCK_S_MAX", 1)


def adding(*rows: Row) -> Work[None]:
    return lambda tx: tx.add("note", rows)


@pytest.mark.parametrize("text", ["a\0b", r'["a\u0000b"]'])
async def test_a_text_that_cannot_be_kept_is_the_senders_to_mend(
    engine: PostgresqlDatabase, text: str
) -> None:
    with pytest.raises(InvalidRequest):
        await engine.write(adding({"note_id": 1, "text": ""}, {"note_id": 2, "text": text}))

    await engine.write(a_note(3))
    assert await note_ids(engine) == [3]


@pytest.mark.parametrize(
    "row",
    [
        {"note_id": 1, "text": 7},
        {"note_id": "DUPONT", "text": ""},
        {"note_id": 2**31, "text": ""},
        {"note_id": 1, "text": "DUPONT\ud800"},
        {"note_id": 1, "name": "DUPONT"},
        {"note_id": None, "text": "DUPONT"},
    ],
)
async def test_a_value_that_its_column_does_not_take_is_refused_unquoted(
    engine: PostgresqlDatabase, row: Row, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        outcomes = await asyncio.gather(
            engine.write(a_note(3)), engine.write(adding(row)), engine.write(a_note(4)),
            return_exceptions=True,
        )  # fmt: skip

    refused = outcomes[1]
    assert isinstance(refused, StatementRefused)
    assert "DUPONT" not in f"{refused}{refused.__cause__}{caplog.text}"
    assert await note_ids(engine) == [3, 4]


async def test_a_server_that_is_lost_within_a_work_leaves_no_row_of_it(
    engine: PostgresqlDatabase, line: Line
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.add("note", [{"note_id": 1}])
        line.cut()
        await tx.add("note", [{"note_id": 2}])

    with pytest.raises(StorageUnavailable):
        await engine.write(work)
    await engine.write(a_note(3))

    assert await note_ids(engine) == [3]


@pytest.mark.usefixtures("hurried")
async def test_a_server_that_does_not_answer_is_given_up(
    postgresql: PostgresqlServer, line: Line
) -> None:
    postgresql.emptied()
    engine = await PostgresqlDatabase.open(line.url)
    await engine.write(lambda tx: tx.fetch(CREATE))

    async def work(tx: Transaction) -> None:
        await tx.add("note", [{"note_id": 1}])
        line.heard.clear()
        await tx.add("note", [{"note_id": number} for number in range(2, 100_000)])

    with pytest.raises(StorageUnavailable):
        async with asyncio.timeout(10):
            await engine.write(work)
    line.heard.set()
    await engine.write(a_note(1))

    assert await note_ids(engine) == [1]
    await engine.close()


@pytest.mark.usefixtures("hurried")
async def test_a_lock_that_an_operator_holds_is_waited_for_within_limits(
    postgresql: PostgresqlServer,
) -> None:
    engine = await PostgresqlDatabase.open(postgresql.emptied())
    await engine.write(lambda tx: tx.fetch(CREATE))
    operator = await postgresql_connection.connect(postgresql.url)
    await operator.execute("BEGIN; LOCK TABLE note")

    with pytest.raises(StorageUnavailable):
        await engine.write(adding({"note_id": 1}))
    await postgresql_connection.disconnect(operator)
    await engine.write(adding({"note_id": 2}))

    assert await note_ids(engine) == [2]
    await engine.close()
