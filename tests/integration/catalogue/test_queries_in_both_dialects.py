"""Each query that the gateway ships is one that PostgreSQL understands, whoever runs it."""

from pathlib import Path

from gateway.storage.database import Dialect
from gateway.storage.engines import open_at
from gateway.storage.migrations import migrate
from gateway.storage.postgresql_connection import connect, disconnect
from gateway.storage.postgresql_statement import execute, spoken
from gateway.storage.queries import load_queries
from tests.support.peers import ROOT
from tests.support.postgresql import PostgresqlServer

FILTER = "/* filter */"


def queries() -> dict[str, str]:
    """Each by its file and name, without what a filter would say."""
    found = {}
    for path in sorted((ROOT / "gateway").rglob("*.sql")):
        package = ".".join(path.parent.relative_to(ROOT).parts)
        if package in ("gateway.migrations", "gateway.storage"):
            continue
        loaded = load_queries(package, path.name, Dialect.POSTGRESQL)
        for name, sql in loaded.items():
            found[f"{path.name} {name}"] = sql.replace(FILTER, "true")
    return found


async def test_postgresql_understands_every_query(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    database = await open_at(postgresql.emptied(), tmp_path)
    await migrate(database, "gateway.migrations")
    await database.close()
    connection = await connect(postgresql.url)

    refused = []
    for number, (name, sql) in enumerate(queries().items()):
        try:
            await execute(connection, f"PREPARE query_{number} AS {spoken(sql)[0]}", {})
        except Exception as error:
            refused.append(f"{name}: {error}")
    await disconnect(connection)

    assert refused == []
