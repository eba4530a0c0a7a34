"""Answers stored queries (ITI-18) from the registry's tables.

A patient's entries are read page by page and judged by a plain filter: a record holds some hundred
of them, and no index serves each of the twenty attributes that a query may name.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid5

import orjson

from gateway.storage.database import Dialect, Param, Row
from gateway.storage.queries import load_queries
from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.document_set import Association, Relation, SubmissionSet
from indexer.server.columns import json_text, patient_key
from indexer.server.registry.directory import Directory, IdKind, Place
from indexer.server.registry.rows import held_entry, held_resource
from indexer.server.rights.rights import Sight
from indexer.wire.entry_tests import EntryFilter
from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.submission_set import read_submission_set
from indexer.wire.outcome import XdsError, xds_refusal
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.entry_filter import read_filter
from indexer.wire.xds.stored_query import ENTRY, SET, QueryKind, StoredQuery, read_urn

OBJECTS_MAX = 2000
"""Whole objects of one kind in an answer; what finds more is told so."""
REFERENCES_MAX = 10_000
"""Objects of one kind in an answer that tells their ids alone."""
PAGE_ENTRIES = 500

_Told = tuple[Association, bool]
"""An association, with whether it is the membership of a document in the set that brought it."""


@dataclass(slots=True)
class Found:
    """What a query found."""

    entries: list[DocumentEntry] = field(default_factory=list)
    sets: list[SubmissionSet] = field(default_factory=list)
    associations: list[_Told] = field(default_factory=list)
    patient_keys: set[str] = field(default_factory=set)
    """Whose records were searched; completed by those of what was found."""


class StoredQueries:
    """The queries; each is one step of a read that its caller runs."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("indexer.server.custody", "stored_queries.sql", dialect)
        self._directory = Directory(dialect)

    async def answer(self, sight: Sight, query: StoredQuery) -> Found:
        """What a query finds of what is seen.

        Raises:
            InvalidValue: a parameter is missing or malformed, or too much was found.
            Refusal: the query is of a record that who asks may not search.
        """
        found = await _Reader(_Seen(self._sql, self._directory, sight), query).answer()
        if query.whole:
            for objects in (found.entries, found.sets, found.associations):
                _expect_few(objects, OBJECTS_MAX)
        found.patient_keys.update(patient_key(one.patient) for one in found.entries)
        found.patient_keys.update(patient_key(one.patient) for one in found.sets)
        return found

    async def documents_seen(self, sight: Sight, set_id: str) -> set[str] | None:
        """The ids of a submission set's documents that are seen; None if the set is not."""
        return await _Seen(self._sql, self._directory, sight).documents_of(set_id)


class _Seen:
    """The objects that somebody sees: what is hidden is left out before it is counted."""

    def __init__(self, sql: Mapping[str, str], directory: Directory, sight: Sight) -> None:
        self._sql = sql
        self._directory = directory
        self.sight = sight

    async def documents_of(self, set_id: str) -> set[str] | None:
        sets = await self.sets([set_id])
        return {target for _, target in await self._members(sets)} if sets else None

    async def entries(
        self, entry_ids: Sequence[str], unique_ids: Sequence[str] = ()
    ) -> list[DocumentEntry]:
        places = await self._found(IdKind.ENTRY, entry_ids, unique_ids)
        return await self.among(await self._directory.entries(self.sight.tx, places))

    async def among(self, rows: Iterable[Row]) -> list[DocumentEntry]:
        return await self.sight.of([held_entry(held_resource(row)) for row in rows])

    async def sets(
        self, set_ids: Sequence[str], unique_ids: Sequence[str] = ()
    ) -> list[SubmissionSet]:
        """Submission sets of which a document is seen."""
        places = await self._found(IdKind.SET, set_ids, unique_ids)
        return await self._opened(await self._directory.sets(self.sight.tx, places))

    async def sets_of(self, key: str) -> list[SubmissionSet]:
        """Those of a patient."""
        return await self._opened(await self.rows("find_patient_sets", patient_key=key))

    async def _opened(self, rows: Iterable[Row]) -> list[SubmissionSet]:
        sets = [_set(row) for row in rows]
        opened = [one for one in sets if await self.sight.opens(one.patient)]
        if not self.sight.hides:
            return opened
        told = {source for source, _ in await self._members(opened)}
        return [one for one in opened if one.set_id in told]

    async def _members(self, sets: Sequence[SubmissionSet]) -> list[tuple[str, str]]:
        """Each set with each of its documents that is seen, by their ids."""
        pairs: list[tuple[str, str]] = []
        for key in _patients(sets, single=False):
            ids = [one.set_id for one in sets if patient_key(one.patient) == key]
            told = [one for one, _ in await self.associations(key, ids)]
            pairs += [(one.source, one.target) for one in told if one.relation is Relation.MEMBER]
        targets = sorted({target for _, target in pairs})
        seen = {one.entry_id for one in await self.entries(targets)} if targets else ()
        return [pair for pair in pairs if pair[1] in seen]

    async def both_ends(self, associations: Sequence[_Told]) -> list[_Told]:
        """Those of which both ends are seen."""
        if not self.sight.hides:
            return list(associations)
        ends = sorted({end for one, _ in associations for end in (one.source, one.target)})
        entries = await self.entries(ends)
        sets = await self.sets(ends)
        return _among(
            associations, {*(one.entry_id for one in entries), *(one.set_id for one in sets)}
        )

    async def associations(self, key: str, ids: Sequence[str]) -> list[_Told]:
        """All that goes out from objects of a patient, or leads to them."""
        told = json_text(ids)
        members = await self.rows("find_memberships", patient_key=key, object_ids=told)
        others = await self.rows("find_associations", patient_key=key, object_ids=told)
        return [(_membership(row), True) for row in members] + [
            (_association(row), False) for row in others
        ]

    async def _found(
        self, kind: IdKind, ids: Sequence[str], unique_ids: Sequence[str]
    ) -> set[Place]:
        """Where the objects lie that are named by the one id or the other."""
        by_id = await self._directory.find(self.sight.tx, kind, ids)
        by_unique_id = await self._directory.find(self.sight.tx, IdKind.UNIQUE, unique_ids)
        found = {*by_id.values(), *by_unique_id.values()}
        _expect_few(found, REFERENCES_MAX)
        return found

    async def rows(
        self, name: str, *, limit: int = REFERENCES_MAX + 1, **params: Param
    ) -> list[Row]:
        rows = await self.sight.tx.fetch(self._sql[name], limit=limit, **params)
        _expect_few(rows, REFERENCES_MAX)
        return rows


