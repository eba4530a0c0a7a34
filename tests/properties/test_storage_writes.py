"""Whatever works come together, the rows are those of the works that were told to hold."""

import asyncio
import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.storage.database import Transaction
from gateway.storage.sqlite import SqliteDatabase
from tests.support.notes import CREATE, INSERT, SELECT, WorkFailed, note_ids


class End(StrEnum):
    RETURN = "return"
    RAISE = "raise"
    CANCEL = "cancel the caller"
    CATCH = "catch the error of a statement"


@dataclass(frozen=True)
class Plan:
    """A work that adds notes, which may break the primary key, and then ends."""

    note_ids: tuple[int, ...]
    end: End

    async def __call__(self, tx: Transaction) -> tuple[int, ...]:
        for note_id in self.note_ids:
            await tx.fetch(INSERT, note_id=note_id, text="")
        if self.end is End.RAISE:
            raise WorkFailed
        if self.end is End.CATCH and self.note_ids:
            with suppress(sqlite3.IntegrityError):
                await tx.fetch(INSERT, note_id=self.note_ids[0], text="again")
        return self.note_ids


plans = st.builds(Plan, st.lists(st.integers(0, 12), max_size=3).map(tuple), st.sampled_from(End))


async def run(works: list[Plan], group_max: int) -> tuple[list[object], list[object]]:
    """Hand in the works together; returns what their callers heard and the rows that are there."""
    with tempfile.TemporaryDirectory() as folder:
        database = await SqliteDatabase.open(
            Path(folder) / "rows.sqlite", readers=1, group_max=group_max
        )
        await database.write(lambda tx: tx.fetch(CREATE))
        callers = [asyncio.create_task(database.write(work)) for work in works]
        await asyncio.sleep(0)  # each has handed in its work
        for caller, work in zip(callers, works, strict=True):
            if work.end is End.CANCEL:
                caller.cancel()
        heard = await asyncio.gather(*callers, return_exceptions=True)
        await database.write(lambda tx: tx.fetch(SELECT))  # after all works, for works keep order
        rows = await note_ids(database)
        await database.close()
    return list(heard), rows


def expected_rows(works: list[Plan]) -> set[int]:
    """Works hold one after the other: each whole, or not at all."""
    rows: set[int] = set()
    for work in works:
        added = set(work.note_ids)
        breaks_key = len(added) < len(work.note_ids) or bool(added & rows)
        if work.end is End.CATCH:  # an error ends a work that goes on, too
            breaks_key = breaks_key or bool(added)
        if work.end is not End.RAISE and not breaks_key:
            rows |= added
    return rows


@settings(max_examples=60)
@given(st.lists(plans, max_size=12), st.sampled_from([1, 3, 256]))
def test_each_work_holds_whole_or_not_at_all(works: list[Plan], group_max: int) -> None:
    heard, rows = asyncio.run(run(works, group_max))

    assert rows == sorted(expected_rows(works))
    acknowledged = [answer for answer in heard if isinstance(answer, tuple)]
    assert {note_id for added in acknowledged for note_id in added} <= set(rows)
