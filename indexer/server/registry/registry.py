"""What the index holds: entries, their documents and submission sets.

A batch of submissions is judged by a plain function and written with a handful of statements,
however many it holds, so a thousand pointers cost a handful of thread hops.
"""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import orjson

from gateway.errors import NotFound
from gateway.storage.database import Dialect, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.document_set import REPLACING, DocumentSet
from indexer.contract.identifiers import Uid
from indexer.server.clock import epoch_ms
from indexer.server.columns import json_text, patient_key
from indexer.server.registry.directory import Directory, IdKind, Place
from indexer.server.registry.finder import Finder
from indexer.server.registry.judging import Known, KnownEntry, judge, targets_held
from indexer.server.registry.rows import (
    association_rows,
    document_rows,
    entry_rows,
    held_resource,
    set_row,
)
from indexer.wire.fhir.patch import Operation, patched
from indexer.wire.fhir.search import EntrySearch
from indexer.wire.fhir.set_search import SetSearch
from indexer.wire.outcome import Json, Refusal, XdsError, xds_refusal
from indexer.wire.xds.document_set_reader import StatusChange


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEntry:
    """An entry as the registry keeps it, without the address that its document has today."""

    entry_id: str
    patient_key: str
    resource: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSet:
    """A submission set as the registry keeps it: its List, as JSON."""

    patient_key: str
    resource: bytes

    @property
    def set_id(self) -> str:
        return str(orjson.loads(self.resource)["id"])

    def showing(self, entry_ids: Collection[str]) -> "HeldSet":
        """The same, with these documents alone."""
        listed: Json = orjson.loads(self.resource)
        named = {f"DocumentReference/{one}" for one in entry_ids}
        shown = [one for one in listed.get("entry", []) if one["item"]["reference"] in named]
        if shown == listed.get("entry", []):
            return self
        return replace(self, resource=orjson.dumps(listed | {"entry": shown}))


NOTHING_HELD: Final = "the index holds nothing by this id"
NOT_HELD: Final = "an entry is not held"
"""What is told of what is not there, and of what is hidden."""


class Withdrawn(Exception):
    """The document was held, and its entry has been withdrawn.

    Args:
        patient_key: whose it was.
    """

    def __init__(self, patient_key: str) -> None:
        super().__init__()
        self.patient_key = patient_key


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDocument:
    """A document as it came."""

    entry_id: str
    patient_key: str
    mime_type: str
    content: bytes


