"""What the index holds: entries, their documents and submission sets.

A batch of submissions is judged by a plain function and written with three statements, however
many it holds, so a thousand pointers cost a handful of thread hops.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from gateway.errors import NotFound
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.document import EntryStatus, Submission
from indexer.contract.identifiers import Ins, Uid
from indexer.wire.bundles import submission_set
from indexer.wire.document_reference import document_reference
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.search import EntrySearch
from indexer.wire.vocabulary import UUID_PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A submission with the entry_id that the index has allotted to it."""

    entry_id: str
    submission: Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEntry:
    """What a submission is judged by."""

    entry_id: str
    unique_id: str
    patient_key: str
    status: EntryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEntry:
    """An entry as the registry keeps it, without the address that its document has today."""

    entry_id: str
    resource: Json


class Withdrawn(Exception):
    """The document was held, and its entry has been withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDocument:
    """A document as it came."""

    mime_type: str
    content: bytes


def patient_key(patient: Ins) -> str:
    """The patient as a key: the authority, then the number within it."""
    return f"{patient.oid}|{patient.value}"


def judge(batch: Sequence[Registration], known: Sequence[KnownEntry]) -> Mapping[str, Refusal]:
    """Which registrations of a batch are refused, by entry_id; the earlier of two has its way.

    A repeat is told as a duplicate even when what it replaces is no longer current: it was its own
    first coming that replaced it.
    """
    unique_ids = {entry.unique_id for entry in known}
    current = {entry.entry_id: entry for entry in known}
    refused: dict[str, Refusal] = {}
    for one in batch:
        entry, replaces = one.submission.entry, one.submission.replaces
        if entry.unique_id in unique_ids:
            refused[one.entry_id] = Refusal(
                "a document with this unique id is held already", code=IssueCode.DUPLICATE
            )
            continue
        if replaces is not None:
            refusal = _not_replaceable(current.get(replaces), patient_key(entry.patient))
            if refusal is not None:
                refused[one.entry_id] = refusal
                continue
            current[replaces] = replace(current[replaces], status=EntryStatus.DEPRECATED)
        unique_ids.add(entry.unique_id)
    return refused


def _not_replaceable(entry: KnownEntry | None, patient: str) -> Refusal | None:
    """Why an entry cannot be replaced (ITI TF-2:3.42.4.1.3.3.1), None if it can."""
    # Another patient's entry is told like one that is not there, which it is for this patient.
    if entry is None or entry.patient_key != patient:
        return Refusal(
            "the entry to be replaced is not held for this patient", code=IssueCode.BUSINESS_RULE
        )
    if entry.status is EntryStatus.WITHDRAWN:
        return Refusal("the entry to be replaced is withdrawn", code=IssueCode.DELETED)
    if entry.status is not EntryStatus.APPROVED:
        return Refusal(
            "the entry to be replaced is no longer current", code=IssueCode.BUSINESS_RULE
        )
    return None


class Registry:
    """The index's tables; every method is one step of a transaction that its caller runs."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("indexer.server", "registry.sql", dialect)

    async def register(
        self, tx: Transaction, batch: Sequence[Registration]
    ) -> Mapping[str, Refusal]:
        """Hold what of a batch can be held; gives the refusals of the rest, by entry_id."""
        replaced = [one.submission.replaces for one in batch if one.submission.replaces]
        rows = await tx.fetch(
            self._sql["find_known"],
            unique_ids=_json([one.submission.entry.unique_id for one in batch]),
            entry_ids=_json(replaced),
        )
        refused = judge(batch, [_known(row) for row in rows])
        taken = [one for one in batch if one.entry_id not in refused]
        if taken:
            await self._add(tx, taken)
        return refused

    async def _add(self, tx: Transaction, taken: Sequence[Registration]) -> None:
        await tx.fetch(self._sql["add_entries"], entries=_json([_entry_row(one) for one in taken]))
        contents = [one.submission.document for one in taken]
        rows, starts_at = [], 1  # SQL counts bytes from 1
        for one, content in zip(taken, contents, strict=True):
            rows.append(
                {
                    "patient_key": patient_key(one.submission.entry.patient),
                    "entry_id": one.entry_id,
                    "mime_type": one.submission.entry.mime_type,
                    "starts_at": starts_at,
                    "size_bytes": len(content),
                }
            )
            starts_at += len(content)
        await tx.fetch(self._sql["add_documents"], entries=_json(rows), contents=b"".join(contents))
        replaced = [one.submission.replaces for one in taken if one.submission.replaces]
        if replaced:
            await tx.fetch(self._sql["supersede"], entry_ids=_json(replaced))

    async def withdraw(self, tx: Transaction, entry_id: str) -> HeldEntry:
        """Withdraw an entry, whatever its status; gives it as it is then.

        Raises:
            NotFound: there is none.
        """
        return _held(_only(await tx.fetch(self._sql["withdraw"], entry_id=entry_id)))

    async def withdraw_document(self, tx: Transaction, unique_id: Uid) -> HeldEntry:
        """Withdraw the entry of a document; see `withdraw`."""
        rows = await tx.fetch(self._sql["withdraw_by_unique_id"], unique_id=unique_id)
        return _held(_only(rows))

    async def find(self, tx: Transaction, search: EntrySearch) -> tuple[list[HeldEntry], bool]:
        """One page of matches, newest first, and whether there are more."""
        rows = await self._rows(tx, search)
        page = [_held(row) for row in rows[: search.entries_max]]
        return page, len(rows) > search.entries_max

    async def _rows(self, tx: Transaction, search: EntrySearch) -> list[Row]:
        if search.unique_id is not None:
            rows = await tx.fetch(self._sql["find_by_unique_id"], unique_id=search.unique_id)
            return [row for row in rows if _matches(row, search)]
        patient = patient_key(search.patient) if search.patient else None
        after_ms: Param = None
        if search.after is not None:
            places = await tx.fetch(self._sql["find_place"], entry_id=search.after)
            if not places or patient not in (None, places[0]["patient_key"]):
                raise NotFound("the page before this one is not known")
            patient, after_ms = str(places[0]["patient_key"]), places[0]["created_at_ms"]
        kind, value = search.reference or (None, None)
        return await tx.fetch(
            self._sql["find_by_patient"],
            patient_key=patient,
            statuses=_json(sorted(search.statuses)),
            type_code=search.type_code,
            type_scheme=search.type_scheme,
            reference_kind=kind,
            reference_value=value,
            after_ms=after_ms,
            after_id=search.after,
            limit=search.entries_max + 1,
        )

    async def entry(self, tx: Transaction, entry_id: str) -> HeldEntry:
        """The entry by its id.

        Raises:
            NotFound: there is none.
        """
        return _held(await self._one(tx, "find_entry", entry_id))

    async def submission_set(self, tx: Transaction, entry_id: str) -> bytes:
        """The List that came with an entry, as JSON.

        Raises:
            NotFound: there is none.
        """
        row = await self._one(tx, "find_submission_set", entry_id)
        return str(row["submission_set"]).encode()

    async def document(self, tx: Transaction, entry_id: str) -> HeldDocument:
        """The document of an entry.

        Raises:
            NotFound: there is none.
            Withdrawn: there was one.
        """
        row = await self._one(tx, "find_document", entry_id)
        if row["status"] == EntryStatus.WITHDRAWN:
            raise Withdrawn
        content = row["content"]
        assert isinstance(content, bytes)
        return HeldDocument(mime_type=str(row["mime_type"]), content=content)

    async def _one(self, tx: Transaction, query: str, entry_id: str) -> Row:
        return _only(await tx.fetch(self._sql[query], entry_id=entry_id))


