"""What is run on a PostgreSQL connection: shared SQL as it speaks it, with errors made ours."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Protocol

import asyncpg

from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.storage.database import Param, Row, T, Work
from gateway.storage.transaction import run_work

STATEMENTS_MAX = 1024
"""Statements whose translation is remembered; the gateway has some two hundred."""

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
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
    if any(isinstance(one, str) and _NO_CHARACTER in one for one in values):
        raise InvalidRequest(_SENDERS_TO_MEND["22021"])
    with _told_as_ours(connection):
        return [dict(row) for row in await connection.fetch(text, *values, timeout=within_s)]


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
    except DRIVER_ERRORS as error:
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
    failed: list[BaseException] = []

    async def statement(sql: str, params: Mapping[str, Param]) -> list[Row]:
        try:
            return await execute(connection, sql, params, within_s=within_s)
        except BaseException as error:
            failed.append(error)
            raise

    result = await run_work(statement, work)
    if failed:  # what the work wrote is void, though it went on
        raise failed[0]
    return result


def as_ours(error: Exception) -> Exception:
    """What a repository, and whoever calls it, is told instead of the driver's own error."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return StorageUnavailable("no server that takes writes answers")
    if not isinstance(error, asyncpg.PostgresError):
        if isinstance(error, ValueError):  # a parameter is of another type than its column
            return StatementRefused(type(error).__name__)
        return StorageUnavailable(f"the database does not answer: {type(error).__name__}")
    state = error.sqlstate or ""
    if state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES:
        return StorageUnavailable(f"the database does not answer: {error.args[0]}")
    if state in _SENDERS_TO_MEND:
        return InvalidRequest(_SENDERS_TO_MEND[state])
    said = "" if state.startswith(_QUOTES_VALUES) else f": {error.args[0]}"
    return StatementRefused(f"{type(error).__name__} ({state}){said}", state=state)
