"""What the PostgreSQL engine adds to the contract: one writer, a server that dies, its errors."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest

from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.storage import postgresql_connection, postgresql_writing
from gateway.storage.database import LongWork, Transaction
from gateway.storage.postgresql import PostgresqlDatabase
from gateway.storage.postgresql_connection import look_at
from gateway.storage.postgresql_statement import StatementRefused, spoken
from tests.support.notes import (
    CREATE,
    SELECT,
    WorkFailed,
    a_note,
    a_note_that_fails,
    note_ids,
)
from tests.support.postgresql import END_SESSIONS, PostgresqlServer

TRANSACTION = "SELECT pg_current_xact_id()::text AS number"
QUOTING = [
    "INSERT INTO named VALUES (:name), (:name)",
    "SELECT CAST(:name AS INTEGER)",
    "SELECT CAST(CAST(:name AS TEXT) AS INTEGER)",
]
SORTED_BY_A_LANGUAGE = """CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu
    ICU_LOCALE 'fr' LOCALE 'C'"""


@pytest.fixture
async def engine(postgresql: PostgresqlServer) -> AsyncIterator[PostgresqlDatabase]:
    engine = await PostgresqlDatabase.open(postgresql.emptied())
    await engine.write(lambda tx: tx.fetch(CREATE))
    yield engine
    await engine.close()


@pytest.fixture
def server(postgresql: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A server that the test may stop; it runs for the next."""
    yield postgresql
    postgresql.start()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a lock."""
    monkeypatch.setattr(postgresql_connection, "LOCK_S_MAX", 1)


async def test_works_that_wait_share_one_transaction(engine: PostgresqlDatabase) -> None:
    begun, proceed = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        begun.set()
        await proceed.wait()

    async def number(tx: Transaction) -> object:
        [row] = await tx.fetch(TRANSACTION)
        return row["number"]

    holding = asyncio.create_task(engine.write(hold))
    await begun.wait()
    waiting = [asyncio.create_task(engine.write(number)) for _ in range(200)]
    failing = asyncio.create_task(engine.write(a_note_that_fails(1)))
    await asyncio.sleep(0)  # each has handed in its work
    proceed.set()
    numbers = await asyncio.gather(*waiting)

    assert len(set(numbers)) == 1
    await holding
    with pytest.raises(WorkFailed):
        await failing


@pytest.mark.usefixtures("hurried")
async def test_a_second_process_is_refused(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer
) -> None:
    with pytest.raises(StorageUnavailable, match="another process writes to it"):
        await PostgresqlDatabase.open(postgresql.url)

    await engine.write(a_note(1))
    assert await note_ids(engine) == [1]


async def test_a_database_that_is_in_use_can_be_looked_at(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer
) -> None:
    assert (await look_at(postgresql.url)).startswith("PostgreSQL ")


async def test_a_server_that_dies_fails_the_work_and_is_found_again(
    engine: PostgresqlDatabase, server: PostgresqlServer
) -> None:
    await engine.write(a_note(1))

    server.stop()
    with pytest.raises(StorageUnavailable):
        await engine.write(a_note(2))
    with pytest.raises(StorageUnavailable):
        await note_ids(engine)
    server.start()
    await engine.write(a_note(3))

    assert await note_ids(engine) == [1, 3]


async def test_a_server_that_dies_within_a_work_leaves_nothing_of_it(
    engine: PostgresqlDatabase, server: PostgresqlServer
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        await asyncio.to_thread(server.stop)
        await tx.fetch("INSERT INTO note (note_id) VALUES (2)")

    async def read(tx: Transaction) -> None:
        await tx.fetch(SELECT)
        await begun.wait()
        await tx.fetch(SELECT)

    begun = asyncio.Event()
    reading = asyncio.create_task(engine.read(read))
    with pytest.raises(StorageUnavailable):
        await engine.write(work)
    begun.set()
    with pytest.raises(StorageUnavailable):
        await reading
    server.start()
    await engine.write(a_note(3))

    assert await note_ids(engine) == [3]


async def test_a_session_that_hangs_is_given_up(
    postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_connection, "ANSWER_S_MAX", 0.3)
    monkeypatch.setattr(postgresql_writing, "DOUBT_S_MAX", 0.3)
    engine = await PostgresqlDatabase.open(postgresql.emptied())
    await engine.write(lambda tx: tx.fetch(CREATE))
    [row] = await engine.write(lambda tx: tx.fetch("SELECT pg_backend_pid() AS session"))
    session = int(str(row["session"]))

    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        os.kill(session, signal.SIGSTOP)

    with pytest.raises(StorageUnavailable):
        await engine.write(work)
    os.kill(session, signal.SIGCONT)
    await engine.write(a_note(2))
    [row] = await engine.write(lambda tx: tx.fetch("SELECT pg_backend_pid() AS session"))

    assert row["session"] != session
    assert 2 in await note_ids(engine)
    await engine.close()


async def test_a_work_that_swallows_the_error_of_its_statement_fails_alone(
    engine: PostgresqlDatabase,
) -> None:
    async def work(tx: Transaction) -> None:
        with pytest.raises(StatementRefused):
            await tx.fetch("SELECT 1 / 0")

    works = [engine.write(a_note(1)), engine.write(work), engine.write(a_note(2))]
    outcomes = await asyncio.gather(*works, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None), StatementRefused, type(None)]
    assert await note_ids(engine) == [1, 2]


async def test_no_error_quotes_what_was_written(
    engine: PostgresqlDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.write(lambda tx: tx.fetch("CREATE TABLE named (name TEXT PRIMARY KEY)"))
    said = []
    for sql in QUOTING:

        async def work(tx: Transaction, sql: str = sql) -> None:
            await tx.fetch(sql, name="DUPONT")

        with pytest.raises(StatementRefused) as refused:
            await engine.write(work)
        said.append(refused.value)

    assert all("DUPONT" not in f"{error}{error.__cause__}" for error in said)
    assert "DUPONT" not in caplog.text


async def test_parameters_are_not_logged(
    engine: PostgresqlDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await engine.write(a_note(1, "DUPONT"))

    assert "DUPONT" not in caplog.text


async def test_a_text_that_postgresql_cannot_keep_is_the_senders_to_mend(
    engine: PostgresqlDatabase,
) -> None:
    items = "SELECT value FROM json_each(:items)"

    with pytest.raises(InvalidRequest):
        await engine.write(a_note(1, "a\0b"))
    with pytest.raises(InvalidRequest):
        await engine.read(lambda tx: tx.fetch(items, items=r'["a\u0000b"]'))


async def test_a_text_that_no_index_takes_is_the_senders_to_mend(
    engine: PostgresqlDatabase,
) -> None:
    await engine.write(lambda tx: tx.fetch("CREATE TABLE named (name TEXT PRIMARY KEY)"))
    name = Random(1).randbytes(3000).hex()  # such that it cannot be compressed

    with pytest.raises(InvalidRequest, match="too long"):
        await engine.write(lambda tx: tx.fetch("INSERT INTO named VALUES (:name)", name=name))


async def test_few_rows_are_found_by_their_keys_however_many_there_are(
    engine: PostgresqlDatabase,
) -> None:
    filled = "INSERT INTO note SELECT number, '' FROM generate_series(1, 20000) AS number"
    await engine.write(LongWork(lambda tx: tx.fetch(filled)))
    await engine.write(LongWork(lambda tx: tx.fetch("ANALYZE note")))
    follow = """WITH RECURSIVE next (id) AS (
        SELECT CAST(value AS INTEGER) FROM json_each(:ids)
        UNION SELECT note_id + 1 FROM next JOIN note ON note_id = id WHERE id < 10)
        SELECT note_id FROM next JOIN note ON note_id = id"""

    plan = await engine.read(lambda tx: tx.fetch(f"EXPLAIN {follow}", ids="[5]"))
    found = await engine.read(lambda tx: tx.fetch(follow, ids="[5]"))

    assert "Seq Scan" not in str(plan)
    assert len(found) == 6


@pytest.mark.usefixtures("hurried")
async def test_a_lock_that_an_operator_holds_is_waited_for_within_limits(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer
) -> None:
    operator = await postgresql_connection.connect(postgresql.url)
    await operator.execute("BEGIN; LOCK TABLE note")
    with pytest.raises(StorageUnavailable, match="lock timeout"):
        await engine.write(a_note(1))
    await postgresql_connection.disconnect(operator)

    await engine.write(a_note(2))

    assert await note_ids(engine) == [2]


async def test_a_commit_that_is_refused_leaves_no_transaction_open(
    engine: PostgresqlDatabase,
) -> None:
    later = "REFERENCES note (note_id) DEFERRABLE INITIALLY DEFERRED"
    await engine.write(lambda tx: tx.fetch(f"CREATE TABLE part (note_id INTEGER {later})"))

    with pytest.raises(StorageUnavailable):
        await engine.write(lambda tx: tx.fetch("INSERT INTO part (note_id) VALUES (404)"))
    await engine.write(a_note(1))

    assert await note_ids(engine) == [1]


async def test_a_cancelled_read_ends_its_statement(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer
) -> None:
    begun = asyncio.Event()

    async def work(tx: Transaction) -> None:
        begun.set()
        await tx.fetch("SELECT count(*) FROM generate_series(1, 100000000000)")

    reading = asyncio.create_task(engine.read(work))
    await begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await reading

    assert await note_ids(engine) == []
    at_work = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM gen%'"
    assert postgresql.ask(f"{at_work} AND state = 'active'") == "0"


async def test_too_many_waiting_reads_are_turned_away(postgresql: PostgresqlServer) -> None:
    engine = await PostgresqlDatabase.open(postgresql.emptied(), readers=1, queue_max=1)
    begun, proceed = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        begun.set()
        await proceed.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.read(hold))
        await begun.wait()
        tasks.create_task(engine.read(hold))
        await asyncio.sleep(0)  # it waits for the connection
        with pytest.raises(StorageUnavailable):
            await engine.read(hold)
        proceed.set()

    await engine.close()


async def test_commits_are_durable_whatever_the_role_was_given(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer
) -> None:
    postgresql.ask("ALTER ROLE drim SET synchronous_commit = off")
    try:
        await look_at(postgresql.url)
        postgresql.ask(END_SESSIONS)
        again = await engine.write(lambda tx: tx.fetch("SHOW synchronous_commit"))
    finally:
        postgresql.ask("ALTER ROLE drim RESET synchronous_commit")

    assert again == [{"synchronous_commit": "on"}]


async def test_a_server_that_does_not_sync_is_warned_of(
    engine: PostgresqlDatabase, caplog: pytest.LogCaptureFixture, postgresql: PostgresqlServer
) -> None:
    await look_at(postgresql.url)

    assert "database_may_lose_commits" in caplog.text


async def test_a_database_that_sorts_by_a_language_is_refused(
    postgresql: PostgresqlServer,
) -> None:
    postgresql.ask("DROP DATABASE IF EXISTS sorted", SORTED_BY_A_LANGUAGE)

    with pytest.raises(StorageUnavailable, match="sort by bytes: create it with"):
        await PostgresqlDatabase.open(postgresql.url.replace("/postgres?", "/sorted?"))


@pytest.mark.parametrize(
    "url, complaint",
    [
        (
            "postgresql://drim:secret@127.0.0.1:1/drim",
            "cannot open the database: .*does not answer",
        ),
        ("postgresql://drim:sec/ret@127.0.0.1/drim", "cannot be understood"),
        ("postgresql://drim:secret@127.0.0.1/drim?sslmode=never", "cannot be understood"),
    ],
)
async def test_a_server_that_is_not_there_is_told_without_the_password(
    url: str, complaint: str
) -> None:
    with pytest.raises(StorageUnavailable, match=complaint) as refused:
        await PostgresqlDatabase.open(url)

    assert "sec" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "sql, expected",
    [
        ("SELECT :a, :b, :a", ("SELECT $1, $2, $1", ("a", "b"))),
        ("SELECT ':a', \":a\", 'it''s :a'", ("SELECT ':a', \":a\", 'it''s :a'", ())),
        ("-- of :a\nSELECT :b -- :c", ("-- of :a\nSELECT $1 -- :c", ("b",))),
        ("SELECT /* :a\n:b */ :c", ("SELECT /* :a\n:b */ $1", ("c",))),
        ("SELECT :a::text", ("SELECT $1::text", ("a",))),
        ("CREATE TABLE t (a TEXT) WITHOUT ROWID;", ("CREATE TABLE t (a TEXT) ;", ())),
        ("SELECT 'WITHOUT ROWID'", ("SELECT 'WITHOUT ROWID'", ())),
    ],
)
def test_parameters_are_numbered_where_sql_has_them(
    sql: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    assert spoken(sql) == expected


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_work_asks_one_thing_at_a_time(engine: PostgresqlDatabase, kind: str) -> None:
    async def fetching(tx: Transaction) -> None:
        await asyncio.gather(tx.fetch(SELECT), tx.fetch(SELECT))

    async def adding(tx: Transaction) -> None:
        await asyncio.gather(*(tx.add("note", [{"note_id": n}]) for n in (1, 2)))

    for work in (fetching, adding):
        with pytest.raises(RuntimeError, match="one statement at a time"):
            await getattr(engine, kind)(work)
    await engine.write(a_note(3))

    assert await note_ids(engine) == [3]
