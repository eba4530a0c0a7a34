"""A connection to a SQLite file, in whose own thread whole transactions run.

A hop to that thread and back costs more than most statements, and each waits its turn for the
interpreter. So what runs there is a coroutine from its start to its end: the repositories are
written as for any engine, and what they await has always happened already.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

import aiosqlite

from gateway.errors import StorageUnavailable
from gateway.storage.database import Param, Row, T, Work
from gateway.storage.transaction import run_work

# At DEBUG, aiosqlite logs each statement with its parameters, which name patients.
logging.getLogger("aiosqlite").setLevel(logging.INFO)

BUSY_S_MAX: Final = 5.0
"""How long to wait for a lock that an operator's tool, such as a backup, holds on the file."""
INTERRUPT_AGAIN_S: Final = 0.1
"""How soon to interrupt again a statement whose caller is gone."""
STATEMENTS_KEPT: Final = 512
"""Statements that a connection keeps prepared."""
ROWS_MAX: Final = 64
"""Rows of one INSERT, a power of two. Each statement lets the loop's thread in, and waits for it
to come back; more rows would make the text of the statement longer than it saves."""

_UNAVAILABLE: Final = frozenset(
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


class SqliteConnection(aiosqlite.Connection):
    """Runs one coroutine at a time in its thread.

    What is run there may call the synchronous methods of this class; nobody else may.
    """

    _driven: asyncio.Future[Any] | None = None

    async def drive(self, steps: Coroutine[Any, Any, T]) -> T:
        """Run `steps` to their end in the connection's thread.

        They cannot wait for the loop: one that tries to is told so where it awaits. A caller that
        is cancelled leaves them running; `settle` ends them.
        """
        driving = asyncio.ensure_future(
            self._execute(_to_the_end, steps)  # type: ignore[no-untyped-call]
        )
        self._driven = driving
        return cast(T, await asyncio.shield(driving))

    async def settle(self, *, interrupting: bool) -> None:
        """Wait until nothing runs, having ended the statement that does if `interrupting`."""
        while self._driven is not None and not self._driven.done():
            if interrupting:
                await self.interrupt()
            # Again after a while, for the thread may not have begun the statement yet.
            await asyncio.wait([self._driven], timeout=INTERRUPT_AGAIN_S)

    def run(self, sql: str, params: Mapping[str, Param]) -> list[Row]:
        """Run one statement.

        Raises:
            StorageUnavailable: the disk is full or fails, or the file is locked or damaged.
            sqlite3.Error: the statement is wrong or breaks a constraint; a bug of the caller.
        """
        with _told_as_ours():
            return cast(list[Row], self._conn.execute(sql, params).fetchall())

    def run_script(self, script: str) -> None:
        """Run statements without parameters, up to the first that fails; as `run`."""
        with _told_as_ours():
            for statement in script.split(";"):
                self._conn.execute(statement)

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Param]]) -> None:
        """Add rows, whose values are in the order of the columns; as `run`."""
        into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        row = f"({', '.join('?' * len(columns))})"
        at, size = 0, ROWS_MAX
        with _told_as_ours():
            while at < len(rows):
                while size > len(rows) - at:
                    size //= 2
                values = [value for one in rows[at : at + size] for value in one]
                self._conn.execute(into + ", ".join([row] * size), values)
                at += size

    def expect_transaction(self) -> None:
        """Raise StorageUnavailable where there is no transaction any more.

        A full disk makes SQLite roll back by itself; what came next would commit on its own.
        """
        if not self._conn.in_transaction:
            raise StorageUnavailable("the database has rolled the transaction back")

    def roll_back(self) -> None:
        """Leave the transaction, if there is one."""
        self._conn.rollback()

    async def run_work(self, work: Work[T]) -> T:
        """Run `work` in the transaction that is open, which the caller ends; as `run`."""
        return await run_work(_Statements(self), work)


class _Statements:
    """What a work runs; see `Statements`."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection

    async def run(self, sql: str, params: Mapping[str, Param]) -> list[Row]:
        """See `Statements.run`."""
        self._connection.expect_transaction()
        return self._connection.run(sql, params)

    async def add(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Param]]
    ) -> None:
        """See `Statements.add`."""
        self._connection.expect_transaction()
        self._connection.add(table, columns, rows)


async def connect(connections: AsyncExitStack, path: Path, *, mode: str) -> SqliteConnection:
    """A connection that `connections` closes; one left open would keep the process from ending."""

    def connector() -> sqlite3.Connection:
        raw = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}",
            uri=True,
            timeout=BUSY_S_MAX,
            isolation_level=None,  # transactions are begun here, never by the Python module
            cached_statements=STATEMENTS_KEPT,
        )
        raw.row_factory = _as_mapping
        return raw

    connection = SqliteConnection(connector, iter_chunk_size=64)
    await connections.enter_async_context(connection)
    return connection


def _as_mapping(cursor: sqlite3.Cursor, row: tuple[Param, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _to_the_end(steps: Coroutine[Any, Any, T]) -> T:
    try:
        steps.send(None)
        while True:
            steps.throw(RuntimeError("a work awaits nothing but its transaction"))
    except StopIteration as end:
        return cast(T, end.value)


@contextmanager
def _told_as_ours() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if _is_unavailable(error):
            raise StorageUnavailable(f"the database does not answer: {error}") from error
        raise


def _is_unavailable(error: sqlite3.Error) -> bool:
    """Whether trying again may help; all else is a bug and stays what it is."""
    # The low byte is the kind, the rest its detail; errors of the Python module have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNAVAILABLE
