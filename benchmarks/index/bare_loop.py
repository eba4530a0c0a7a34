"""The peer of the index: a loop that does only what cannot be avoided, with the same libraries.

It parses each body, checks the document's hash, and writes the same rows and bytes to the same
tables, in group commits. There is no network, nothing is validated, judged, logged or counted, and
nobody waits for an answer.
"""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson
import pybase64
from lxml import etree

from benchmarks.index.messages import Protocol
from indexer.wire.xds import vocabulary as names

Row = tuple[Any, ...]
Rows = list[list[Row]]
"""Of one submission, in the order of `TABLES`."""

TABLES: Final = {
    "submission_set": ("patient_key", "set_id", "unique_id", "submitted_at_ms", "resource"),
    "entry": (
        "patient_key",
        "entry_id",
        "unique_id",
        "status",
        "type_scheme",
        "type_code",
        "created_at_ms",
        "reference_ids",
        "resource",
        "set_id",
    ),
    "document": ("patient_key", "entry_id", "mime_type", "content"),
    "directory": ("id", "kind", "patient_key", "object_id"),
    "journal": ("patient_key", "position", "at_ms", "event", "hash"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRun:
    """What the loop took for all of the bodies; the server of its database is not in `cpu`."""

    seconds: float
    cpu_seconds: float


def run_bare_loop(
    protocol: Protocol, bodies: Sequence[bytes], *, place: Path | str, group: int
) -> BareRun:
    """Run the loop in a process of its own, which has the bodies before its time begins.

    Args:
        place: a SQLite file, or a PostgreSQL URL; its tables are there and hold nothing.
        group: submissions in one commit.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, protocol, bodies, place, group).result()


def _run(protocol: Protocol, bodies: Sequence[bytes], place: Path | str, group: int) -> BareRun:
    write = _write_sqlite if isinstance(place, Path) else _write_postgresql
    groups = (bodies[at : at + group] for at in range(0, len(bodies), group))
    return write(place, (list(map(_ROWS[protocol], one)) for one in groups))


def _write_sqlite(file: Path | str, groups: Iterator[list[Rows]]) -> BareRun:
    database = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        database.execute(f"PRAGMA {pragma}")
    statements = [
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for table, columns in TABLES.items()
    ]
    began, cpu_began = time.perf_counter(), time.process_time()
    for rows in groups:
        database.execute("BEGIN IMMEDIATE")
        for statement, of_table in zip(statements, zip(*rows, strict=True), strict=True):
            database.executemany(statement, chain.from_iterable(of_table))
        database.execute("COMMIT")
    run = BareRun(seconds=time.perf_counter() - began, cpu_seconds=time.process_time() - cpu_began)
    database.close()
    return run


def _write_postgresql(url: Path | str, groups: Iterator[list[Rows]]) -> BareRun:
    async def write() -> BareRun:
        database = await asyncpg.connect(str(url))
        began, cpu_began = time.perf_counter(), time.process_time()
        for rows in groups:
            async with database.transaction():
                tables = zip(TABLES.items(), zip(*rows, strict=True), strict=True)
                for (table, columns), of_table in tables:
                    told = chain.from_iterable(of_table)
                    await database.copy_records_to_table(table, records=told, columns=columns)
        run = BareRun(
            seconds=time.perf_counter() - began, cpu_seconds=time.process_time() - cpu_began
        )
        await database.close()
        return run

    return asyncio.run(write())


def _rows(told: dict[str, Any], listed: dict[str, Any], content: bytes, sha1: str) -> Rows:
    """The rows of a submission.

    Args:
        told: of the entry: `patient_key`, `unique_id`, `type`, `created_at_ms`, `references`,
            `mime_type` and its `resource`.
        listed: of the submission set: `unique_id` and its `resource`.
    """
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != sha1:
        raise ValueError("the hash is another")
    patient, entry_id, set_id = told["patient_key"], str(uuid4()), str(uuid4())
    event = orjson.dumps({**_EVENT, "entries": [entry_id], "set": set_id})
    scheme, code = told["type"]
    resource = orjson.dumps({**told["resource"], "id": entry_id}).decode()
    set_resource = orjson.dumps({**listed["resource"], "id": set_id}).decode()
    references = orjson.dumps(told["references"]).decode()
    at_ms, unique_id, set_unique_id = told["created_at_ms"], told["unique_id"], listed["unique_id"]
    return [
        [(patient, set_id, set_unique_id, at_ms, set_resource)],
        [
            (
                *(patient, entry_id, unique_id, "current", scheme, code, at_ms),
                *(references, resource, set_id),
            )
        ],
        [(patient, entry_id, told["mime_type"], content)],
        [
            (set_id, "set", patient, set_id),
            (set_unique_id, "unique", patient, set_id),
            (entry_id, "entry", patient, entry_id),
            (unique_id, "unique", patient, entry_id),
        ],
        [(patient, 1, at_ms, event, hashlib.sha256(event).digest())],
    ]


def _rows_of_bundle(body: bytes) -> Rows:
    listed, entry, binary = (one["resource"] for one in orjson.loads(body)["entry"])
    content = pybase64.b64decode(binary["data"])
    who = entry["subject"]["identifier"]
    [coding] = entry["type"]["coding"]
    told = {
        "patient_key": f"{who['system'].removeprefix('urn:oid:')}|{who['value']}",
        "unique_id": entry["masterIdentifier"]["value"].removeprefix("urn:oid:"),
        "type": (coding["system"], coding["code"]),
        "created_at_ms": _AT_MS,
        "references": [
            {"kind": one["type"]["coding"][0]["code"], "value": one["value"]}
            for one in (related["identifier"] for related in entry["context"]["related"])
        ],
        "mime_type": binary["contentType"],
        "resource": entry,
    }
    sha1 = pybase64.b64decode(entry["content"][0]["attachment"]["hash"]).hex()
    unique_id = listed["identifier"][0]["value"].removeprefix("urn:oid:")
    return _rows(told, {"unique_id": unique_id, "resource": listed}, content, sha1)


_AT_MS: Final = 1_767_225_600_000
"""In every row, for a time is no work."""
_EVENT: Final = {"act": "publish", "exchange": "ITI-65", "outcome": "done"}
_RIM: Final = f"{{{names.RIM}}}"


def _rows_of_package(body: bytes) -> Rows:
    boundary, _, rest = body.partition(b"\r\n")
    envelope, described, _ = rest.split(b"\r\n" + boundary)
    content = described.partition(b"\r\n\r\n")[2]
    root = etree.fromstring(envelope.partition(b"\r\n\r\n")[2])
    [listed] = (_values(one) for one in root.iter(f"{_RIM}RegistryPackage"))
    [entry] = (_values(one) for one in root.iter(f"{_RIM}ExtrinsicObject"))
    told = {
        "patient_key": entry[names.PATIENT_ID][0].replace("^^^&", "|"),
        "unique_id": entry[names.UNIQUE_ID][0],
        "type": (entry["codingScheme"][0], entry[names.TYPE_CODE][0]),
        "created_at_ms": _AT_MS,
        "references": entry[names.REFERENCE_ID_LIST],
        "mime_type": "application/dicom",
        "resource": entry,
    }
    unique_id = listed[names.SET_UNIQUE_ID][0]
    return _rows(told, {"unique_id": unique_id, "resource": listed}, content, entry["hash"][0])


def _values(told: Any) -> dict[str, list[str]]:
    """Everything that an object says, by what names it."""
    found: dict[str, list[str]] = {}
    for one in told.iter():
        if one.tag == f"{_RIM}Slot":
            values = [value.text for value in one.iter(f"{_RIM}Value")]
            found.setdefault(one.get("name"), []).extend(values)
        elif one.tag == f"{_RIM}Classification":
            code = one.get("nodeRepresentation", "")
            found.setdefault(one.get("classificationScheme", ""), []).append(code)
        elif one.tag == f"{_RIM}ExternalIdentifier":
            found.setdefault(one.get("identificationScheme"), []).append(one.get("value"))
        elif one.tag == f"{_RIM}LocalizedString":
            found.setdefault("text", []).append(one.get("value"))
    return found


_ROWS: Final[dict[Protocol, Callable[[bytes], Rows]]] = {
    Protocol.ITI_65: _rows_of_bundle,
    Protocol.ITI_41: _rows_of_package,
}
