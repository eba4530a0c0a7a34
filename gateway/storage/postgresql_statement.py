"""What is run on a PostgreSQL connection: shared SQL as it speaks it, with errors made ours."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

import asyncpg

from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.storage.database import Param, Row, T, Work
from gateway.storage.transaction import run_work

STATEMENTS_MAX = 1024
"""Statements whose translation is remembered; the gateway has some two hundred."""

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

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
_UNAVAILABLE = frozenset({"40001", "40P01", "55P03", "XX001", "XX002"})
"""Conflict, deadlock, a lock that is held too long, damaged data."""
_NO_TEXT = frozenset({"22021", "22P05"})
"""A character that a text of PostgreSQL cannot hold: U+0000."""
_QUOTES_VALUES = "22"
"""Class of the errors whose message quotes what was wrong."""


class Connection(Protocol):
    """What is used of asyncpg's, which has no types."""

    async def fetch(self, query: str, *args: Param) -> list[Any]: ...
    async def execute(self, query: str) -> str: ...
    async def close(self, *, timeout: float) -> None: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...


class StatementRefused(Exception):
    """A statement is wrong or breaks a constraint: a bug of the caller. Quotes no value."""


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


async def execute(connection: Connection, sql: str, params: Mapping[str, Param]) -> list[Row]:
    """Run one statement with its `:name` parameters.

    Raises:
        InvalidRequest: a text holds U+0000, which PostgreSQL cannot keep.
        StorageUnavailable: the server is away, full, overloaded or too slow.
        StatementRefused: the statement is wrong or breaks a constraint.
    """
    text, names = spoken(sql)
    try:
        rows = await connection.fetch(text, *(params[name] for name in names))
    except DRIVER_ERRORS as error:
        # Not chained: the details of the cause quote the row, which names a patient.
        raise as_ours(error) from None
    return [dict(row) for row in rows]


async def execute_all(connection: Connection, script: str) -> None:
    """Run statements without parameters, up to the first that fails; as `execute`."""
    try:
        await connection.execute(script)
    except DRIVER_ERRORS as error:
        raise as_ours(error) from None


async def run_work_on(connection: Connection, work: Work[T]) -> T:
    """Run `work` on a connection that is inside a transaction; the caller ends that transaction.

    Raises:
        StorageUnavailable: as `execute`, or the work paused for too long.
    """
    failed: list[BaseException] = []

    async def statement(sql: str, params: Mapping[str, Param]) -> list[Row]:
        try:
            return await execute(connection, sql, params)
        except BaseException as error:
            failed.append(error)
            raise

    result = await run_work(statement, work)
    if failed:  # what the work wrote is void, though it went on
        raise failed[0]
    return result


def as_ours(error: Exception) -> Exception:
    """What a repository, and whoever calls it, is told instead of the driver's own error."""
    if not isinstance(error, asyncpg.PostgresError):
        if isinstance(error, ValueError):  # a parameter is of another type than its column
            return StatementRefused(type(error).__name__)
        return StorageUnavailable(f"the database does not answer: {type(error).__name__}")
    state = error.sqlstate or ""
    if state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES:
        return StorageUnavailable(f"the database does not answer: {error.args[0]}")
    if state in _NO_TEXT:
        return InvalidRequest("a text holds a character that the database cannot keep")
    said = "" if state.startswith(_QUOTES_VALUES) else f": {error.args[0]}"
    return StatementRefused(f"{type(error).__name__} ({state}){said}")
