"""Tells whose an object is by its id alone; all else that is asked of the tables names the patient.

The tables are keyed by patient first, and may lie apart by patient. Ids that clients have name no
patient, on purpose. A table keyed by id leads from the one to the other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.document_set import DocumentSet
from indexer.server.columns import json_text, patient_key


class IdKind(StrEnum):
    """What an id is; no two of a kind are the same, whoever their patients are."""

    ENTRY = "entry"
    SET = "set"
    UNIQUE = "unique"
    """A unique id of a document or of a submission set (ITI TF-3 §4.2.3.2.26 and §4.2.3.3.12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an object lies."""

    patient_key: str
    object_id: str
    """`entry_id` or `set_id`."""


class Directory:
    """The ids of what the index holds; each method is one step of a transaction."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("indexer.server.registry", "directory.sql", dialect)

    async def add(self, tx: Transaction, taken: Iterable[DocumentSet]) -> None:
        """Add the ids of what is newly held."""
        await tx.add("directory", [row for one in taken for row in directory_rows(one)])

    async def find(self, tx: Transaction, kind: IdKind, ids: Iterable[str]) -> dict[str, Place]:
        """Where the objects are, by those of the ids that are known."""
        told = sorted(set(ids))
        if not told:
            return {}
        rows = await tx.fetch(self._sql["find"], kind=kind, ids=json_text(told))
        return {
            str(row["id"]): Place(
                patient_key=str(row["patient_key"]), object_id=str(row["object_id"])
            )
            for row in rows
        }

    async def entries(self, tx: Transaction, places: Iterable[Place]) -> list[Row]:
        """The entries that are at these places."""
        return await self._at(tx, "entries", places)

    async def sets(self, tx: Transaction, places: Iterable[Place]) -> list[Row]:
        """The submission sets that are at these places."""
        return await self._at(tx, "sets", places)

    async def _at(self, tx: Transaction, query: str, places: Iterable[Place]) -> list[Row]:
        told = [*places]
        return await tx.fetch(self._sql[query], places=json_text(told)) if told else []


def directory_rows(submitted: DocumentSet) -> Iterator[dict[str, Param]]:
    """The rows of all its ids, by column."""
    told = submitted.submission_set
    objects = [(IdKind.SET, told.set_id, told.unique_id)]
    objects += [
        (IdKind.ENTRY, one.entry.entry_id, one.entry.unique_id) for one in submitted.documents
    ]
    patient = patient_key(told.patient)
    for kind, object_id, unique_id in objects:
        for id_kind, name in ((kind, object_id), (IdKind.UNIQUE, unique_id)):
            yield {
                "id": name,
                "kind": id_kind,
                "patient_key": patient,
                "object_id": object_id,
            }
