"""What the PostgreSQL engine does when the line to its server, or the server behind it, changes."""

import asyncio
import logging
import time

import pytest

from gateway.errors import StorageUnavailable
from gateway.storage import postgresql, postgresql_connection, postgresql_writing
from gateway.storage.database import Transaction
from gateway.storage.postgresql import PostgresqlDatabase
from tests.support.lines import Line
from tests.support.notes import CREATE, SELECT, a_note, note_ids
from tests.support.postgresql import END_SESSIONS, PostgresqlServer


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long, neither for an answer nor for a lock."""
    monkeypatch.setattr(postgresql_connection, "CONNECT_S_MAX", 0.5)
    monkeypatch.setattr(postgresql_connection, "PROMPT_S_MAX", 0.5)
    monkeypatch.setattr(postgresql_connection, "STATEMENT_S_MAX", 0.5)
    monkeypatch.setattr(postgresql_connection, "ANSWER_S_MAX", 1.0)
    monkeypatch.setattr(postgresql_connection, "LOCK_S_MAX", 1)
    monkeypatch.setattr(postgresql_writing, "DOUBT_S_MAX", 1.0)
    monkeypatch.setattr(postgresql, "LEND_S_MAX", 1.0)


async def written(engine: PostgresqlDatabase, note_id: int) -> None:
    """Have a note written, as soon as the engine has found its server again."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await engine.write(a_note(note_id))
            except StorageUnavailable:
                await asyncio.sleep(0.05)


async def test_a_session_that_was_ended_while_idle_costs_no_write_and_no_read(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer
) -> None:
    for number in range(1, 9):
        await note_ids(engine)
        postgresql.ask(END_SESSIONS)

        await engine.write(a_note(number))
        assert await note_ids(engine) == list(range(1, number + 1))


async def test_a_commit_whose_answer_is_lost_is_told_as_what_it_was(
    engine: PostgresqlDatabase, line: Line
) -> None:
    line.fatal = b"COMMIT"

    await engine.write(a_note(1))

    assert line.cuts == 1
    assert await note_ids(engine) == [1]


async def test_a_commit_that_never_reached_the_server_is_told_as_a_failure(
    engine: PostgresqlDatabase, line: Line
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")
        line.cut()

    with pytest.raises(StorageUnavailable, match="could not commit"):
        await engine.write(work)
    await engine.write(a_note(2))

    assert await note_ids(engine) == [2]


@pytest.mark.usefixtures("hurried")
async def test_a_commit_that_nobody_can_ask_after_is_told_as_unknown(
    postgresql: PostgresqlServer, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    postgresql.emptied()
    engine = await PostgresqlDatabase.open(line.url)
    await engine.write(lambda tx: tx.fetch(CREATE))
    line.fatal = b"COMMIT"
    line.refused = 1000

    with pytest.raises(StorageUnavailable, match="did not say whether"):
        await engine.write(a_note(1))
    line.refused = 0
    await written(engine, 2)

    assert await note_ids(engine) == [1, 2]
    assert "group_in_doubt" in caplog.text
    await engine.close()


@pytest.mark.usefixtures("hurried")
async def test_a_silent_line_is_given_up_by_writes_reads_and_the_end(
    postgresql: PostgresqlServer, line: Line
) -> None:
    postgresql.emptied()
    engine = await PostgresqlDatabase.open(line.url)
    await engine.write(lambda tx: tx.fetch(CREATE))
    begun = asyncio.Event()

    async def read(tx: Transaction) -> None:
        await tx.fetch(SELECT)
        await begun.wait()
        await tx.fetch(SELECT)

    reading = asyncio.create_task(engine.read(read))
    await note_ids(engine)
    line.heard.clear()
    begun.set()

    started = time.monotonic()
    outcomes = await asyncio.gather(
        reading,
        *(engine.write(a_note(number)) for number in range(1000)),
        *(note_ids(engine) for _ in range(100)),
        return_exceptions=True,
    )
    await engine.close()

    assert {type(one) for one in outcomes} == {StorageUnavailable}
    assert time.monotonic() - started < 15


@pytest.mark.usefixtures("hurried")
async def test_who_loses_the_writers_lock_to_another_process_fails_at_once(
    postgresql: PostgresqlServer, line: Line
) -> None:
    postgresql.emptied()
    engine = await PostgresqlDatabase.open(line.url)
    await engine.write(lambda tx: tx.fetch(CREATE))
    line.cut()
    postgresql.ask(END_SESSIONS)
    other = await postgresql_connection.connect(postgresql.url)
    try:
        await other.execute(f"SELECT pg_advisory_lock({postgresql_writing.WRITERS_LOCK})")
        with pytest.raises(StorageUnavailable):
            await engine.write(a_note(0))

        started = time.monotonic()
        works = [engine.write(a_note(number)) for number in range(1, 2000)]
        outcomes = await asyncio.gather(*works, return_exceptions=True)
        took_s = time.monotonic() - started
    finally:  # the server is that of other tests, too
        await postgresql_connection.disconnect(other)

    assert {str(one) for one in outcomes} == {"the database could not commit"}
    # They are eight groups: had each waited for the lock, it would be as many seconds.
    assert took_s < 5 * postgresql_connection.LOCK_S_MAX
    await written(engine, 2000)
    await engine.close()


@pytest.mark.parametrize(
    "rewritten", ["groups = groups - 1", "groups = groups + 2", "writer = 'another'"]
)
async def test_a_server_that_lacks_what_was_acknowledged_is_neither_written_nor_read(
    engine: PostgresqlDatabase,
    postgresql: PostgresqlServer,
    caplog: pytest.LogCaptureFixture,
    rewritten: str,
) -> None:
    """As a standby that is promoted before it has received the last commits."""
    await engine.write(a_note(1))
    await note_ids(engine)
    postgresql.ask(f"UPDATE commit_tally SET {rewritten}", END_SESSIONS)

    with pytest.raises(StorageUnavailable):
        await engine.write(a_note(2))
    if "+" not in rewritten:  # a reader may see more than it knew of, never less
        with pytest.raises(StorageUnavailable, match="not all that was written"):
            await note_ids(engine)

    assert postgresql.ask("SELECT note_id FROM note") == "1"
    assert "database_lacks_commits" in caplog.text


async def test_settings_of_the_server_are_looked_at_again_when_it_is_connected_to_again(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()

    postgresql.ask(END_SESSIONS)
    await engine.write(a_note(1))

    assert "database_may_lose_commits" in caplog.text


async def test_a_server_that_takes_no_more_writes_is_unavailable(
    engine: PostgresqlDatabase, postgresql: PostgresqlServer
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch("SET TRANSACTION READ ONLY")
        await tx.fetch("INSERT INTO note (note_id) VALUES (1)")

    with pytest.raises(StorageUnavailable, match="takes no writes"):
        await engine.write(work)
    await engine.write(a_note(2))

    assert await note_ids(engine) == [2]


async def test_a_session_that_the_server_ends_within_a_transaction_is_unavailable(
    postgresql: PostgresqlServer,
) -> None:
    postgresql.emptied()
    postgresql.ask("ALTER ROLE drim SET idle_in_transaction_session_timeout = '100ms'")

    async def work(tx: Transaction) -> None:
        await tx.fetch("SELECT 1 AS number")
        await asyncio.to_thread(postgresql.ask, "SELECT pg_sleep(0.5)")
        await tx.fetch("SELECT 1 AS number")

    try:
        engine = await PostgresqlDatabase.open(postgresql.url)
        with pytest.raises(StorageUnavailable):
            await engine.read(work)
        with pytest.raises(StorageUnavailable):
            await engine.write(work)
        await engine.write(lambda tx: tx.fetch(CREATE))
        await engine.close()
    finally:
        postgresql.ask("ALTER ROLE drim RESET idle_in_transaction_session_timeout")


async def test_a_server_that_takes_no_writes_cannot_be_opened(
    postgresql: PostgresqlServer,
) -> None:
    postgresql.ask("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        with pytest.raises(StorageUnavailable, match="takes writes"):
            await PostgresqlDatabase.open(postgresql.url)
        with pytest.raises(StorageUnavailable, match="takes writes"):
            await postgresql_connection.look_at(postgresql.url)
    finally:
        postgresql.ask(
            "SET default_transaction_read_only = off",
            "ALTER DATABASE postgres RESET default_transaction_read_only",
        )


async def test_commits_that_wait_for_more_than_the_disk_are_left_so(
    postgresql: PostgresqlServer,
) -> None:
    postgresql.emptied()
    postgresql.ask("ALTER ROLE drim SET synchronous_commit = remote_apply")
    try:
        engine = await PostgresqlDatabase.open(postgresql.url)
        waits = await engine.write(lambda tx: tx.fetch("SHOW synchronous_commit"))
        await engine.close()
    finally:
        postgresql.ask("ALTER ROLE drim RESET synchronous_commit")

    assert waits == [{"synchronous_commit": "remote_apply"}]


async def test_parameters_are_not_logged_where_a_line_is_lost(
    engine: PostgresqlDatabase, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(tx: Transaction) -> None:
        line.cut()
        await tx.fetch("SELECT :name", name="DUPONT")

    with caplog.at_level(logging.DEBUG), pytest.raises(StorageUnavailable):
        await engine.write(work)

    assert "DUPONT" not in caplog.text
