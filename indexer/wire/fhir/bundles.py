"""The Bundles of ITI-65 as a gateway sends them and reads their answers: one document in each.

A gateway publishes pointers one by one, so that one that is refused keeps none back.
"""

import re
from dataclasses import replace
from uuid import NAMESPACE_OID, uuid5

import pybase64

from indexer.contract.document import EntryStatus, Submission
from indexer.contract.document_set import document_set_of
from indexer.wire.fhir.document_reference import document_reference
from indexer.wire.fhir.elements import Element, write_moment
from indexer.wire.fhir.submission_set import submission_set_list
from indexer.wire.outcome import IssueCode, Json
from indexer.wire.vocabulary import (
    PATCH_PROFILE,
    PROVIDE_BUNDLE_PROFILE,
    UUID_PREFIX,
)

_LOCATION = re.compile(r"(?:.*/)?DocumentReference/(?P<id>[A-Za-z0-9.-]{1,64})(?:/_history/.+)?")


def provide_bundle(submission: Submission) -> Json:
    """The transaction that submits one document.

    The same submission always gives the same Bundle, so that a repeat is one.
    """
    set_url, document_url, binary_url = (
        UUID_PREFIX + str(uuid5(NAMESPACE_OID, f"{submission.submission_id}/{part}"))
        for part in ("List", "DocumentReference", "Binary")
    )
    entry = replace(submission.entry, entry_id="", status=EntryStatus.APPROVED)
    whole = document_set_of(submission)
    relations = whole.associations
    document = document_reference(entry, attachment_url=binary_url, relations=relations)
    told = replace(whole.submission_set, set_id="")
    listed = submission_set_list(told, list_url=set_url, document_urls=[document_url])
    entries = [
        _post(set_url, listed),
        _post(document_url, document),
        _post(binary_url, binary(submission.document, mime_type=submission.entry.mime_type)),
    ]
    if submission.replaces:
        entries.append(_supersede(submission.replaces))
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [PROVIDE_BUNDLE_PROFILE]},
        "type": "transaction",
        "timestamp": write_moment(submission.submitted_at),
        "entry": entries,
    }


def _post(url: str, resource: Json) -> Json:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": url, "resource": resource, "request": request}


def binary(document: bytes, *, mime_type: str) -> Json:
    """A document in its FHIR form."""
    return {
        "resourceType": "Binary",
        "contentType": mime_type,
        "data": pybase64.b64encode_as_string(document),
    }


def _supersede(entry_id: str) -> Json:
    """The FHIRPath Patch that MHD puts into the transaction of a replacement."""
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "DocumentReference.status"},
        {"name": "value", "valueCode": EntryStatus.DEPRECATED.value},
    ]
    return {
        "resource": {
            "resourceType": "Parameters",
            "meta": {"profile": [PATCH_PROFILE]},
            "parameter": [{"name": "operation", "part": parts}],
        },
        "request": {"method": "PATCH", "url": f"DocumentReference/{entry_id}"},
    }


def read_transaction_response(resource: object) -> str:
    """The entry_id that the index allotted.

    Raises:
        Refusal: the answer names no DocumentReference that was created.
    """
    bundle = Element(resource, "Bundle")
    bundle.expect("resourceType", "Bundle")
    bundle.expect("type", "transaction-response")
    for entry in bundle.children("entry"):
        response = entry.child("response")
        found = _LOCATION.fullmatch(response.text_or_empty("location"))
        if found and response.text("status").startswith("201"):
            return found["id"]
    raise bundle.refuse("entry", "names no DocumentReference created", IssueCode.REQUIRED)
