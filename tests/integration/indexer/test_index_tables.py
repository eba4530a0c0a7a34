"""The index's tables on a server: parted by patient, and met part by part."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from gateway.storage.database import Database, LongWork, Param, Transaction
from gateway.storage.engines import open_at
from gateway.storage.migrations import migrate
from gateway.storage.postgresql_connection import PLANS
from gateway.storage.postgresql_statement import spoken
from indexer.contract.document_set import DocumentSet, document_set_of
from indexer.server.registry.judging import allot
from indexer.server.registry.registry import Registry
from tests.integration.storage.test_shared_sql import queries
from tests.support.counting import Counting
from tests.support.pointers import a_submission
from tests.support.postgresql import PostgresqlServer

KEYS = """SELECT parted.relname AS name, pg_get_partkeydef(parted.oid) AS parted_by,
    (SELECT attname FROM pg_index JOIN pg_attribute
        ON attrelid = indrelid AND attnum = indkey[0]
     WHERE indrelid = parted.oid AND indisprimary) AS first_of_key
FROM pg_class AS parted
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"""
COMPRESSED = """SELECT relname AS part, attname AS column, attcompression::text AS by
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attcompression <> ''"""
OF_THE_ENGINE = {"commit_tally", "schema_migrations"}
OF_ALL_RECORDS = {"find_next"}
"""What a person's command asks, who has time."""
STATEMENTS_MAX = 5

FILLED = [
    """INSERT INTO entry (patient_key, entry_id, unique_id, status, type_scheme, type_code,
                          created_at_ms, reference_ids, resource, set_id)
       SELECT 'p' || number % 20000, 'e' || number, '1.2.' || number, 'current', '', '',
              number, '[]', '{}', 's' || number FROM generate_series(1, 100000) AS number""",
    """INSERT INTO directory SELECT 'e' || number, 'entry', 'p' || number % 20000, 'e' || number
       FROM generate_series(1, 100000) AS number""",
    """INSERT INTO directory SELECT '1.2.' || number, 'unique', 'p' || number % 20000,
              'e' || number FROM generate_series(1, 100000) AS number""",
    """INSERT INTO association SELECT 'p' || number % 20000, 'a' || number, 'appends',
              'e' || number, 'e' || (number + 20000) FROM generate_series(1, 100000) AS number""",
    """INSERT INTO submission_set SELECT 'p' || number % 20000, 's' || number, '1.3.' || number,
              number, '{}', '' FROM generate_series(1, 100000) AS number""",
    """INSERT INTO document SELECT 'p' || number % 20000, 'e' || number, '', ''
       FROM generate_series(1, 100000) AS number""",
    """INSERT INTO journal SELECT 'p' || number % 20000, number, number, '', ''
       FROM generate_series(1, 100000) AS number""",
    """INSERT INTO record SELECT 'p' || number, 'open', 0, 0, 0, '[]', 0, ''
       FROM generate_series(1, 20000) AS number""",
    """INSERT INTO permission SELECT 'p' || number, '1', 0, 0, 0, 0
       FROM generate_series(1, 20000) AS number""",
    """INSERT INTO alert SELECT 'p' || number, '1', '', 0, 0, 0, 1, '{}'
       FROM generate_series(1, 20000) AS number""",
    "ANALYZE",
]
TOLD = {
    "patient_key": "p7",
    "kind": "entry",
    "ids": '["e7", "e20007"]',
    "places": '[{"patient_key": "p7", "object_id": "e7"}]',
    "roots": '[{"patient_key": "p7", "entry_id": "e7"}]',
    "pairs": '[{"patient_key": "p7", "professional": "1"}]',
    "patient_keys": '["p7"]',
    "statuses": '["current"]',
    "entry_ids": '["e7"]',
    "object_ids": '["e7"]',
    "set_ids": '["s7"]',
}


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    database = await open_at(database_url, tmp_path / "index.sqlite")
    await migrate(database, "indexer.server.migrations")
    yield database
    await database.close()


