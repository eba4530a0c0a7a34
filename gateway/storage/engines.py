"""Which engine a program keeps its rows with."""

from pathlib import Path

from gateway.storage.database import Database
from gateway.storage.postgresql import PostgresqlDatabase
from gateway.storage.sqlite import SqliteDatabase


async def open_at(url: str, path: Path) -> Database:
    """Open the database of a PostgreSQL server, or, without a URL, the SQLite file.

    Raises:
        StorageUnavailable: it cannot be opened; the message says why, and quotes no password.
    """
    if url:
        return await PostgresqlDatabase.open(url)
    return await SqliteDatabase.open(path)
