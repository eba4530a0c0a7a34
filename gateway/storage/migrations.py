"""Brings a database to the schema of the program that opens it.

A program's migrations are `NNNN_name.sql` in one package, numbered from 0001 without a gap. `app`
runs them at the start. What was applied is kept with its checksum, so that a file changed after
its release stops the start instead of leaving two schemas of one number in the field.

A line `-- [sqlite]` or `-- [postgresql]` begins what that engine alone is told, up to the next such
line or to `-- [shared]`. An engine's checksum is of what it is told: what another is told besides,
or otherwise, may be written later.
"""

import hashlib
import logging
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from gateway.storage.database import Database, Dialect, LongWork, Readable, Row, Transaction

log = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"(?P<number>[0-9]{4})_(?P<name>[a-z0-9_]+)\.sql")

_SHARED = "shared"
_SECTION = re.compile(rf"-- \[(?P<dialect>{'|'.join([*Dialect, _SHARED])})\]\s*")

_CREATE_TABLE = """CREATE TABLE IF NOT EXISTS schema_migrations (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"""
_APPLIED = "SELECT number, name, checksum FROM schema_migrations ORDER BY number"
_RECORD = """INSERT INTO schema_migrations (number, name, checksum)
VALUES (:number, :name, :checksum)"""


class MigrationRefused(Exception):
    """The program must not run on this database; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema; `checksum` is the SHA-256 of its text in lower-case hex."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(database: Database, package: str) -> int:
    """Apply the migrations of `package` that the database lacks, each in one transaction.

    Returns:
        How many were applied now.

    Raises:
        MigrationRefused: the files have a gap or cannot be split, or the database holds a
            migration that is changed or missing here, as when a newer program has run on it.
        StorageUnavailable: the disk is full.
    """
    migrations = _load(package, database.dialect)
    await database.write(lambda tx: tx.fetch(_CREATE_TABLE))
    applied = await database.read(lambda tx: tx.fetch(_APPLIED))
    _check_applied(applied, migrations)
    for migration in migrations[len(applied) :]:
        await _apply(database, migration)
        log.info("migration_applied", extra={"migration": migration.number})
    missing = len(migrations) - len(applied)
    if missing and database.dialect is Dialect.POSTGRESQL:
        # What a migration moved is counted by the server later, and until then searched slowly.
        await database.write(LongWork(lambda tx: tx.fetch("ANALYZE")))
    return missing


async def expect_migrated(database: Readable, package: str) -> None:
    """Make sure that a database that is only read has the schema of this program.

    Raises:
        MigrationRefused: it has another.
    """
    migrations = _load(package, database.dialect)
    applied = await database.read(lambda tx: tx.fetch(_APPLIED))
    _check_applied(applied, migrations)
    if len(applied) < len(migrations):
        raise MigrationRefused("the database is of an earlier version: start the program once")


def statements(sql: str) -> Iterator[str]:
    """Split at the semicolons that end a statement, not at those in texts, comments or triggers.

    Raises:
        MigrationRefused: the last statement has no end.
    """
    start = 0
    for semicolon in re.finditer(";", sql):
        if sqlite3.complete_statement(statement := sql[start : semicolon.end()]):
            yield statement.strip()
            start = semicolon.end()
    rest = [line.strip() for line in sql[start:].splitlines()]
    if any(line and not line.startswith("--") for line in rest):
        raise MigrationRefused("a migration's last statement does not end with a semicolon")


async def _apply(database: Database, migration: Migration) -> None:
    async def work(tx: Transaction) -> None:
        for statement in statements(migration.sql):
            await tx.fetch(statement)
        await tx.fetch(
            _RECORD,
            number=migration.number,
            name=migration.name,
            checksum=migration.checksum,
        )

    await database.write(LongWork(work))


def told(sql: str, dialect: Dialect) -> str:
    """What of a migration's text the engine is told."""
    lines, section = [], _SHARED
    for line in sql.splitlines(keepends=True):
        if begun := _SECTION.fullmatch(line):
            section = begun["dialect"]
        elif section in (_SHARED, dialect):
            lines.append(line)
    return "".join(lines)


def _load(package: str, dialect: Dialect) -> list[Migration]:
    migrations = []
    for file in resources.files(package).iterdir():
        if not file.name.endswith(".sql"):
            continue
        if (named := _FILE_NAME.fullmatch(file.name)) is None:
            raise MigrationRefused(f"{package}/{file.name} is not named NNNN_name.sql")
        sql = told(file.read_text(encoding="utf-8"), dialect)
        migrations.append(Migration(number=int(named["number"]), name=named["name"], sql=sql))
    migrations.sort(key=lambda migration: migration.number)
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationRefused(
                f"{package}: expected a migration {expected:04}, found {migration.number:04}"
            )
    return migrations


def _check_applied(applied: list[Row], migrations: list[Migration]) -> None:
    if len(applied) > len(migrations):
        raise MigrationRefused(
            f"the database has {len(applied)} migrations and this program knows "
            f"{len(migrations)}: run the version that last opened it, or a later one"
        )
    for row, migration in zip(applied, migrations, strict=False):
        if row["number"] != migration.number:
            raise MigrationRefused(
                f"migration {migration.number:04} was never applied, but later ones were: "
                "restore a backup"
            )
        if (row["name"], row["checksum"]) != (migration.name, migration.checksum):
            raise MigrationRefused(
                f"migration {migration.number:04} was applied with another name or "
                "text: run the version that applied it, or restore its file"
            )
