"""An engine with one small table, for the suites of the storage kit."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.storage.database import Database
from gateway.storage.engines import open_at
from gateway.storage.postgresql import PostgresqlDatabase
from tests.support.lines import Line, a_line_to
from tests.support.notes import CREATE, OpenDatabase
from tests.support.packages import MakePackage, package_maker
from tests.support.postgresql import PostgresqlServer


@pytest.fixture
def open_database(tmp_path: Path, database_url: str) -> OpenDatabase:
    """Opens the same database each time, of one engine and of the other."""
    return lambda: open_at(database_url, tmp_path / "rows.sqlite")


@pytest.fixture
async def database(open_database: OpenDatabase) -> AsyncIterator[Database]:
    database = await open_database()
    await database.write(lambda tx: tx.fetch(CREATE))
    yield database
    await database.close()


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePackage:
    return package_maker(tmp_path, monkeypatch)


@pytest.fixture
async def line(postgresql: PostgresqlServer) -> AsyncIterator[Line]:
    """A line to the server, which tests may cut."""
    async with a_line_to(postgresql) as line:
        yield line


@pytest.fixture
async def engine(postgresql: PostgresqlServer, line: Line) -> AsyncIterator[PostgresqlDatabase]:
    """An engine of PostgreSQL that has this line alone."""
    postgresql.emptied()
    engine = await PostgresqlDatabase.open(line.url)
    await engine.write(lambda tx: tx.fetch(CREATE))
    yield engine
    line.heard.set()
    await engine.close()
