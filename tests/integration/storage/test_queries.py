"""Named SQL is read from its file as one dialect speaks it, or the start fails and says where."""

import pytest

from gateway.storage.database import Dialect
from gateway.storage.queries import load_queries
from tests.support.packages import MakePackage

OUTBOX = """-- Submissions on their way.

-- query: enqueue
-- Twice is once.
INSERT INTO outbox (entry_id) VALUES (:entry_id)
ON CONFLICT DO NOTHING;

-- query: claim_due
SELECT 'shared';

-- query: claim_due [sqlite]
SELECT 'sqlite';
"""


def test_a_query_is_found_by_its_name(make_package: MakePackage) -> None:
    package = make_package({"outbox.sql": OUTBOX})

    queries = load_queries(package, "outbox.sql", Dialect.SQLITE)

    assert queries["enqueue"].startswith("-- Twice is once.\nINSERT INTO outbox")
    assert queries["enqueue"].endswith("ON CONFLICT DO NOTHING;")
    assert set(queries) == {"enqueue", "claim_due"}


@pytest.mark.parametrize("special_first", [False, True])
def test_a_dialects_own_block_replaces_the_shared_one(
    make_package: MakePackage, special_first: bool
) -> None:
    blocks = ["-- query: claim\nSELECT 1;\n", "-- query: claim [sqlite]\nSELECT 2;\n"]
    package = make_package({"outbox.sql": "".join(blocks[::-1] if special_first else blocks)})

    assert load_queries(package, "outbox.sql", Dialect.SQLITE)["claim"] == "SELECT 2;"


def test_a_name_that_is_absent_says_where_it_was_looked_for(make_package: MakePackage) -> None:
    package = make_package({"outbox.sql": OUTBOX})
    queries = load_queries(package, "outbox.sql", Dialect.SQLITE)

    with pytest.raises(KeyError, match=rf"no query 'claim' in {package}/outbox\.sql"):
        queries["claim"]


@pytest.mark.parametrize(
    "text, line, complaint",
    [
        ("SELECT 1;\n-- query: one\nSELECT 1;", 1, "before the first"),
        ("-- query one\nSELECT 1;", 1, "expected"),
        ("-- query: One\nSELECT 1;", 1, "expected"),
        ("-- query: one [SQLite]\nSELECT 1;", 1, "expected"),
        ("-- Query: one\nSELECT 1;", 1, "expected"),
        ("-- query: one two\nSELECT 1;", 1, "expected"),
        ("\n-- query: one [oracle]\nSELECT 1;", 2, "no engine speaks 'oracle'"),
        ("-- query: one\nSELECT 1;\n-- query: one\nSELECT 2;", 3, "twice"),
        ("-- query: one\n-- query: two\nSELECT 2;", 1, "has no statement"),
        ("-- query: one\n-- SELECT 1;\n", 1, "has no statement"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(
    make_package: MakePackage, text: str, line: int, complaint: str
) -> None:
    package = make_package({"bad.sql": text})

    with pytest.raises(ValueError, match=rf"{package}/bad\.sql:{line}: .*{complaint}"):
        load_queries(package, "bad.sql", Dialect.SQLITE)
