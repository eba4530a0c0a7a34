"""One work's hold on a SQLite connection: statements, the pause between them, errors made ours."""

import asyncio
import logging
import sqlite3
from typing import cast

import aiosqlite

from gateway.errors import StorageUnavailable
from gateway.storage.database import Param, Row, T, Work

# At DEBUG, aiosqlite logs each statement with its parameters, which name patients.
logging.getLogger("aiosqlite").setLevel(logging.INFO)

PAUSE_S_MAX = 10.0
"""How long a work may take from one statement to the next while others wait for its connection."""

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
    connection: aiosqlite.Connection, sql: str, params: dict[str, Param] | None = None
) -> list[Row]:
    """Run one statement in one hop to the connection's thread.

    Raises:
        StorageUnavailable: the disk is full or fails, or the file is locked or damaged.
        sqlite3.Error: the statement is wrong or breaks a constraint; a bug of the caller.
    """
    try:
        rows = await connection.execute_fetchall(sql, params or {})
    except sqlite3.Error as error:
        if _is_unavailable(error):
            raise StorageUnavailable(f"the database does not answer: {error}") from error
        raise
    return cast(list[Row], rows)  # the connection's row factory makes mappings


async def execute_all(connection: aiosqlite.Connection, script: str) -> None:
    """Run statements without parameters in one hop, up to the first that fails; as `execute`."""
    try:
        await connection.executescript(script)
    except sqlite3.Error as error:
        if _is_unavailable(error):
            raise StorageUnavailable(f"the database does not answer: {error}") from error
        raise


async def run_work(connection: aiosqlite.Connection, work: Work[T]) -> T:
    """Run `work` on a connection that is inside a transaction; the caller ends that transaction.

    Raises:
        StorageUnavailable: as `execute`, or the work paused for longer than `PAUSE_S_MAX`.
    """
    try:
        async with asyncio.timeout(PAUSE_S_MAX) as pause:
            tx = SqliteTransaction(connection, pause)
            try:
                return await work(tx)
            finally:
                tx.end()
    except TimeoutError as error:
        if pause.expired():
            raise StorageUnavailable(f"a work paused for {PAUSE_S_MAX} s") from error
        raise


class SqliteTransaction:
    """A `Transaction` for one work, and void when that work ends."""

    def __init__(self, connection: aiosqlite.Connection, pause: asyncio.Timeout) -> None:
        self._connection = connection
        self._pause = pause
        self._ended = False

    async def fetch(self, sql: str, **params: Param) -> list[Row]:
        """See `Transaction.fetch`."""
        if self._ended:  # a task that outlives its work would write into another's savepoint
            raise RuntimeError("the transaction ended with its work")
        # A full disk makes SQLite roll back by itself; what came next would commit on its own.
        if not self._connection.in_transaction:
            raise StorageUnavailable("the database has rolled the transaction back")
        self._pause.reschedule(None)
        try:
            return await execute(self._connection, sql, params)
        finally:
            if not self._pause.expired():
                self._pause.reschedule(asyncio.get_running_loop().time() + PAUSE_S_MAX)

    def end(self) -> None:
        """Refuse further statements."""
        self._ended = True


def _is_unavailable(error: sqlite3.Error) -> bool:
    """Whether trying again may help; all else is a bug and stays what it is."""
    # The low byte is the kind, the rest its detail; errors of the Python module have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNAVAILABLE
