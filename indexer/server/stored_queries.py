"""Answers stored queries (ITI-18) from the registry's tables.

A patient's entries are read page by page and judged by a plain filter: a record holds some hundred
of them, and no index serves each of the twenty attributes that a query may name.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

import orjson

from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.document_set import Association, Relation, SubmissionSet
from indexer.server.judging import patient_key
from indexer.server.registry import held_resource
from indexer.wire import ebrim_vocabulary as names
from indexer.wire.document_reference import read_document_reference
from indexer.wire.elements import Element
from indexer.wire.entry_filter import read_filter
from indexer.wire.entry_tests import EntryFilter
from indexer.wire.outcome import XdsError, xds_refusal
from indexer.wire.stored_query import ENTRY, SET, QueryKind, StoredQuery, read_urn
from indexer.wire.submission_set import read_submission_set

OBJECTS_MAX = 2000
"""Whole objects of one kind in an answer; what finds more is told so."""
REFERENCES_MAX = 10_000
"""Objects of one kind in an answer that tells their ids alone."""
PAGE_ENTRIES = 500


@dataclass(slots=True)
class Found:
    """What a query found."""

    entries: list[DocumentEntry] = field(default_factory=list)
    sets: list[SubmissionSet] = field(default_factory=list)
    associations: list[tuple[Association, bool]] = field(default_factory=list)
    """Each with whether it is the membership of a document in the set that brought it."""
    patient_keys: set[str] = field(default_factory=set)
    """Whose records were searched; completed by those of what was found."""


class StoredQueries:
    """The queries; each is one step of a read that its caller runs."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("indexer.server", "stored_queries.sql", dialect)
        self._answers: Mapping[QueryKind, _Answer] = {
            QueryKind.FIND_DOCUMENTS: self._find_documents,
            QueryKind.FIND_BY_REFERENCE: self._find_by_reference,
            QueryKind.GET_ALL: self._get_all,
            QueryKind.GET_DOCUMENTS: self._get_documents,
            QueryKind.GET_ASSOCIATIONS: self._get_associations,
            QueryKind.GET_DOCUMENTS_AND_ASSOCIATIONS: self._get_documents_and_associations,
            QueryKind.GET_SUBMISSION_SETS: self._get_submission_sets,
            QueryKind.GET_SET_AND_CONTENTS: self._get_set_and_contents,
            QueryKind.GET_RELATED: self._get_related,
        }

    async def answer(self, tx: Transaction, query: StoredQuery) -> Found:
        """What a query finds.

        Raises:
            InvalidValue: a parameter is missing or malformed, or too much was found.
        """
        found = await self._answers[query.kind](tx, query)
        if query.whole:
            for objects in (found.entries, found.sets, found.associations):
                _expect_few(objects, OBJECTS_MAX)
        found.patient_keys.update(patient_key(one.patient) for one in found.entries)
        found.patient_keys.update(patient_key(one.patient) for one in found.sets)
        return found

    async def _find_documents(self, tx: Transaction, query: StoredQuery) -> Found:
        patient = query.patient(f"{ENTRY}PatientId")
        statuses = query.statuses(f"{ENTRY}Status")
        wanted = read_filter(query)
        if patient is None:
            return Found()
        key = patient_key(patient)
        return Found(await self._matching(tx, key, statuses, wanted), patient_keys={key})

    async def _find_by_reference(self, tx: Transaction, query: StoredQuery) -> Found:
        if not query.told(f"{ENTRY}ReferenceIdList"):
            reason = f"{ENTRY}ReferenceIdList is missing"
            raise xds_refusal(reason, XdsError.MISSING_PARAMETER)
        return await self._find_documents(tx, query)

    async def _get_all(self, tx: Transaction, query: StoredQuery) -> Found:
        patient = query.patient("$patientId")
        statuses = query.statuses(f"{ENTRY}Status")
        set_statuses = query.statuses(f"{SET}Status")
        query.statuses("$XDSFolderStatus")
        wanted = read_filter(query)
        if patient is None:
            return Found()
        key = patient_key(patient)
        entries = await self._matching(tx, key, statuses, wanted)
        sets = []
        if EntryStatus.APPROVED in set_statuses:  # no set is ever anything else
            rows = await self._rows(tx, "find_patient_sets", patient_key=key)
            sets = [_set(row) for row in rows]
        ids = [*(one.entry_id for one in entries), *(one.set_id for one in sets)]
        associations = await self._associations(tx, query, key, ids)
        return Found(entries, sets, _among(associations, set(ids)), {key})

    async def _get_documents(self, tx: Transaction, query: StoredQuery) -> Found:
        rows = await self._named(tx, query)
        return Found(entries=[_entry(row) for row in rows])

    async def _get_associations(self, tx: Transaction, query: StoredQuery) -> Found:
        ids = query.required("$uuid", read_urn)
        rows = await self._rows(tx, "find_entries", entry_ids=_json(ids), unique_ids="[]")
        rows += await self._rows(tx, "find_sets", set_ids=_json(ids), unique_ids="[]")
        found = Found(patient_keys=set(_patients(rows, single=query.whole)))
        for key in sorted(found.patient_keys):
            found.associations += await self._associations(tx, query, key, ids)
        return found

    async def _get_documents_and_associations(self, tx: Transaction, query: StoredQuery) -> Found:
        rows = await self._named(tx, query)
        found = Found(entries=[_entry(row) for row in rows])
        ids = [one.entry_id for one in found.entries]
        for key in _patients(rows, single=query.whole):
            found.associations += await self._associations(tx, query, key, ids)
        return found

    async def _get_submission_sets(self, tx: Transaction, query: StoredQuery) -> Found:
        ids = query.required("$uuid", read_urn)
        rows = await self._rows(tx, "find_entries", entry_ids=_json(ids), unique_ids="[]")
        found = Found()
        for key in _patients(rows, single=query.whole):
            associations = await self._associations(tx, query, key, ids)
            members = [one for one in associations if one[0].relation is Relation.MEMBER]
            set_ids = sorted({one.source for one, _ in members})
            sets = await self._rows(tx, "find_sets", set_ids=_json(set_ids), unique_ids="[]")
            found.sets += [_set(row) for row in sets]
            found.associations += members
        return found

    async def _get_set_and_contents(self, tx: Transaction, query: StoredQuery) -> Found:
        set_ids, unique_ids = query.object_ids(SET)
        wanted = read_filter(query)
        rows = await self._rows(
            tx, "find_sets", set_ids=_json(set_ids), unique_ids=_json(unique_ids)
        )
        found = Found(sets=[_set(row) for row in rows])
        for key in _patients(rows, single=query.whole):
            told = _json([one.set_id for one in found.sets])
            if query.with_associations:
                members = await self._rows(tx, "find_members", patient_key=key, set_ids=told)
                found.entries += _wanted(members, wanted)
            ids = [one.set_id for one in found.sets] + [one.entry_id for one in found.entries]
            associations = await self._associations(tx, query, key, ids)
            found.associations += _among(associations, set(ids))
        return found

    async def _get_related(self, tx: Transaction, query: StoredQuery) -> Found:
        types = query.required("$AssociationTypes", names.RELATIONS.get)
        wanted = read_filter(query)
        rows = await self._named(tx, query)
        found = Found()
        for key in _patients(rows, single=query.whole):
            ids = [str(row["entry_id"]) for row in rows]
            associations = await self._associations(tx, query, key, ids)
            found.associations += [one for one in associations if one[0].relation in types]
            ends = {end for one, _ in found.associations for end in (one.source, one.target)}
            related = await self._rows(
                tx, "find_entries", entry_ids=_json(sorted(ends)), unique_ids="[]"
            )
            found.entries += _wanted(related, wanted)
        return found

    async def _matching(
        self,
        tx: Transaction,
        key: str,
        statuses: Iterable[EntryStatus],
        wanted: EntryFilter,
    ) -> list[DocumentEntry]:
        """A patient's entries that are wanted, newest first."""
        found: list[DocumentEntry] = []
        after_ms: Param = None
        after_id: Param = None
        while True:
            rows = await tx.fetch(
                self._sql["find_patient_entries"],
                patient_key=key,
                statuses=_json(sorted(statuses)),
                after_ms=after_ms,
                after_id=after_id,
                limit=PAGE_ENTRIES,
            )
            found += _wanted(rows, wanted)
            _expect_few(found, REFERENCES_MAX)
            if len(rows) < PAGE_ENTRIES:
                return found
            after_ms, after_id = rows[-1]["created_at_ms"], rows[-1]["entry_id"]

    async def _named(self, tx: Transaction, query: StoredQuery) -> list[Row]:
        """The entries that a query names by their ids."""
        entry_ids, unique_ids = query.object_ids(ENTRY)
        rows = await self._rows(
            tx, "find_entries", entry_ids=_json(entry_ids), unique_ids=_json(unique_ids)
        )
        _patients(rows, single=query.whole)
        return rows

    async def _associations(
        self, tx: Transaction, query: StoredQuery, key: str, ids: Sequence[str]
    ) -> list[tuple[Association, bool]]:
        """All that is asked for of what goes out from objects of a patient, or leads to them."""
        if not query.with_associations:
            return []
        told = _json(ids)
        members = await self._rows(tx, "find_memberships", patient_key=key, object_ids=told)
        others = await self._rows(tx, "find_associations", patient_key=key, object_ids=told)
        return [(_membership(row), True) for row in members] + [
            (_association(row), False) for row in others
        ]

    async def _rows(self, tx: Transaction, name: str, **params: Param) -> list[Row]:
        rows = await tx.fetch(self._sql[name], limit=REFERENCES_MAX + 1, **params)
        _expect_few(rows, REFERENCES_MAX)
        return rows


