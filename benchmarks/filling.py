"""Fills an index in bulk with the rows of submissions, without their documents.

The rows of one exam are made by the index's own code; those of all others are the same with its
values in their places, for making each anew would take hours.
"""

import asyncio
import base64
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import numpy as np
from numpy.typing import NDArray

from benchmarks.exams import PATIENTS_MAX, Exams
from indexer.contract.document import Submission
from indexer.contract.document_set import document_set_of
from indexer.server.registry.directory import directory_rows
from indexer.server.registry.judging import allot
from indexer.server.registry.rows import entry_rows, set_row
from indexer.wire.fhir.elements import write_moment
from indexer.wire.outcome import Json

BATCH_ROWS: Final = 10_000
EXAMS_MEDIAN: Final = 4.0
EXAMS_SPREAD: Final = 1.3
"""Sigma of a log-normal: half of the patients have four exams or fewer, one in a hundred eighty."""
EXAMS_MAX: Final = 500

_SET_ID: Final = "0b1e5d2c-0000-4000-8000-000000000001"
_ENTRY_ID: Final = "0b1e5d2c-0000-4000-8000-000000000002"


def patients_of(entries: int, *, seed: int) -> NDArray[np.int64]:
    """Whose each exam is, in the order of their dates: few of most patients, hundreds of some."""
    rng = np.random.default_rng(seed)
    counts: list[NDArray[np.int64]] = []
    total = 0
    while total < entries:
        drawn = rng.lognormal(np.log(EXAMS_MEDIAN), EXAMS_SPREAD, 100_000)
        counts.append(np.clip(drawn, 1, EXAMS_MAX).astype(np.int64))
        total += int(counts[-1].sum())
    every = np.concatenate(counts)
    whose = np.repeat(np.arange(len(every)), every)[:entries]
    rng.shuffle(whose)
    if whose.max() >= PATIENTS_MAX:
        raise ValueError("there are not so many patients")
    return whose


def rows_of(
    submission: Submission, *, set_id: str = _SET_ID, entry_id: str = _ENTRY_ID
) -> list[tuple[str, Json]]:
    """The rows that the index writes of a submission, each with its table."""
    ids = iter([set_id, entry_id])
    told = allot(document_set_of(submission), lambda: next(ids))
    return [
        ("submission_set", set_row(told)),
        *(("entry", {**one, "status": "current"}) for one in entry_rows(told)),
        *(("directory", one) for one in directory_rows(told)),
    ]


@dataclass(frozen=True, slots=True)
class Table:
    """One row of each exam, in a table: what differs from exam to exam is named in templates."""

    name: str
    columns: tuple[str, ...]
    templates: tuple[str | None, ...]
    """None where the column is the exam's time."""

    @classmethod
    def like(cls, name: str, row: Json, model: Submission) -> "Table":
        """A table whose row for the model is this one."""
        values = _values(model, set_id=_SET_ID, entry_id=_ENTRY_ID)
        templates = [
            None if value == _at_ms(model) else _template(value, values) for value in row.values()
        ]
        return cls(name, tuple(row), tuple(templates))

    def row(self, values: Mapping[str, str], at_ms: int) -> tuple[str | int, ...]:
        """One exam's."""
        return tuple(at_ms if one is None else one % values for one in self.templates)


def _template(text: str, values: Mapping[str, str]) -> str:
    text = text.replace("%", "%%")
    for name, value in values.items():
        text = text.replace(value, f"%({name})s")
    return text


def _values(exam: Submission, *, set_id: str, entry_id: str) -> dict[str, str]:
    """What differs from exam to exam, as it stands in a row."""
    entry = exam.entry
    accession, study = entry.reference_ids
    assert entry.service_start is not None
    assert entry.service_stop is not None
    return {
        "set_id": set_id,
        "entry_id": entry_id,
        "submission": exam.submission_id,
        "manifest": entry.unique_id,
        "study": study.value,
        "accession": accession.value,
        "patient": entry.patient.value,
        "local_patient": entry.local_patient.value,
        "made_at": write_moment(entry.created_at),
        "started_at": write_moment(entry.service_start),
        "stopped_at": write_moment(entry.service_stop),
        "hash": base64.b64encode(bytes.fromhex(entry.sha1)).decode("ascii"),
    }


def _at_ms(exam: Submission) -> int:
    return int(exam.entry.created_at.timestamp() * 1000)


class RowsOfExams:
    """The rows of exams whose manifests list one instance."""

    def __init__(self) -> None:
        self._exams = Exams.of(1)
        model = self._exams.submission(1, patient=1, of=1)
        self.tables = [Table.like(name, row, model) for name, row in rows_of(model)]

    def of(self, exam: Submission) -> list[tuple[str | int, ...]]:
        """The rows of one, in the order of `tables`."""
        values = _values(exam, set_id=str(uuid4()), entry_id=str(uuid4()))
        return [table.row(values, _at_ms(exam)) for table in self.tables]

    def batches(self, whose: NDArray[np.int64]) -> Iterator[list[list[tuple[str | int, ...]]]]:
        """Those of every exam, by table, `BATCH_ROWS` at a time."""
        exams = (
            self._exams.submission(number, patient=patient, of=len(whose))
            for number, patient in enumerate(map(int, whose), start=1)
        )
        while batch := [self.of(one) for one in islice(exams, BATCH_ROWS)]:
            yield [list(of_table) for of_table in zip(*batch, strict=True)]


def fill(place: Path | str, whose: NDArray[np.int64]) -> None:
    """Add an exam for each patient who is told, to tables that are there.

    Args:
        place: a SQLite file, or a PostgreSQL URL.
    """
    rows = RowsOfExams()
    if isinstance(place, Path):
        _fill_sqlite(place, rows, whose)
    else:
        asyncio.run(_fill_postgresql(place, rows, whose))


def _fill_sqlite(file: Path, rows: RowsOfExams, whose: NDArray[np.int64]) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        # What is measured is what the file holds later, not how it got there.
        for pragma in ("synchronous = OFF", "cache_size = -1000000"):
            database.execute(f"PRAGMA {pragma}")
        for batch in rows.batches(whose):
            database.execute("BEGIN IMMEDIATE")
            for table, of_table in zip(rows.tables, batch, strict=True):
                places = ", ".join("?" * len(table.columns))
                into = f"{table.name} ({', '.join(table.columns)})"
                database.executemany(f"INSERT INTO {into} VALUES ({places})", of_table)
            database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("ANALYZE")


async def _fill_postgresql(url: str, rows: RowsOfExams, whose: NDArray[np.int64]) -> None:
    database = await asyncpg.connect(url, server_settings={"synchronous_commit": "off"})
    try:
        for batch in rows.batches(whose):
            for table, of_table in zip(rows.tables, batch, strict=True):
                await database.copy_records_to_table(
                    table.name, records=of_table, columns=table.columns
                )
        await database.execute("VACUUM ANALYZE", timeout=None)
        await database.execute("CHECKPOINT", timeout=None)
    finally:
        await database.close()
