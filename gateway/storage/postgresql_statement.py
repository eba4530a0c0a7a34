"""What is run on a PostgreSQL connection: shared SQL as it speaks it, with errors made ours."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Protocol

import asyncpg

from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.storage.database import Param, Row, T, Work
from gateway.storage.transaction import run_pausing_work

STATEMENTS_MAX = 1024
"""Statements whose translation is remembered; the gateway has some two hundred."""

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
_WRONG_VALUE = (TypeError, ValueError, OverflowError)
"""What the driver raises of a value that is of another type than its column, or too large."""
READ_ONLY = "25006"
"""What a server says of a write once it takes none."""

_TOKENS = re.compile(
    r"""
      '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | ::  # no parameter is in these
    | :(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<clustered>\bWITHOUT\s+ROWID\b)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)

_UNAVAILABLE_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58"})
"""Connection, authorization, database name, resources, operator and system (Appendix A)."""
_UNAVAILABLE = frozenset({"25P03", "25P04", "40001", "40P01", "55P03", "XX001", "XX002"})
"""A transaction that paused or lasted too long, conflict, deadlock, a lock that is held too long,
damaged data."""
_SENDERS_TO_MEND = {
    "22021": "a text holds a character that the database cannot keep",
    "54000": "a text is too long for the database to find it by",
}
_NO_CHARACTER = "\\u0000"
"""How JSON writes U+0000, which no text of PostgreSQL can hold."""
_QUOTES_VALUES = "22"
"""Class of the errors whose message quotes what was wrong."""


class Connection(Protocol):
    """What is used of asyncpg's, which has no types."""

    async def fetch(self, query: str, *args: Param, timeout: float | None = None) -> list[Any]: ...
    async def execute(self, query: str, *, timeout: float | None = None) -> str: ...
    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Sequence[Sequence[Param]],
        columns: Sequence[str],
        timeout: float | None = None,
    ) -> str: ...
    async def close(self, *, timeout: float) -> None: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...


class StatementRefused(Exception):
    """A statement is wrong or breaks a constraint: a bug of the caller. Quotes no value."""

    def __init__(self, message: str, *, state: str = "") -> None:
        super().__init__(message)
        self.state = state


@lru_cache(STATEMENTS_MAX)
def spoken(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2`… for its `:name` parameters, and their names in that order.

    PostgreSQL clusters no table by its key, so `WITHOUT ROWID` is left out.
    """
    numbers: dict[str, int] = {}

    def as_spoken(token: re.Match[str]) -> str:
        if token["clustered"]:
            return ""
        if (name := token["name"]) is None:
            return token[0]
        return f"${numbers.setdefault(name, len(numbers) + 1)}"

    text = _TOKENS.sub(as_spoken, sql)
    return text, tuple(numbers)


async def execute(
    connection: Connection,
    sql: str,
    params: Mapping[str, Param],
    *,
    within_s: float | None = None,
) -> list[Row]:
    """Run one statement with its `:name` parameters.

    Args:
        within_s: how long to wait for the answer; None for as long as the connection is set to.

    Raises:
        InvalidRequest: a text holds U+0000, or is too long for the index that it belongs to.
        StorageUnavailable: the server is away, full, overloaded or too slow.
        StatementRefused: the statement is wrong or breaks a constraint.
    """
    text, names = spoken(sql)
    values = [params[name] for name in names]
    _expect_characters(values)
    with _told_as_ours(connection):
        return [dict(row) for row in await connection.fetch(text, *values, timeout=within_s)]


async def copy(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Param]],
    *,
    within_s: float | None = None,
) -> None:
    """Add rows by COPY, whose values are in the order of the columns; as `execute`."""
    for row in rows:
        _expect_characters(row)
    with _told_as_ours(connection):
        await connection.copy_records_to_table(
            table, records=rows, columns=columns, timeout=within_s
        )


def _expect_characters(values: Iterable[Param]) -> None:
    for one in values:  # no generator: it would cost more than all that it looks at
        if isinstance(one, str) and _NO_CHARACTER in one:
            raise InvalidRequest(_SENDERS_TO_MEND["22021"])


async def execute_all(
    connection: Connection, script: str, *, within_s: float | None = None
) -> None:
    """Run statements without parameters, up to the first that fails; as `execute`."""
    with _told_as_ours(connection):
        await connection.execute(script, timeout=within_s)


def cut_off(connection: Connection) -> None:
    """End a connection at once; the next that is needed is made anew."""
    with suppress(*DRIVER_ERRORS):  # where it is lost, its pool may have let go of it already
        connection.terminate()


@contextmanager
def _told_as_ours(connection: Connection) -> Iterator[None]:
    try:
        yield
    except (*DRIVER_ERRORS, *_WRONG_VALUE) as error:
        if isinstance(error, TimeoutError):
            # It may answer later, or never: the driver would wait for that before all else.
            cut_off(connection)
        # Not chained: the details of the cause quote the row, which names a patient.
        raise as_ours(error) from None


async def run_work_on(connection: Connection, work: Work[T], *, within_s: float | None = None) -> T:
    """Run `work` on a connection that is inside a transaction; the caller ends that transaction.

    Args:
        within_s: how long to wait for the answer to each statement, as in `execute`.

    Raises:
        StorageUnavailable: as `execute`, or the work paused for too long.
    """
    return await run_pausing_work(_PostgresqlStatements(connection, within_s), work)


class _PostgresqlStatements:
    """What a work runs; see `Statements`."""

    def __init__(self, connection: Connection, within_s: float | None) -> None:
        self._connection = connection
        self._within_s = within_s

    async def run(self, sql: str, params: Mapping[str, Param]) -> list[Row]:
        """See `Statements.run`."""
        return await execute(self._connection, sql, params, within_s=self._within_s)

    async def add(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Param]]
    ) -> None:
        """See `Statements.add`."""
        await copy(self._connection, table, columns, rows, within_s=self._within_s)


def as_ours(error: Exception) -> Exception:
    """What a repository, and whoever calls it, is told instead of the driver's own error."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return StorageUnavailable("no server that takes writes answers")
    if not isinstance(error, asyncpg.PostgresError):
        if isinstance(error, _WRONG_VALUE):
            return StatementRefused(type(error).__name__)
        return StorageUnavailable(f"the database does not answer: {type(error).__name__}")
    state = error.sqlstate or ""
    if state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES:
        return StorageUnavailable(f"the database does not answer: {error.args[0]}")
    if state in _SENDERS_TO_MEND:
        return InvalidRequest(_SENDERS_TO_MEND[state])
    said = "" if state.startswith(_QUOTES_VALUES) else f": {error.args[0]}"
    return StatementRefused(f"{type(error).__name__} ({state}){said}", state=state)
