"""Reads a Simplified Publish (ITI-105): a DocumentReference with its document inside.

Its submission set is made of it, as MHD has it (PCC TF-2 §4.1): who wrote the document submits it,
and what kind of submission it is, is what kind of document it is.
"""

from datetime import datetime

from indexer.contract.document_set import (
    DOCUMENT_SYMBOL,
    SET_SYMBOL,
    Document,
    DocumentSet,
    SubmissionSet,
)
from indexer.contract.identifiers import Oid, Uid
from indexer.wire.fhir.elements import Element, read_base64
from indexer.wire.fhir.submitted_document import (
    measured,
    read_relations,
    read_submitted_entry,
)
from indexer.wire.fhir.uncontained import contain
from indexer.wire.outcome import Json


def read_publication(
    resource: Json, *, submission_id: Uid, source_id: Oid, submitted_at: datetime
) -> DocumentSet:
    """The submission set that a DocumentReference makes; its ids are symbols.

    Args:
        resource: what was sent; size and hash may be left out.
        submission_id: unique id of the set.
        source_id: who makes the set.
        submitted_at: when it came.

    Raises:
        Refusal: it is malformed or contradicts itself, or its document is not inside.
    """
    told = Element(resource, "DocumentReference")
    told.expect("resourceType", "DocumentReference")
    attachment = told.only_child("content").child("attachment")
    attachment.forbid("url")
    content = attachment.parsed("data", read_base64)
    whole = Element(contain(_placed(measured(resource, content)), {}), told.path)
    entry = read_submitted_entry(whole, content, symbol=DOCUMENT_SYMBOL)
    made = SubmissionSet(
        unique_id=submission_id,
        source_id=source_id,
        patient=entry.patient,
        submitted_at=submitted_at,
        content_type=entry.type_code,
        author=entry.author,
        author_organisation=entry.author_organisation,
        title=entry.title,
        set_id=SET_SYMBOL,
    )
    return DocumentSet(
        submission_set=made,
        documents=(Document(entry=entry, content=content),),
        associations=tuple(read_relations(whole, source=DOCUMENT_SYMBOL, symbols={})),
    )


def _placed(resource: Json) -> Json:
    """The same with an address instead of the document, as a reader of entries has it."""
    [content] = resource["content"]
    attachment = {**content["attachment"], "url": DOCUMENT_SYMBOL}
    del attachment["data"]
    return resource | {"content": [content | {"attachment": attachment}]}
