"""An engine with one small table, for the suites of the storage kit."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.storage.database import Database
from gateway.storage.sqlite import SqliteDatabase
from tests.support.notes import CREATE, OpenDatabase
from tests.support.packages import MakePackage, package_maker


@pytest.fixture(params=["sqlite"])
def open_database(tmp_path: Path) -> OpenDatabase:
    """Opens the same database each time. A second engine adds its name to the parameters."""

    async def open_sqlite() -> Database:
        return await SqliteDatabase.open(tmp_path / "rows.sqlite")

    return open_sqlite


@pytest.fixture
async def database(open_database: OpenDatabase) -> AsyncIterator[Database]:
    database = await open_database()
    await database.write(lambda tx: tx.fetch(CREATE))
    yield database
    await database.close()


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePackage:
    return package_maker(tmp_path, monkeypatch)