class _Reader:
    """Answers one query."""

    def __init__(self, seen: _Seen, query: StoredQuery) -> None:
        self._sight = seen.sight
        self._seen = seen
        self._query = query
        self._answers: Mapping[QueryKind, Callable[[], Awaitable[Found]]] = {
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

    async def answer(self) -> Found:
        return await self._answers[self._query.kind]()

    async def _find_documents(self) -> Found:
        patient = self._query.patient(f"{ENTRY}PatientId")
        statuses = self._query.statuses(f"{ENTRY}Status")
        wanted = read_filter(self._query)
        if patient is None:
            return Found()
        found = Found(patient_keys={patient_key(patient)})
        if await self._sight.open(patient):
            found.entries = await self._matching(patient_key(patient), statuses, wanted)
        return found

    async def _find_by_reference(self) -> Found:
        if not self._query.told(f"{ENTRY}ReferenceIdList"):
            reason = f"{ENTRY}ReferenceIdList is missing"
            raise xds_refusal(reason, XdsError.MISSING_PARAMETER)
        return await self._find_documents()

    async def _get_all(self) -> Found:
        patient = self._query.patient("$patientId")
        statuses = self._query.statuses(f"{ENTRY}Status")
        set_statuses = self._query.statuses(f"{SET}Status")
        self._query.statuses("$XDSFolderStatus")
        wanted = read_filter(self._query)
        if patient is None:
            return Found()
        key = patient_key(patient)
        found = Found(patient_keys={key})
        if not await self._sight.open(patient):
            return found
        found.entries = await self._matching(key, statuses, wanted)
        if EntryStatus.APPROVED in set_statuses:  # no set is ever anything else
            found.sets = await self._seen.sets_of(key)
        ids = [*(one.entry_id for one in found.entries), *(one.set_id for one in found.sets)]
        found.associations = _among(await self._associations(key, ids), set(ids))
        return found

    async def _get_documents(self) -> Found:
        return Found(entries=await self._named())

    async def _get_associations(self) -> Found:
        ids = self._query.required("$uuid", read_urn)
        entries = await self._seen.entries(ids)
        sets = await self._seen.sets(ids)
        keys = _patients([*entries, *sets], single=self._query.whole)
        found = Found(patient_keys=set(keys))
        seen = [*(one.entry_id for one in entries), *(one.set_id for one in sets)]
        for key in keys:
            associations = await self._associations(key, seen)
            found.associations += await self._seen.both_ends(associations)
        return found

    async def _get_documents_and_associations(self) -> Found:
        found = Found(entries=await self._named())
        ids = [one.entry_id for one in found.entries]
        for key in _patients(found.entries, single=self._query.whole):
            associations = await self._associations(key, ids)
            found.associations += await self._seen.both_ends(associations)
        return found

    async def _get_submission_sets(self) -> Found:
        entries = await self._seen.entries(self._query.required("$uuid", read_urn))
        ids = [one.entry_id for one in entries]
        found = Found()
        for key in _patients(entries, single=self._query.whole):
            associations = await self._associations(key, ids)
            members = [one for one in associations if one[0].relation is Relation.MEMBER]
            found.sets += await self._seen.sets(sorted({one.source for one, _ in members}))
            found.associations += members
        return found

    async def _get_set_and_contents(self) -> Found:
        set_ids, unique_ids = self._query.object_ids(SET)
        wanted = read_filter(self._query)
        found = Found(sets=await self._seen.sets(set_ids, unique_ids))
        for key in _patients(found.sets, single=self._query.whole):
            told = json_text([one.set_id for one in found.sets])
            if self._query.with_associations:
                members = await self._seen.rows("find_members", patient_key=key, set_ids=told)
                found.entries += _wanted(await self._seen.among(members), wanted)
            ids = [one.set_id for one in found.sets] + [one.entry_id for one in found.entries]
            found.associations += _among(await self._associations(key, ids), set(ids))
        return found

    async def _get_related(self) -> Found:
        types = self._query.required("$AssociationTypes", names.RELATIONS.get)
        wanted = read_filter(self._query)
        named = await self._named()
        found = Found()
        for key in _patients(named, single=self._query.whole):
            associations = await self._associations(key, [one.entry_id for one in named])
            related = [one for one in associations if one[0].relation in types]
            found.associations += await self._seen.both_ends(related)
            ends = {end for one, _ in found.associations for end in (one.source, one.target)}
            found.entries += _wanted(await self._seen.entries(sorted(ends)), wanted)
        return found

    async def _matching(
        self, key: str, statuses: Iterable[EntryStatus], wanted: EntryFilter
    ) -> list[DocumentEntry]:
        """A patient's entries that are wanted, newest first."""
        found: list[DocumentEntry] = []
        after_ms: Param = None
        after_id: Param = None
        while True:
            rows = await self._seen.rows(
                "find_patient_entries",
                patient_key=key,
                statuses=json_text(sorted(statuses)),
                after_ms=after_ms,
                after_id=after_id,
                limit=PAGE_ENTRIES,
            )
            found += _wanted(await self._seen.among(rows), wanted)
            _expect_few(found, REFERENCES_MAX)
            if len(rows) < PAGE_ENTRIES:
                return found
            after_ms, after_id = rows[-1]["created_at_ms"], rows[-1]["entry_id"]

    async def _named(self) -> list[DocumentEntry]:
        """The entries that the query names by their ids."""
        entries = await self._seen.entries(*self._query.object_ids(ENTRY))
        _patients(entries, single=self._query.whole)
        return entries

    async def _associations(self, key: str, ids: Sequence[str]) -> list[_Told]:
        """Those that are asked for."""
        return await self._seen.associations(key, ids) if self._query.with_associations else []


def _expect_few(found: Sized, most: int) -> None:
    if len(found) > most:
        raise xds_refusal("the query finds more than can be told", XdsError.TOO_MANY_RESULTS)


def _patients(objects: Iterable[DocumentEntry | SubmissionSet], *, single: bool) -> list[str]:
    """The patients of objects; whole ones are told of one patient only."""
    keys = sorted({patient_key(one.patient) for one in objects})
    if single and len(keys) > 1:
        reason = "the query finds objects of more than one patient"
        raise xds_refusal(reason, XdsError.NOT_SINGLE_PATIENT)
    return keys


def _wanted(entries: Iterable[DocumentEntry], wanted: EntryFilter) -> list[DocumentEntry]:
    return [one for one in entries if wanted.matches(one)]


def _among(associations: Iterable[_Told], ids: set[str]) -> list[_Told]:
    return [one for one in associations if {one[0].source, one[0].target} <= ids]


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
