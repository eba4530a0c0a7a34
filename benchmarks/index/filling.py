"""Fills an index in bulk: rows first, and then what finds them.

An index that is kept while rows come in no order costs more than all else, and so does a log of
what nobody would miss. So indexes and keys are dropped, and made again as the catalogue has them.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import asyncpg
import numpy as np
from numpy.typing import NDArray

from benchmarks.index.lines import Table, batches, lines_of_exams, rows_in
from benchmarks.kit.exams import PATIENTS_MAX

TELL_EVERY_S: Final = 10.0
EXAMS_MEDIAN: Final = 4.0
EXAMS_SPREAD: Final = 1.3
"""Sigma of a log-normal: half of the patients have four exams or fewer, one in a hundred eighty."""
EXAMS_MAX: Final = 500

Tell = Callable[[str], None]

_INDEXES: Final = """SELECT
    CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
    ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, c.conname) END AS drop,
    CASE WHEN c.oid IS NULL THEN replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
    ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname,
                pg_get_constraintdef(c.oid)) END AS make
FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
WHERE i.indrelid = ANY($1::text[]::regclass[]) ORDER BY i.indexrelid"""
"""How to drop each index of some tables and those of their parts, and how to make it again."""


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


def fill(place: Path | str, whose: NDArray[np.int64], *, tell: Tell) -> None:
    """Put an exam for each patient who is told into tables that are there and hold nothing.

    Args:
        place: a SQLite file, or a PostgreSQL URL.
        tell: is told now and then how far it is.
    """
    filling = Filling(tables=lines_of_exams().tables, whose=whose, tell=tell)
    if isinstance(place, Path):
        _fill_sqlite(place, filling)
    else:
        asyncio.run(_fill_postgresql(place, filling))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What is to be put into which tables."""

    tables: Sequence[Table]
    whose: NDArray[np.int64]
    tell: Tell

    def lines(self) -> Iterator[tuple[Table, bytes]]:
        """All lines, of one table after the other, over and over."""
        began = told_at = time.monotonic()
        done, total = 0, len(self.whose)
        for count, batch in batches(self.whose):
            yield from zip(self.tables, batch, strict=True)
            done += count
            if (now := time.monotonic()) - told_at >= TELL_EVERY_S:
                told_at, took_s = now, now - began
                left_s = took_s / done * (total - done)
                self.tell(f"{done} of {total} exams, {took_s:.0f} s, {left_s:.0f} s left")


def _fill_sqlite(file: Path, filling: Filling) -> None:
    names = [table.name for table in filling.tables]
    places = ", ".join("?" * len(names))
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        # What is measured is what the file holds later, not how it got there.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            database.execute(f"PRAGMA {pragma}")
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            f" AND tbl_name IN ({places}) ORDER BY rowid",
            names,
        ).fetchall()
        database.execute("BEGIN IMMEDIATE")
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        for table, lines in filling.lines():
            into = f"{table.name} ({', '.join(table.columns)})"
            values = ", ".join("?" * len(table.columns))
            database.executemany(f"INSERT INTO {into} VALUES ({values})", rows_in(lines))
        for _, sql in indexes:
            filling.tell(sql)
            database.execute(sql)
        database.execute("ANALYZE")
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")


async def _fill_postgresql(url: str, filling: Filling) -> None:
    database = await asyncpg.connect(url)
    try:
        names = [table.name for table in filling.tables]
        async with database.transaction():
            # What is written to a table that this transaction emptied need not be logged.
            await database.execute(f"TRUNCATE {', '.join(names)}")
            indexes = await database.fetch(_INDEXES, names)
            for index in indexes:
                await database.execute(index["drop"])
            for table, lines in filling.lines():
                await database.copy_to_table(
                    table.name, source=BytesIO(lines), columns=table.columns
                )
            for index in indexes:
                filling.tell(index["make"])
                await database.execute(index["make"])
        for name in names:
            filling.tell(f"VACUUM ANALYZE {name}")
            await database.execute(f"VACUUM (ANALYZE) {name}")
        await database.execute("CHECKPOINT")
    finally:
        await database.close()
