"""Adds to a submission the document that signs it, as the DMP asks for."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from indexer.contract.document_set import Association, Document, DocumentSet, Relation
from indexer.contract.identifiers import Uid
from indexer.wire.proof import signature_document as signatures
from indexer.wire.proof.signatures import SigningKey

SIGNATURE_SYMBOL: Final = "Signature01"


def sign_set(
    submitted: DocumentSet, key: SigningKey, *, document_id: Uid, now: datetime
) -> DocumentSet:
    """The submission with its signature document, which is as visible as what it signs.

    Args:
        document_id: unique id of the signature document.
        now: when it is signed, aware.
    """
    told = submitted.submission_set
    moment = now.astimezone(UTC).replace(microsecond=0)
    content = signatures.write_signature(
        document_id,
        set_id=told.unique_id,
        documents={one.entry.unique_id: one.content for one in submitted.documents},
        key=key,
        signed_at=now,
    )
    first = submitted.documents[0].entry
    entry = replace(
        first,
        entry_id=SIGNATURE_SYMBOL,
        unique_id=document_id,
        class_code=signatures.CLASS_CODE,
        type_code=signatures.TYPE_CODE,
        format_code=signatures.FORMAT_CODE,
        mime_type=signatures.MIME_TYPE,
        event_codes=(signatures.PURPOSE,),
        created_at=moment,
        service_start=moment,
        service_stop=moment,
        language=signatures.LANGUAGE,
        title=signatures.PURPOSE.display,
        comments="",
        author=told.author,
        author_organisation=told.author_organisation,
        legal_authenticator=told.author,
        sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        size_bytes=len(content),
    )
    signs = Association(relation=Relation.SIGNS, source=SIGNATURE_SYMBOL, target=told.set_id)
    return replace(
        submitted,
        documents=(*submitted.documents, Document(entry=entry, content=content)),
        associations=(*submitted.associations, signs),
    )
