"""Rows in one SQLite file: the engine of a gateway that runs as a single process.

SQLite from 3.7.0 to 3.51.2 can corrupt a file when two connections write or checkpoint it at the
same instant, and that is what most distributions ship. Here one connection does both and readers
are opened read-only; `FolderLock` keeps other processes out. So no version need be refused.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from gateway.errors import StorageUnavailable
from gateway.storage.database import Dialect, T, Work
from gateway.storage.group_writer import AFTER_S_MAX, GroupWriter
from gateway.storage.reading import Reading
from gateway.storage.sqlite_connection import SqliteConnection, connect

WRITER_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # with NORMAL a power cut may undo an acknowledged commit
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",  # bytes: a WAL swollen by a long read shrinks again
)


class SqliteDatabase:
    """A `Database` in one file: a writer, and a pool of read-only connections."""

    def __init__(
        self,
        connections: AsyncExitStack,
        writer: GroupWriter,
        readers: list[SqliteConnection],
        *,
        reads_max: int,
    ) -> None:
        """For `open`, which makes what is passed."""
        self._connections = connections
        self._writer = writer
        self._reading = Reading(_SqliteReaders(readers), reads_max=reads_max)
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, path: Path, *, readers: int = 4, group_max: int = 256, queue_max: int = 4096
    ) -> Self:
        """Open the file, or make it.

        Args:
            path: the file; its folder exists, and the caller holds the folder's lock.
            readers: read-only connections, each with a thread of its own.
            group_max: works that may share one transaction.
            queue_max: works that may wait, and apart from them reads; more are turned away.

        Raises:
            StorageUnavailable: the file cannot be opened, or is no database.
        """
        async with AsyncExitStack() as connections:
            try:
                _make_file(path)
                writing = await connect(connections, path, mode="rw")
                await writing.drive(_prepare_to_write(writing))
                reading = [await _connect_to_read(connections, path) for _ in range(readers)]
            except (OSError, sqlite3.Error, StorageUnavailable) as error:
                raise StorageUnavailable(f"cannot open the database {path}: {error}") from error
            opened = connections.pop_all()
        writer = GroupWriter(_SqliteWriting(writing), group_max=group_max, queue_max=queue_max)
        return cls(opened, writer, reading, reads_max=readers + queue_max)

    @property
    def dialect(self) -> Dialect:
        """See `Database.dialect`."""
        return Dialect.SQLITE

    @property
    def generation(self) -> int | None:
        """See `Database.generation`: the folder's lock keeps other writers out."""
        return self._writer.groups

    async def write(self, work: Work[T], *, after: Future[None] | None = None) -> T:
        """See `Database.write`. This engine runs each work once."""
        return await self._writer.write(work, after=after)

    async def read(self, work: Work[T]) -> T:
        """See `Database.read`. The snapshot is that of the work's first statement.

        Raises:
            StorageUnavailable: the engine is closed or overloaded, or the disk fails.
        """
        return await self._reading.read(work)

    async def close(self) -> None:
        """See `Database.close`. Closing twice is closing once."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._finish(), name="sqlite-close")
        await asyncio.shield(self._closing)

    async def _finish(self) -> None:
        await self._writer.finish()
        await self._reading.finish()
        await self._connections.aclose()  # the writer last: it empties the WAL as it goes


@asynccontextmanager
async def sqlite_reading(path: Path) -> AsyncIterator[Reading[SqliteConnection]]:
    """A way to read a file that another process may be writing to; nothing of it is changed.

    A reader neither writes nor checkpoints, so it needs no lock on the folder.

    Raises:
        StorageUnavailable: the file cannot be opened, or is no database.
    """
    async with AsyncExitStack() as connections:
        try:
            os.close(os.open(path, os.O_RDONLY))  # as in `_make_file`
            connection = await _connect_to_read(connections, path)
        except (OSError, sqlite3.Error, StorageUnavailable) as error:
            raise StorageUnavailable(f"cannot open the database {path}: {error}") from error
        reading = Reading(_SqliteReaders([connection]), reads_max=1)
        try:
            yield reading
        finally:
            await reading.finish()


class _SqliteReaders:
    """The connections that read, as `Reading` lends them."""

    def __init__(self, connections: list[SqliteConnection]) -> None:
        self._idle: asyncio.LifoQueue[SqliteConnection] = asyncio.LifoQueue()
        for connection in connections:
            self._idle.put_nowait(connection)

    async def lend(self) -> SqliteConnection:
        """See `Lender.lend`."""
        return await self._idle.get()

    async def run_work(self, connection: SqliteConnection, work: Work[T]) -> T:
        """See `Lender.run_work`."""
        return await connection.drive(_snapshot(connection, work))

    async def take_back(self, connection: SqliteConnection) -> None:
        """See `Lender.take_back`."""
        try:
            await connection.settle(interrupting=True)
        finally:
            self._idle.put_nowait(connection)

    async def close(self) -> None:
        """See `Lender.close`; who opened them closes them."""


class _SqliteWriting:
    """The writing connection, as the group writer uses it."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection

    async def drive(self, group: Coroutine[Any, Any, None]) -> None:
        """See `WritingConnection.drive`."""
        try:
            await self._connection.drive(group)
        finally:
            await self._connection.settle(interrupting=False)

    async def begin(self, script: str) -> None:
        """See `WritingConnection.begin`."""
        self._connection.run_script(f"BEGIN IMMEDIATE; {script}")

    async def run_script(self, script: str) -> None:
        """See `WritingConnection.run_script`."""
        self._connection.run_script(script)

    async def run_work(self, work: Work[T]) -> T:
        """See `WritingConnection.run_work`."""
        return await self._connection.run_work(work)

    async def wait(self, done: Future[None]) -> None:
        """See `WritingConnection.wait`."""
        done.result(AFTER_S_MAX)

    async def commit(self, script: str) -> None:
        """See `WritingConnection.commit`."""
        self._connection.run_script(f"{script}COMMIT")

    async def roll_back(self) -> None:
        """See `WritingConnection.roll_back`."""
        self._connection.roll_back()


def _make_file(path: Path) -> None:
    """Make the file if it is not there, for its owner alone; its log takes over the permissions.

    Fails where SQLite would, for aiosqlite lets go of a thread whose connection does not open.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


async def _prepare_to_write(connection: SqliteConnection) -> None:
    for pragma in WRITER_PRAGMAS:
        connection.run(pragma, {})
    [mode] = connection.run("PRAGMA journal_mode = WAL", {})
    if mode["journal_mode"] != "wal":
        raise StorageUnavailable("no WAL here, use a local disk")


async def _connect_to_read(connections: AsyncExitStack, path: Path) -> SqliteConnection:
    connection = await connect(connections, path, mode="ro")
    await connection.execute_fetchall("PRAGMA query_only = ON")
    return connection


async def _snapshot(connection: SqliteConnection, work: Work[T]) -> T:
    """Run the work on what the file holds at its first statement."""
    connection.run_script("BEGIN")
    try:
        return await connection.run_work(work)
    finally:
        connection.roll_back()
