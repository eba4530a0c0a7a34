"""What is run on a SQLite connection: statements, scripts and works, with errors made ours."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import aiosqlite

from gateway.errors import StorageUnavailable
from gateway.storage.database import Param, Row, T, Work
from gateway.storage.transaction import run_work

# At DEBUG, aiosqlite logs each statement with its parameters, which name patients.
logging.getLogger("aiosqlite").setLevel(logging.INFO)

_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
    }
)


class ScriptConnection(sqlite3.Connection):
    """Runs scripts as they are written; the base class would first commit what is open."""

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        for statement in sql_script.split(";"):
            self.execute(statement)
        return self.cursor()


async def execute(
    connection: aiosqlite.Connection, sql: str, params: Mapping[str, Param] | None = None
) -> list[Row]:
    """Run one statement in one hop to the connection's thread.

    Raises:
        StorageUnavailable: the disk is full or fails, or the file is locked or damaged.
        sqlite3.Error: the statement is wrong or breaks a constraint; a bug of the caller.
    """
    with _told_as_ours():
        rows = await connection.execute_fetchall(sql, dict(params or {}))
    return cast(list[Row], rows)  # the connection's row factory makes mappings


async def execute_all(connection: aiosqlite.Connection, script: str) -> None:
    """Run statements without parameters in one hop, up to the first that fails; as `execute`."""
    with _told_as_ours():
        await connection.executescript(script)


async def execute_many(
    connection: aiosqlite.Connection, sql: str, rows: Sequence[Sequence[Param]]
) -> None:
    """Run one statement with the parameters of each row, all in one hop; as `execute`."""
    with _told_as_ours():
        await connection.executemany(sql, rows)


@contextmanager
def _told_as_ours() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if _is_unavailable(error):
            raise StorageUnavailable(f"the database does not answer: {error}") from error
        raise


async def run_work_on(connection: aiosqlite.Connection, work: Work[T]) -> T:
    """Run `work` on a connection that is inside a transaction; the caller ends that transaction.

    Raises:
        StorageUnavailable: as `execute`, or the work paused for too long.
    """
    return await run_work(_SqliteStatements(connection), work)


class _SqliteStatements:
    """What a work runs; see `Statements`."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def run(self, sql: str, params: Mapping[str, Param]) -> list[Row]:
        """See `Statements.run`."""
        self._expect_transaction()
        return await execute(self._connection, sql, params)

    async def add(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Param]]
    ) -> None:
        """See `Statements.add`."""
        self._expect_transaction()
        places = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
        await execute_many(self._connection, insert, rows)

    def _expect_transaction(self) -> None:
        # A full disk makes SQLite roll back by itself; what came next would commit on its own.
        if not self._connection.in_transaction:
            raise StorageUnavailable("the database has rolled the transaction back")


class SqliteWriting:
    """The writing connection, as the group writer uses it."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def begin(self, script: str) -> None:
        """See `WritingConnection.begin`."""
        await execute_all(self._connection, f"BEGIN IMMEDIATE; {script}")

    async def run_script(self, script: str) -> None:
        """See `WritingConnection.run_script`."""
        await execute_all(self._connection, script)

    async def run_work(self, work: Work[T]) -> T:
        """See `WritingConnection.run_work`."""
        return await run_work_on(self._connection, work)

    async def commit(self, script: str) -> None:
        """See `WritingConnection.commit`."""
        await execute_all(self._connection, f"{script}COMMIT")

    async def roll_back(self) -> None:
        """See `WritingConnection.roll_back`."""
        await self._connection.rollback()


def _is_unavailable(error: sqlite3.Error) -> bool:
    """Whether trying again may help; all else is a bug and stays what it is."""
    # The low byte is the kind, the rest its detail; errors of the Python module have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNAVAILABLE
