"""Named SQL, kept in a file beside the repository that runs it.

A block begins with its name and ends where the next begins. A block marked with a dialect replaces
the shared block of that name where that dialect is spoken.

    -- query: claim_due
    UPDATE outbox SET ...;

    -- query: claim_due [postgresql]
    UPDATE outbox SET ...;

What is shared keeps to what both engines mean alike. `json_extract` gives a text on PostgreSQL, so
that a number is cast (`AS INTEGER`, or `AS BIGINT` for milliseconds). Only a parameter is cast to
BLOB or TEXT: a column of bytes that is read as a text has a block of its own.
"""

import re
from collections.abc import Mapping
from importlib import resources
from itertools import pairwise

from gateway.storage.database import Dialect

_ANY_HEADER = re.compile(r"\s*--\s*query\b", re.IGNORECASE)
_HEADER = re.compile(r"-- query: (?P<name>[a-z][a-z0-9_]*)(?: \[(?P<dialect>[a-z]+)\])?")


def load_queries(package: str, file: str, dialect: Dialect) -> Mapping[str, str]:
    """The queries of one file as `dialect` speaks them, by name.

    A name that is absent raises a KeyError which says where it was looked for.

    Raises:
        ValueError: text before the first header, a malformed header, a dialect that no engine
            speaks, a name given twice, or a query without a statement.
    """
    where = f"{package}/{file}"
    shared = _Queries(where)
    special: dict[str, str] = {}
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    for (name, spoken), sql in _blocks(text, where).items():
        if spoken is None:
            shared[name] = sql
        elif spoken == dialect:
            special[name] = sql
    shared.update(special)
    return shared


class _Queries(dict[str, str]):
    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def __missing__(self, name: str) -> str:
        raise KeyError(f"no query {name!r} in {self._where}")


def _blocks(text: str, where: str) -> dict[tuple[str, Dialect | None], str]:
    """Each block's SQL, with its own comments, by name and dialect."""
    blocks: dict[tuple[str, Dialect | None], str] = {}
    lines = text.splitlines()
    headers = [number for number, line in enumerate(lines) if _ANY_HEADER.match(line)]
    if _has_sql(lines[: headers[0]] if headers else lines):
        raise ValueError(f"{where}:1: there is SQL before the first `-- query: name`")
    for number, end in pairwise([*headers, len(lines)]):
        place = f"{where}:{number + 1}"
        key, block = _parse_header(lines[number], place), lines[number + 1 : end]
        if key in blocks:
            raise ValueError(f"{place}: this query is given twice")
        if not _has_sql(block):
            raise ValueError(f"{place}: this query has no statement")
        blocks[key] = "\n".join(block).strip()
    return blocks


def _has_sql(lines: list[str]) -> bool:
    return any(line.strip() and not line.lstrip().startswith("--") for line in lines)


def _parse_header(line: str, place: str) -> tuple[str, Dialect | None]:
    if (header := _HEADER.fullmatch(line.rstrip())) is None:
        raise ValueError(f"{place}: expected `-- query: name` or `-- query: name [dialect]`")
    spoken = header["dialect"]
    if spoken is not None and spoken not in set(Dialect):
        raise ValueError(f"{place}: no engine speaks {spoken!r}")
    return header["name"], None if spoken is None else Dialect(spoken)
