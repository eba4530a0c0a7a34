"""The rows of submissions, without their documents, as lines of text that COPY reads.

The rows of one exam are made by the index's own code; those of all others are the same with its
values in their places, for making each anew would take hours.
"""

import base64
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Final, Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from benchmarks.kit.exams import Exams
from indexer.contract.document import Submission
from indexer.contract.document_set import document_set_of
from indexer.server.registry.directory import directory_rows
from indexer.server.registry.judging import allot
from indexer.server.registry.rows import entry_rows, set_row
from indexer.wire.fhir.elements import write_moment
from indexer.wire.outcome import Json

BATCH_EXAMS: Final = 5_000
MAKERS: Final = 2
"""Processes that make lines while the database takes those that are made."""
BATCHES_AHEAD: Final = 4
"""That wait for the database, at most, of 30 MB each."""

_SET_ID: Final = "0b1e5d2c-0000-4000-8000-000000000001"
_ENTRY_ID: Final = "0b1e5d2c-0000-4000-8000-000000000002"


def rows_of(
    submission: Submission, *, set_id: str = _SET_ID, entry_id: str = _ENTRY_ID
) -> dict[str, list[Json]]:
    """The rows that the index writes of a submission, by table."""
    ids = iter([set_id, entry_id])
    told = allot(document_set_of(submission), lambda: next(ids))
    return {
        "submission_set": [set_row(told)],
        "entry": [*entry_rows(told)],
        "directory": [*directory_rows(told)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What one exam has in a table: a line a row, columns parted by tabs."""

    name: str
    columns: tuple[str, ...]
    template: str
    """Of all its lines; what differs from exam to exam is named in it."""

    @classmethod
    def like(cls, name: str, rows: Sequence[Json], model: Submission) -> Self:
        """A table whose rows for the model are these."""
        template = "".join("\t".join(map(str, row.values())) + "\n" for row in rows)
        if "\\" in template:
            raise ValueError("COPY would take a backslash for the beginning of an escape")
        template = template.replace("%", "%%")
        for value_name, value in _values(model, set_id=_SET_ID, entry_id=_ENTRY_ID).items():
            template = template.replace(value, f"%({value_name})s")
        return cls(name=name, columns=tuple(rows[0]), template=template)


def rows_in(lines: bytes) -> list[list[str]]:
    """The rows that the lines of a table tell, as texts."""
    # Not `splitlines`, which takes more for the end of a line than what ends one here.
    return [line.split("\t") for line in lines.decode().removesuffix("\n").split("\n")]


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
        "made_at_ms": str(int(entry.created_at.timestamp() * 1000)),
        "made_at": write_moment(entry.created_at),
        "started_at": write_moment(entry.service_start),
        "stopped_at": write_moment(entry.service_stop),
        "hash": base64.b64encode(bytes.fromhex(entry.sha1)).decode("ascii"),
    }


class LinesOfExams:
    """The lines of exams whose manifests list one instance."""

    def __init__(self) -> None:
        self._exams = Exams.of(1)
        model = self._exams.submission(1, patient=1, of=1)
        self.tables = [Table.like(name, rows, model) for name, rows in rows_of(model).items()]

    def of(self, exams: Sequence[Submission]) -> list[bytes]:
        """Those of some exams, in the order of `tables`."""
        values = [_values(one, set_id=str(uuid4()), entry_id=str(uuid4())) for one in exams]
        return [_told(table.template, values) for table in self.tables]

    def batch(self, whose: Sequence[int], *, first: int, of: int) -> list[bytes]:
        """Those of exams in a row, by whose each is.

        Args:
            first: the number of the first.
            of: how many there are in all.
        """
        exams = self._exams
        return self.of(
            [exams.submission(one, patient=p, of=of) for one, p in enumerate(whose, start=first)]
        )


def _told(template: str, values: Sequence[Mapping[str, str]]) -> bytes:
    return "".join([template % one for one in values]).encode()


@cache
def lines_of_exams() -> LinesOfExams:
    """The one of this process."""
    return LinesOfExams()


def batches(whose: NDArray[np.int64]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of every exam, by table, a batch at a time, with how many exams a batch is of.

    Other processes make them, no more than `BATCHES_AHEAD` before they are asked for.
    """
    ahead: deque[tuple[int, Future[list[bytes]]]] = deque()
    # Not forked, for who asks may have threads.
    with ProcessPoolExecutor(MAKERS, mp_context=get_context("spawn")) as makers:
        for start in range(0, len(whose), BATCH_EXAMS):
            of_batch = whose[start : start + BATCH_EXAMS].tolist()
            made = makers.submit(_batch, of_batch, first=start + 1, of=len(whose))
            ahead.append((len(of_batch), made))
            if len(ahead) >= BATCHES_AHEAD:
                yield _next(ahead)
        while ahead:
            yield _next(ahead)


def _next(ahead: deque[tuple[int, Future[list[bytes]]]]) -> tuple[int, list[bytes]]:
    count, made = ahead.popleft()
    return count, made.result()


def _batch(whose: Sequence[int], *, first: int, of: int) -> list[bytes]:
    return lines_of_exams().batch(whose, first=first, of=of)
