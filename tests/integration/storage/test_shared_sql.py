"""Each query that a program keeps is one that PostgreSQL understands, on the program's tables."""

import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

import asyncpg
import pytest

from gateway.storage.database import Dialect
from gateway.storage.migrations import migrate
from gateway.storage.postgresql import PostgresqlDatabase
from gateway.storage.postgresql_statement import spoken
from gateway.storage.queries import load_queries
from tests.support.postgresql import PostgresqlServer

CONDITION = "/* filter */"
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
TEXT_OF_BYTES = re.compile(r"CAST\((?!:|'')[^()]* AS (?:TEXT|BLOB)\)", re.IGNORECASE)


def queries(package: str) -> Iterator[tuple[str, str]]:
    """Each query of a program as PostgreSQL speaks it, and its place; parts are left out."""
    for file in files(resources.files(package)):
        folder = file.removesuffix(f"/{(name := file.rpartition('/')[2])}").replace("/", ".")
        for query, sql in load_queries(folder, name, Dialect.POSTGRESQL).items():
            statement = re.sub(r"--[^\n]*", "", sql).strip()
            if statement.startswith(VERBS):
                yield f"{file}: {query}", statement.replace(CONDITION, "true")


def files(folder: Traversable, path: str = "") -> Iterator[str]:
    path = f"{path}{folder.name}/"
    for one in folder.iterdir():
        if one.is_dir() and one.name not in ("migrations", "storage"):
            yield from files(one, path)
        elif one.name.endswith(".sql"):
            yield path + one.name


@pytest.mark.parametrize(
    "package, migrations",
    [("gateway", "gateway.migrations"), ("indexer", "indexer.server.migrations")],
)
async def test_postgresql_understands_each_query(
    postgresql: PostgresqlServer, package: str, migrations: str
) -> None:
    """A text put where a number belongs is refused here, which SQLite would let pass."""
    engine = await PostgresqlDatabase.open(postgresql.emptied())
    await migrate(engine, migrations)
    connection = await asyncpg.connect(postgresql.url)

    refused = {}
    for place, sql in queries(package):
        try:
            await connection.prepare(spoken(sql)[0])
        except asyncpg.PostgresError as error:
            refused[place] = str(error)

    assert not refused
    await connection.close()
    await engine.close()


@pytest.mark.parametrize("package", ["gateway", "indexer"])
def test_no_bytes_are_cast_to_text_where_postgresql_reads_it(package: str) -> None:
    """It would write them in hexadecimal; a block of its own says `convert_from`."""
    cast = [place for place, sql in queries(package) if TEXT_OF_BYTES.search(sql)]

    assert cast == []
    assert list(queries(package))
