"""The journal's table: lines are added and read, and never changed."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, cast

from gateway.storage.database import Dialect, Param, Readable, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Ins
from indexer.server.clock import epoch_ms
from indexer.server.columns import json_text, patient_key
from indexer.server.journal.chain import Line, next_line
from indexer.server.journal.deed import Deed, written
from indexer.wire.fhir.journal_search import JournalSearch

PAGE_LINES: Final = 1000
"""Lines that are read at once where all of them are."""


class Journal:
    """The lines of all records.

    Args:
        now_ms: tells the time of a line.
    """

    def __init__(self, dialect: Dialect, *, now_ms: Callable[[], int] = epoch_ms) -> None:
        self._sql = load_queries("indexer.server.journal", "journal.sql", dialect)
        self._now_ms = now_ms

    async def add(self, tx: Transaction, deeds: Sequence[Deed]) -> None:
        """Add a line for each deed, in their order: two statements, however many they are."""
        keys = [one.patient_key for one in deeds]
        rows = await tx.fetch(self._sql["find_heads"], patient_keys=json_text(sorted(set(keys))))
        heads = {line.patient_key: line for line in map(_line, rows)}
        now_ms = self._now_ms()
        added = []
        for key, deed in zip(keys, deeds, strict=True):
            line = heads[key] = next_line(heads.get(key), key, written(deed), now_ms=now_ms)
            added.append(_row(line))
        await tx.add("journal", added)

    async def find(self, tx: Transaction, search: JournalSearch) -> tuple[list[Line], bool]:
        """One page of a record's lines, the latest first, and whether there are more."""
        rows = await tx.fetch(
            self._sql["find_latest"],
            patient_key=patient_key(search.patient),
            before=search.before,
            since_ms=search.since_ms,
            until_ms=search.until_ms,
            limit=search.lines_max + 1,
        )
        return [_line(row) for row in rows[: search.lines_max]], len(rows) > search.lines_max

    async def lines(self, database: Readable, patient: Ins | None) -> AsyncIterator[list[Line]]:
        """All lines, or those of one record, in order; new ones may come meanwhile."""
        place: dict[str, Param] = {"after_key": "", "after_position": 0}
        query = "find_next"
        if patient is not None:
            place = {"patient_key": patient_key(patient), "after_position": 0}
            query = "find_next_of_patient"
        while rows := await database.read(
            lambda tx: tx.fetch(self._sql[query], **place, limit=PAGE_LINES)
        ):
            page = [_line(row) for row in rows]
            yield page
            place["after_position"] = page[-1].position
            if patient is None:
                place["after_key"] = page[-1].patient_key


def _row(line: Line) -> Row:
    return {
        "patient_key": line.patient_key,
        "position": line.position,
        "at_ms": line.at_ms,
        "event": line.event,
        "hash": line.hash,
    }


def _line(row: Row) -> Line:
    return Line(
        patient_key=str(row["patient_key"]),
        position=cast(int, row["position"]),
        at_ms=cast(int, row["at_ms"]),
        event=cast(bytes, row["event"]),
        hash=cast(bytes, row["hash"]),
    )