class Registry:
    """The index's tables; every method is one step of a transaction that its caller runs.

    Args:
        dialect: what the database speaks.
        now_ms: tells when an entry is held, and when it is changed.
    """

    def __init__(self, dialect: Dialect, *, now_ms: Callable[[], int] = epoch_ms) -> None:
        self._sql = load_queries("indexer.server.registry", "registry.sql", dialect)
        self._directory = Directory(dialect)
        self._finder = Finder(dialect)
        self._now_ms = now_ms

    async def register(
        self, tx: Transaction, batch: Sequence[DocumentSet], *, submitters: Mapping[str, str]
    ) -> Mapping[str, Refusal]:
        """Hold what of a batch can be held; gives the refusals of the rest, by set_id.

        Args:
            submitters: the structure that submits a set, by set_id, where somebody proved it.
        """
        verdict = judge(batch, await self._known(tx, batch))
        taken = [one for one in batch if one.submission_set.set_id not in verdict.refused]
        if taken:
            await self._add(tx, taken, submitters)
        if verdict.superseded:
            places = [
                Place(patient_key=key, object_id=entry_id)
                for entry_id, key in verdict.superseded.items()
            ]
            await tx.fetch(self._sql["supersede"], places=json_text(places), now_ms=self._now_ms())
        return verdict.refused

    async def held_ids(self, tx: Transaction, entries: Sequence[DocumentEntry]) -> list[str]:
        """The ids of those whose document is held, as it is, for their patient; in their order."""
        ids = [one.unique_id for one in entries]
        places = await self._directory.find(tx, IdKind.UNIQUE, ids)
        held = {
            (one.unique_id, one.patient_key, one.sha1): one.entry_id
            for one in await self._known_at(tx, places.values())
        }
        asked = ((one.unique_id, patient_key(one.patient), one.sha1) for one in entries)
        return [held[one] for one in asked if one in held]

    async def _known(self, tx: Transaction, batch: Sequence[DocumentSet]) -> Known:
        told = [document.entry.unique_id for one in batch for document in one.documents]
        # A set and a document share no unique id either.
        told += [one.submission_set.unique_id for one in batch]
        targets = [(one, target) for one in batch for target in targets_held(one)]
        taken = await self._directory.find(tx, IdKind.UNIQUE, told)
        ids = [target.target for _, target in targets]
        held = await self._directory.find(tx, IdKind.ENTRY, ids)
        entries = await self._known_at(tx, {*taken.values(), *held.values()})
        followers: dict[str, list[str]] = {}
        roots = [
            {"patient_key": patient_key(one.submission_set.patient), "entry_id": target.target}
            for one, target in targets
            if target.relation in REPLACING
        ]
        if roots:
            for row in await tx.fetch(self._sql["find_followers"], roots=json_text(roots)):
                followers.setdefault(str(row["target_id"]), []).append(str(row["entry_id"]))
        return Known(
            entries=entries,
            set_unique_ids=frozenset(taken) - {one.unique_id for one in entries},
            followers=followers,
        )

    async def _known_at(self, tx: Transaction, places: Collection[Place]) -> list[KnownEntry]:
        if not places:
            return []
        rows = await tx.fetch(self._sql["find_known"], places=json_text([*places]))
        return [_known(row) for row in rows]

    async def submitters(
        self, tx: Transaction, entries: Sequence[DocumentEntry]
    ) -> Mapping[str, str]:
        """The structure that submitted each entry, by entry_id; empty where nobody proved it."""
        places = [
            Place(patient_key=patient_key(one.patient), object_id=one.entry_id) for one in entries
        ]
        rows = await tx.fetch(self._sql["find_submitters"], places=json_text(places))
        return {str(row["entry_id"]): str(row["submitter"]) for row in rows}

    async def _add(
        self, tx: Transaction, taken: Sequence[DocumentSet], submitters: Mapping[str, str]
    ) -> None:
        now_ms = self._now_ms()
        await self._directory.add(tx, taken)
        await tx.add(
            "submission_set",
            [
                set_row(one, submitter=submitters.get(one.submission_set.set_id, ""))
                for one in taken
            ],
        )
        entries = (row for one in taken for row in entry_rows(one))
        await tx.add("entry", [{**row, "updated_at_ms": now_ms} for row in entries])
        await tx.add("document", [row for one in taken for row in document_rows(one)])
        await tx.add("association", [row for one in taken for row in association_rows(one)])

    async def update(
        self, tx: Transaction, held: HeldEntry, operations: Sequence[Operation]
    ) -> HeldEntry:
        """Change what of an entry may change; gives it as it is then.

        Raises:
            Refusal: an operation cannot be done, or the entry may not become what it would be.
        """
        resource = patched(operations, held.resource)
        if resource == held.resource:
            return held
        rows = await tx.fetch(
            self._sql["update"],
            patient_key=held.patient_key,
            entry_id=held.entry_id,
            status=resource["status"],
            resource=json_text(resource),
            now_ms=self._now_ms(),
        )
        return _held(_only(rows))

    async def change_statuses(self, tx: Transaction, changes: Sequence[StatusChange]) -> None:
        """Give entries another status, all of them or none.

        Raises:
            Refusal: one is not held, is another patient's, or has another status.
        """
        for one in changes:
            rows = await self._named(tx, IdKind.ENTRY, [one.target])
            if not rows:
                raise xds_refusal(NOT_HELD, XdsError.UNRESOLVED_REFERENCE)
            if rows[0]["patient_key"] != patient_key(one.patient):
                reason = "an entry is not held for this patient"
                raise xds_refusal(reason, XdsError.PATIENT_DOES_NOT_MATCH)
            if rows[0]["status"] != one.original:
                raise xds_refusal("OriginalStatus is not the status", XdsError.UPDATE)
            await tx.fetch(
                self._sql["set_status"],
                patient_key=rows[0]["patient_key"],
                entry_id=one.target,
                status=one.status,
                now_ms=self._now_ms(),
            )

    async def find(self, tx: Transaction, search: EntrySearch) -> tuple[list[HeldEntry], bool]:
        """One page of matches, newest first, and whether there are more; see `Finder`."""
        rows, more = await self._finder.entries(tx, search)
        return [_held(row) for row in rows], more

    async def find_sets(self, tx: Transaction, search: SetSearch) -> tuple[list[HeldSet], bool]:
        """One page of submission sets, the latest first, and whether there are more."""
        rows, more = await self._finder.sets(tx, search)
        return [_held_set(row) for row in rows], more

    async def entry(self, tx: Transaction, entry_id: str) -> HeldEntry:
        """The entry by its id.

        Raises:
            NotFound: there is none.
        """
        return _held(_only(await self._named(tx, IdKind.ENTRY, [entry_id])))

    async def entry_of(self, tx: Transaction, unique_id: Uid) -> HeldEntry:
        """The entry of a document; see `entry`."""
        return _held(_only(await self._named(tx, IdKind.UNIQUE, [unique_id])))

    async def entries(self, tx: Transaction, unique_ids: Sequence[str]) -> list[HeldEntry]:
        """The entries of documents by their unique ids, those that are held."""
        return [_held(row) for row in await self._named(tx, IdKind.UNIQUE, unique_ids)]

    async def entries_by_id(self, tx: Transaction, entry_ids: Sequence[str]) -> list[HeldEntry]:
        """Entries by their own ids, those that are held."""
        return [_held(row) for row in await self._named(tx, IdKind.ENTRY, entry_ids)]

    async def submission_set(self, tx: Transaction, set_id: str) -> HeldSet:
        """A submission set by its id.

        Raises:
            NotFound: there is none.
        """
        places = [*(await self._directory.find(tx, IdKind.SET, [set_id])).values()]
        if not places:
            # Before a set had an id of its own, it was named by that of its one entry.
            places = [
                Place(patient_key=str(row["patient_key"]), object_id=str(row["set_id"]))
                for row in await self._named(tx, IdKind.ENTRY, [set_id])
            ]
        return _held_set(_only(await self._directory.sets(tx, places)))

    async def document(self, tx: Transaction, entry_id: str) -> HeldDocument:
        """The document of an entry.

        Raises:
            NotFound: there is none.
            Withdrawn: there was one.
        """
        places = await self._directory.find(tx, IdKind.ENTRY, [entry_id])
        if entry_id not in places:
            raise NotFound(NOTHING_HELD)
        return await self._document(tx, places[entry_id].patient_key, entry_id)

    async def _document(self, tx: Transaction, key: str, entry_id: str) -> HeldDocument:
        row = _only(await tx.fetch(self._sql["find_document"], patient_key=key, entry_id=entry_id))
        if row["status"] == EntryStatus.WITHDRAWN:
            raise Withdrawn(key)
        content = row["content"]
        assert isinstance(content, bytes)
        return HeldDocument(
            entry_id=entry_id,
            patient_key=key,
            mime_type=str(row["mime_type"]),
            content=content,
        )

    async def documents(
        self, tx: Transaction, unique_ids: Sequence[str], *, bytes_max: int
    ) -> dict[str, HeldDocument | None]:
        """The documents by unique id, as many as may be held in memory at once; the first always.

        Those that are not held, or withdrawn, are left out; None stands for those that are too
        much.
        """
        places = await self._directory.find(tx, IdKind.UNIQUE, unique_ids)
        told = json_text([*places.values()])
        rows = await tx.fetch(self._sql["find_document_sizes"], places=told)
        found: dict[str, HeldDocument | None] = {}
        for row in rows:
            bytes_max -= cast(int, row["size_bytes"])
            fits = bytes_max >= 0 or not found
            key, entry_id = str(row["patient_key"]), str(row["entry_id"])
            held = await self._document(tx, key, entry_id) if fits else None
            found[str(row["unique_id"])] = held
        return found

    async def _named(self, tx: Transaction, kind: IdKind, ids: Sequence[str]) -> list[Row]:
        """The entries that these ids name, of those that are held."""
        places = await self._directory.find(tx, kind, ids)
        return await self._directory.entries(tx, places.values())


def _only(rows: Sequence[Row]) -> Row:
    if not rows:
        raise NotFound(NOTHING_HELD)
    return rows[0]


def _known(row: Row) -> KnownEntry:
    return KnownEntry(
        entry_id=str(row["entry_id"]),
        unique_id=str(row["unique_id"]),
        patient_key=str(row["patient_key"]),
        status=EntryStatus(str(row["status"])),
        sha1=base64.b64decode(str(row["hash"])).hex(),
        size_bytes=cast(int, row["size_bytes"]),
    )


def _held(row: Row) -> HeldEntry:
    return HeldEntry(
        entry_id=str(row["entry_id"]),
        patient_key=str(row["patient_key"]),
        resource=held_resource(row),
    )


def _held_set(row: Row) -> HeldSet:
    return HeldSet(patient_key=str(row["patient_key"]), resource=str(row["resource"]).encode())