def _only(rows: Sequence[Row]) -> Row:
    if not rows:
        raise NotFound("the index holds nothing by this id")
    return rows[0]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _entry_row(one: Registration) -> Json:
    submission, place = one.submission, UUID_PREFIX + one.entry_id
    entry = replace(submission.entry, entry_id=one.entry_id, status=EntryStatus.APPROVED)
    resource = document_reference(entry, attachment_url=place, replaces=submission.replaces)
    listed = submission_set(
        submission, list_url=place, document_url=f"DocumentReference/{one.entry_id}"
    )
    return {
        "patient_key": patient_key(entry.patient),
        "entry_id": one.entry_id,
        "unique_id": entry.unique_id,
        "type_scheme": entry.type_code.scheme,
        "type_code": entry.type_code.code,
        "created_at_ms": int(entry.created_at.timestamp() * 1000),
        "reference_ids": _json([{"kind": r.kind, "value": r.value} for r in entry.reference_ids]),
        "resource": _json(resource),
        "submission_set": _json({**listed, "id": one.entry_id}),
    }


def _known(row: Row) -> KnownEntry:
    return KnownEntry(
        entry_id=str(row["entry_id"]),
        unique_id=str(row["unique_id"]),
        patient_key=str(row["patient_key"]),
        status=EntryStatus(str(row["status"])),
    )


def _held(row: Row) -> HeldEntry:
    resource = orjson.loads(str(row["resource"]))
    resource["status"] = row["status"]
    return HeldEntry(entry_id=str(row["entry_id"]), resource=resource)


def _matches(row: Row, search: EntrySearch) -> bool:
    """Whether the one entry of a unique id is what the other parameters ask for too."""
    return row["status"] in search.statuses and (
        search.patient is None or row["patient_key"] == patient_key(search.patient)
    )