_Answer = Callable[[Transaction, StoredQuery], Awaitable[Found]]


def _expect_few(found: Sequence[object], most: int) -> None:
    if len(found) > most:
        raise xds_refusal("the query finds more than can be told", XdsError.TOO_MANY_RESULTS)


def _patients(rows: Iterable[Row], *, single: bool) -> list[str]:
    """The patients of objects; whole ones are told of one patient only."""
    keys = sorted({str(row["patient_key"]) for row in rows})
    if single and len(keys) > 1:
        reason = "the query finds objects of more than one patient"
        raise xds_refusal(reason, XdsError.NOT_SINGLE_PATIENT)
    return keys


def _wanted(rows: Iterable[Row], wanted: EntryFilter) -> list[DocumentEntry]:
    return [entry for entry in map(_entry, rows) if wanted.matches(entry)]


def _among(
    associations: Iterable[tuple[Association, bool]], ids: set[str]
) -> list[tuple[Association, bool]]:
    return [one for one in associations if {one[0].source, one[0].target} <= ids]


def _entry(row: Row) -> DocumentEntry:
    return read_document_reference(Element(held_resource(row), "DocumentReference"))


def _set(row: Row) -> SubmissionSet:
    return read_submission_set(Element(orjson.loads(str(row["resource"])), "List"))


def _association(row: Row) -> Association:
    return Association(
        relation=Relation(str(row["relation"])),
        source=str(row["source_id"]),
        target=str(row["target_id"]),
        association_id=str(row["association_id"]),
    )


def _membership(row: Row) -> Association:
    """That a set brought a document: it has no row of its own, and so an id that is worked out."""
    source, target = str(row["set_id"]), str(row["entry_id"])
    return Association(
        relation=Relation.MEMBER,
        source=source,
        target=target,
        association_id=str(uuid5(NAMESPACE_OID, f"{source}/{target}")),
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