async def test_each_table_is_parted_by_patient_and_keyed_by_patient_first(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    database = await open_at(postgresql.emptied(), tmp_path)
    await migrate(database, "indexer.server.migrations")

    rows = await database.read(lambda tx: tx.fetch(KEYS))
    await database.close()

    found = {str(row["name"]): (row["parted_by"], row["first_of_key"]) for row in rows}
    directory = found.pop("directory")
    assert directory == ("HASH (id)", "id")
    of_records = {name: key for name, key in found.items() if name not in OF_THE_ENGINE}
    assert {"entry", "document", "journal", "record"} < set(of_records)
    assert set(of_records.values()) == {("HASH (patient_key)", "patient_key")}


async def test_documents_are_compressed_by_lz4_and_entries_by_what_keeps_them_in_the_row(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    database = await open_at(postgresql.emptied(), tmp_path)
    await migrate(database, "indexer.server.migrations")

    rows = await database.read(lambda tx: tx.fetch(COMPRESSED))
    await database.close()

    found = {(str(row["part"]), row["column"]): row["by"] for row in rows}
    parts = ["", "_0", "_1", "_2"]
    documents = {(f"document{part}", "content"): "l" for part in parts}
    assert found == documents | {(f"entry{part}", "resource"): "p" for part in parts}


async def test_no_query_reads_a_whole_table_or_more_parts_than_it_must(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    """Of a hundred thousand entries. A part that a plan names and never runs is not read."""
    database = await open_at(postgresql.emptied(), tmp_path)
    await migrate(database, "indexer.server.migrations")
    for sql in FILLED:
        await database.write(LongWork(lambda tx, sql=sql: tx.fetch(sql)))  # type: ignore[misc]
    connection = await asyncpg.connect(postgresql.url, server_settings=PLANS)

    scanned, broad = {}, {}
    for place, sql in queries("indexer"):
        if place.rpartition(" ")[2] in OF_ALL_RECORDS:
            continue
        text, names = spoken(sql)
        prepared = await connection.prepare(text)
        types = [one.name for one in prepared.get_parameters()]
        values = [an_argument(name, kind) for name, kind in zip(names, types, strict=True)]
        transaction = connection.transaction()
        await transaction.start()
        rows = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {text}", *values)
        await transaction.rollback()
        plan = "\n".join(row[0] for row in rows)
        if "Seq Scan on" in plan:
            scanned[place] = plan
        if any(len(parts) > 1 for parts in parts_read(plan).values()) and ":ids" not in sql:
            broad[place] = plan

    await connection.close()
    await database.close()
    assert scanned == {}
    assert broad == {}


def an_argument(name: str, kind: str) -> Param:
    if name in TOLD:
        return TOLD[name]
    if kind.startswith("int"):
        return 500 if name == "limit" else 1
    return b"" if kind == "bytea" else "[]" if name.endswith("s") else "x"


def parts_read(plan: str) -> dict[str, set[str]]:
    """The parts of each table that a plan has met."""
    found: dict[str, set[str]] = {}
    for line in plan.splitlines():
        if met := re.search(r" on (?P<table>\w+?)_(?P<part>\d+) .*loops=[1-9]", line):
            found.setdefault(met["table"], set()).add(met["part"])
    return found


async def test_a_batch_costs_a_handful_of_statements_however_many_it_holds(
    database: Database,
) -> None:
    registry = Registry(database.dialect)
    counts = []

    for batch in (a_batch(0, 1), a_batch(1000, 200)):

        async def work(tx: Transaction, batch: list[DocumentSet] = batch) -> None:
            counting = Counting(tx)
            assert await registry.register(counting, batch, submitters={}) == {}
            counts.append(counting.statements)

        await database.write(work)

    assert counts[0] == counts[1] <= STATEMENTS_MAX


def a_batch(first: int, count: int) -> list[DocumentSet]:
    ids = iter(range(first * 10, (first + count) * 10))
    told = [document_set_of(a_submission(number)) for number in range(first, first + count)]
    return [allot(one, lambda: f"00000000-0000-4000-8000-{next(ids):012}") for one in told]
