"""A database is brought to its program's schema once, in order, or the start is refused."""

import pytest

from gateway.storage.database import Database, Dialect
from gateway.storage.migrations import MigrationRefused, migrate, statements
from tests.support.packages import MakePackage

FIRST = {"0001_patients.sql": "CREATE TABLE patient (id TEXT);"}
SECOND = {"0002_studies.sql": "CREATE TABLE study (id TEXT); CREATE INDEX study_id ON study (id);"}
TRIGGER = """CREATE TRIGGER t AFTER INSERT ON a BEGIN
    UPDATE a SET n = 1; -- one;
    UPDATE a SET n = 2;
END;"""


TABLES = {
    Dialect.SQLITE: "SELECT name FROM sqlite_schema WHERE type IN ('table', 'index')",
    Dialect.POSTGRESQL: "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'i')",
}


async def tables(database: Database) -> set[str]:
    rows = await database.read(lambda tx: tx.fetch(TABLES[database.dialect]))
    return {str(row["name"]) for row in rows} & {"patient", "study", "study_id", "broken"}


async def test_each_migration_is_applied_once(
    database: Database, make_package: MakePackage
) -> None:
    package = make_package({**SECOND, **FIRST})

    assert await migrate(database, package) == 2
    assert await migrate(database, package) == 0
    assert await tables(database) == {"patient", "study", "study_id"}


async def test_a_newer_program_applies_what_is_new(
    database: Database, make_package: MakePackage
) -> None:
    await migrate(database, make_package(FIRST))

    assert await migrate(database, make_package({**FIRST, **SECOND})) == 1
    assert await tables(database) == {"patient", "study", "study_id"}


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    database: Database, make_package: MakePackage
) -> None:
    broken = {"0002_broken.sql": "CREATE TABLE broken (id TEXT); CREATE TABLE broken (id TEXT);"}

    with pytest.raises(Exception, match="already exists"):
        await migrate(database, make_package({**FIRST, **broken}))

    assert await tables(database) == {"patient"}
    assert await migrate(database, make_package({**FIRST, **SECOND})) == 1


async def test_a_changed_migration_stops_the_start(
    database: Database, make_package: MakePackage
) -> None:
    await migrate(database, make_package(FIRST))
    changed = {"0001_patients.sql": "CREATE TABLE patient (id TEXT, name TEXT);"}

    with pytest.raises(MigrationRefused, match=r"0001 .*restore its file"):
        await migrate(database, make_package({**changed, **SECOND}))

    assert await tables(database) == {"patient"}


async def test_line_ends_do_not_change_a_migration(
    database: Database, make_package: MakePackage
) -> None:
    await migrate(database, make_package({"0001_a.sql": "SELECT 1;\n-- end\n"}))

    assert await migrate(database, make_package({"0001_a.sql": "SELECT 1;\r\n-- end\r\n"})) == 0


async def test_a_renamed_migration_stops_the_start(
    database: Database, make_package: MakePackage
) -> None:
    await migrate(database, make_package(FIRST))

    with pytest.raises(MigrationRefused, match="0001"):
        await migrate(database, make_package({"0001_others.sql": FIRST["0001_patients.sql"]}))


async def test_an_older_program_is_told_to_give_way(
    database: Database, make_package: MakePackage
) -> None:
    await migrate(database, make_package({**FIRST, **SECOND}))

    with pytest.raises(MigrationRefused, match="run the version that last opened it"):
        await migrate(database, make_package(FIRST))


async def test_a_gap_in_what_was_applied_stops_the_start(
    database: Database, make_package: MakePackage
) -> None:
    package = make_package({**FIRST, **SECOND})
    await migrate(database, package)
    await database.write(lambda tx: tx.fetch("DELETE FROM schema_migrations WHERE number = 1"))

    with pytest.raises(MigrationRefused, match="restore a backup"):
        await migrate(database, package)


@pytest.mark.parametrize(
    "files, complaint",
    [
        ({"0002_late.sql": "SELECT 1;"}, "expected a migration 0001, found 0002"),
        ({"0001_a.sql": "SELECT 1;", "0003_c.sql": "SELECT 1;"}, "0002, found 0003"),
        ({"0001_a.sql": "SELECT 1;", "0001_b.sql": "SELECT 1;"}, "0002, found 0001"),
        ({"1_a.sql": "SELECT 1;"}, "NNNN_name"),
        ({"0001-a.sql": "SELECT 1;"}, "NNNN_name"),
        ({"0001_a.sql": "SELECT 1"}, "semicolon"),
    ],
)
async def test_files_that_are_no_sequence_stop_the_start(
    database: Database, make_package: MakePackage, files: dict[str, str], complaint: str
) -> None:
    with pytest.raises(MigrationRefused, match=complaint):
        await migrate(database, make_package(files))


async def test_files_that_are_no_sql_are_left_alone(
    database: Database, make_package: MakePackage
) -> None:
    assert await migrate(database, make_package({**FIRST, "README.md": "Not SQL"})) == 1


@pytest.mark.parametrize(
    "sql, expected",
    [
        ("", []),
        ("-- nothing; at all\n\n", []),
        ("SELECT 1;", ["SELECT 1;"]),
        ("SELECT 1;SELECT 2;\n-- end; really\n", ["SELECT 1;", "SELECT 2;"]),
        ("SELECT ';', ';''';", ["SELECT ';', ';''';"]),
        ("SELECT -- one; two\n1;", ["SELECT -- one; two\n1;"]),
        ("SELECT /* ; */ 1; SELECT 2;", ["SELECT /* ; */ 1;", "SELECT 2;"]),
        (TRIGGER + " SELECT 1;", [TRIGGER, "SELECT 1;"]),
    ],
)
def test_statements_end_where_sql_says(sql: str, expected: list[str]) -> None:
    assert list(statements(sql)) == expected


@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT 1; SELECT 'a;", "/* open; SELECT 1;"])
def test_a_statement_without_end_is_refused(sql: str) -> None:
    with pytest.raises(MigrationRefused, match="semicolon"):
        list(statements(sql))
