"""Finds entries and submission sets by what a search of FHIR asks for, page by page.

A patient's rows are looked at in their order, the newest first, until a page is full. What an index
has columns for is left to it; the rest is a test on each row, and how many are tested is bounded.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

from gateway.errors import NotFound
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.server.columns import json_text, patient_key
from indexer.server.registry.directory import Directory, IdKind
from indexer.server.registry.rows import held_entry, held_resource, updated_at
from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.search import EntrySearch
from indexer.wire.fhir.search_controls import ObjectSearch
from indexer.wire.fhir.set_search import SetSearch
from indexer.wire.fhir.submission_set import read_submission_set
from indexer.wire.outcome import IssueCode, Refusal

SCANNED_ROWS: Final = 100
"""Rows that are looked at together."""
SCANNED_MAX: Final = 20_000
"""Rows that are looked at for one page; a record has some hundred."""

_Page = tuple[list[Row], bool]


class Finder:
    """The searches; each is one step of a read that its caller runs, and gives one page of rows
    and whether there are more.

    Raises:
        NotFound: the page before it is not known.
        Refusal: more rows than `SCANNED_MAX` would have to be looked at for it.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("indexer.server.registry", "finder.sql", dialect)
        self._directory = Directory(dialect)

    async def entries(self, tx: Transaction, search: EntrySearch) -> _Page:
        """Entries, by when their documents were made."""
        kind, value = search.reference or (None, None)
        columns: dict[str, Param] = {
            "statuses": json_text(sorted(search.statuses)),
            "type_code": search.type_code,
            "type_scheme": search.type_scheme,
            "reference_kind": kind,
            "reference_value": value,
        }
        every = not (search.wanted.tests or search.updated)
        rows = await self._rows(
            tx,
            "entries",
            search,
            columns=columns,
            limit=search.page_max + 1 if every else SCANNED_ROWS,
            test=lambda row: _is_wanted(row, search),
        )
        return rows[: search.page_max], len(rows) > search.page_max

    async def sets(self, tx: Transaction, search: SetSearch) -> _Page:
        """Submission sets, by when they were submitted."""
        rows = await self._rows(
            tx,
            "sets",
            search,
            columns={},
            limit=SCANNED_ROWS,
            test=lambda row: search.wants(
                read_submission_set(Element(orjson.loads(str(row["resource"])), "List"))
            ),
        )
        return rows[: search.page_max], len(rows) > search.page_max

    async def _rows(
        self,
        tx: Transaction,
        what: str,
        asked: ObjectSearch,
        *,
        columns: Mapping[str, Param],
        limit: int,
        test: Callable[[Row], bool],
    ) -> list[Row]:
        """As many rows as are asked for, and one more if there is one."""
        if asked.identifiers is not None:
            rows = await self._named(tx, what, asked.identifiers)
            rows.sort(key=lambda row: (row["at_ms"], row["id"]), reverse=True)
            return [row for row in _after_page(rows, asked) if _is_theirs(row, asked) and test(row)]
        patient, after_ms, after_id = await self._place(tx, what, asked)
        found: list[Row] = []
        for _ in range(0, SCANNED_MAX, limit):
            rows = await tx.fetch(
                self._sql[f"{what}_by_patient"],
                patient_key=patient,
                after_ms=after_ms,
                after_id=after_id,
                limit=limit,
                **columns,
            )
            # One by one: each test reads an entry whole, and a page may be full after the first.
            for row in rows:
                if test(row):
                    found.append(row)
                if len(found) > asked.page_max:
                    return found
            if len(rows) < limit:
                return found
            after_ms, after_id = rows[-1]["at_ms"], rows[-1]["id"]
        raise Refusal("too much would have to be looked at", code=IssueCode.TOO_COSTLY)

    async def _place(
        self, tx: Transaction, what: str, asked: ObjectSearch
    ) -> tuple[str | None, Param, Param]:
        """Whose rows are looked at, and from where: a page before names both."""
        if asked.after is None:
            return _whose(asked), None, None
        # What a page ended with names the patient, so that the address of the next need not.
        last = await self._named(tx, what, [asked.after])
        if not last or not _is_theirs(last[0], asked):
            raise _unknown_page()
        return str(last[0]["patient_key"]), last[0]["at_ms"], asked.after

    async def _named(self, tx: Transaction, what: str, ids: Sequence[str]) -> list[Row]:
        """By the ids that the index allotted, or by unique ids."""
        kind = IdKind.ENTRY if what == "entries" else IdKind.SET
        places = [
            place
            for one in (kind, IdKind.UNIQUE)
            for place in (await self._directory.find(tx, one, ids)).values()
        ]
        if kind is IdKind.ENTRY:
            return await self._directory.entries(tx, set(places))
        return await self._directory.sets(tx, set(places))


def _whose(asked: ObjectSearch) -> str | None:
    return patient_key(asked.patient) if asked.patient else None


def _is_theirs(row: Row, asked: ObjectSearch) -> bool:
    return _whose(asked) in (None, row["patient_key"])


def _after_page(rows: Sequence[Row], asked: ObjectSearch) -> Sequence[Row]:
    """The rows after the page before."""
    if asked.after is None:
        return rows
    ids = [row["id"] for row in rows]
    if asked.after not in ids:
        raise _unknown_page()
    return rows[ids.index(asked.after) + 1 :]


def _unknown_page() -> NotFound:
    return NotFound("the page before this one is not known")


def _is_wanted(row: Row, search: EntrySearch) -> bool:
    """Whether an entry is what is asked for, beside what the index has columns for.

    One that was found by an id may still have another status.
    """
    moment = updated_at(row)
    if row["status"] not in search.statuses or not all(
        any(one.meets(moment, moment) for one in told) for told in search.updated
    ):
        return False
    return not search.wanted.tests or search.wanted.matches(held_entry(held_resource(row)))
