"""Makes the rows of what is submitted, whose ids the index has allotted, and reads entries back.

Each row names its columns. Whoever fills an index in bulk makes them here too, so that the rows are
those of a submission.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import orjson

from gateway.storage.database import Param, Row
from indexer.contract.document import DocumentEntry
from indexer.contract.document_set import DocumentSet, Relation
from indexer.server.columns import json_text, patient_key
from indexer.wire.fhir.document_reference import document_reference, read_document_reference
from indexer.wire.fhir.elements import Element, version_of
from indexer.wire.fhir.submission_set import submission_set_list
from indexer.wire.outcome import Json
from indexer.wire.vocabulary import UUID_PREFIX


def set_row(submitted: DocumentSet, *, submitter: str = "") -> dict[str, Param]:
    """The submission set, and the structure that submitted it, empty where nobody proved it."""
    told = submitted.submission_set
    brought = [one.entry.entry_id for one in submitted.documents]
    named = [one.target for one in submitted.associations if one.relation is Relation.MEMBER]
    urls = [f"DocumentReference/{one}" for one in (*brought, *named)]
    listed = submission_set_list(told, list_url=UUID_PREFIX + told.set_id, document_urls=urls)
    return {
        "patient_key": patient_key(told.patient),
        "set_id": told.set_id,
        "unique_id": told.unique_id,
        "submitted_at_ms": int(told.submitted_at.timestamp() * 1000),
        "resource": json_text(listed),
        "submitter": submitter,
    }


def entry_rows(submitted: DocumentSet) -> Iterator[dict[str, Param]]:
    """The entries, each current at first; when it was held only who holds it can tell."""
    told = submitted.submission_set
    for document in submitted.documents:
        entry = document.entry
        relations = [
            one
            for one in submitted.associations
            if one.source == entry.entry_id and one.target != told.set_id
        ]
        place = UUID_PREFIX + entry.entry_id
        resource = document_reference(entry, attachment_url=place, relations=relations)
        yield {
            "patient_key": patient_key(entry.patient),
            "entry_id": entry.entry_id,
            "unique_id": entry.unique_id,
            "status": "current",
            "type_scheme": entry.type_code.scheme,
            "type_code": entry.type_code.code,
            "created_at_ms": int(entry.created_at.timestamp() * 1000),
            "reference_ids": json_text(
                [{"kind": r.kind, "value": r.value} for r in entry.reference_ids]
            ),
            "resource": json_text(resource),
            "set_id": told.set_id,
        }


def held_resource(row: Row) -> Json:
    """The resource of an entry's row, with the status that it has now, and its version if asked."""
    resource: Json = orjson.loads(str(row["resource"]))
    resource["status"] = row["status"]
    if "version" in row:
        resource["meta"] |= version_of(cast(int, row["version"]), updated_at(row))
    return resource


def updated_at(row: Row) -> datetime:
    """When an entry was held, or changed last."""
    return datetime.fromtimestamp(cast(int, row["updated_at_ms"]) / 1000, UTC)


def held_entry(resource: Json) -> DocumentEntry:
    """The entry that a resource tells of."""
    return read_document_reference(Element(resource, "DocumentReference"))


def document_rows(submitted: DocumentSet) -> Iterator[dict[str, Param]]:
    """The documents, as they came."""
    for document in submitted.documents:
        yield {
            "patient_key": patient_key(document.entry.patient),
            "entry_id": document.entry.entry_id,
            "mime_type": document.entry.mime_type,
            "content": document.content,
        }


def association_rows(submitted: DocumentSet) -> Iterator[dict[str, Param]]:
    """What its objects are to others; not that the set brought its documents."""
    for one in submitted.associations:
        yield {
            "patient_key": patient_key(submitted.submission_set.patient),
            "association_id": one.association_id,
            "relation": one.relation,
            "source_id": one.source,
            "target_id": one.target,
        }
