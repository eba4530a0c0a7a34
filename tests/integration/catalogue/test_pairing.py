"""A database is used with its own data folder alone, for objects that no row names are removed."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.catalogue.pairing import PAIRED_FILE, Pairing
from gateway.errors import StorageUnavailable
from gateway.storage.engines import open_at
from gateway.storage.migrations import migrate
from tests.support.postgresql import PostgresqlServer

Start = Callable[..., Awaitable[None]]


@pytest.fixture
def start(tmp_path: Path, postgresql: PostgresqlServer) -> Start:
    """Begins as a gateway does, on a folder and a database; that of SQLite where none is said."""
    postgresql.emptied()

    async def start(folder: str, *, url: str = postgresql.url) -> None:
        at = tmp_path / folder
        at.mkdir(exist_ok=True)
        database = await open_at(url, at / "gateway.sqlite")
        try:
            await migrate(database, "gateway.migrations")
            await Pairing(database).check(at)
        finally:
            await database.close()

    return start


def an_object_in(folder: Path) -> None:
    kept = folder / "store" / "objects" / "ab" / ("ab" * 16)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"an instance")


async def test_a_folder_and_its_database_are_used_again(start: Start, tmp_path: Path) -> None:
    await start("ours")
    an_object_in(tmp_path / "ours")

    await start("ours")


async def test_a_file_of_sqlite_needs_no_pairing(start: Start, tmp_path: Path) -> None:
    await start("ours", url="")
    an_object_in(tmp_path / "ours")

    await start("ours", url="")


async def test_a_database_is_refused_with_another_folder(start: Start) -> None:
    await start("ours")

    with pytest.raises(StorageUnavailable, match=r"that of another folder: .*GATEWAY_DATABASE_URL"):
        await start("theirs")


async def test_a_new_database_is_refused_where_objects_are(
    start: Start, tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    await start("ours")
    an_object_in(tmp_path / "ours")
    postgresql.emptied()

    with pytest.raises(StorageUnavailable, match="the database is new, and the folder is not"):
        await start("ours")


async def test_a_server_is_refused_where_a_file_of_sqlite_is(start: Start) -> None:
    await start("ours", url="")

    with pytest.raises(StorageUnavailable, match="the folder is not"):
        await start("ours")


async def test_sqlite_is_refused_where_the_rows_are_on_a_server(start: Start) -> None:
    await start("ours")

    with pytest.raises(StorageUnavailable, match="in a database on a server"):
        await start("ours", url="")


async def test_a_crash_between_file_and_row_is_mended_at_the_next_start(
    start: Start, tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    await start("ours")
    name = (tmp_path / "ours" / PAIRED_FILE).read_text()
    postgresql.ask("DELETE FROM pairing")

    await start("ours")

    assert postgresql.ask("SELECT folder_id FROM pairing") == name.strip()
