"""Which engine a program keeps its rows with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.storage.database import Database, Dialect, Readable, T, Work
from gateway.storage.postgresql import PostgresqlDatabase, postgresql_reading
from gateway.storage.reading import Reading
from gateway.storage.sqlite import SqliteDatabase, sqlite_reading


async def open_at(url: str, path: Path) -> Database:
    """Open the database of a PostgreSQL server, or, without a URL, the SQLite file.

    Raises:
        StorageUnavailable: it cannot be opened; the message says why, and quotes no password.
    """
    if url:
        return await PostgresqlDatabase.open(url)
    return await SqliteDatabase.open(path)


@asynccontextmanager
async def opened_to_read(url: str, path: Path) -> AsyncIterator[Readable]:
    """The same while entered, beside the process that may be writing to it; nothing is made.

    Raises:
        StorageUnavailable: it cannot be opened; the message says why, and quotes no password.
    """
    if url:
        async with postgresql_reading(url) as reading:
            yield _Read(Dialect.POSTGRESQL, reading)
    else:
        async with sqlite_reading(path) as reading:
            yield _Read(Dialect.SQLITE, reading)


@dataclass(frozen=True, slots=True)
class _Read:
    dialect: Dialect
    reading: Reading[Any]

    async def read(self, work: Work[T]) -> T:
        """See `Readable.read`."""
        return await self.reading.read(work)
