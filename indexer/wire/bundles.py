"""The Bundles of ITI-65: a submission as a transaction, and what the index answers.

One document goes in one submission set: a gateway publishes pointers one by one, and the index
refuses what it would have to take in part.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, replace
from uuid import NAMESPACE_OID, uuid5

from indexer.contract.document import EntryStatus, Submission
from indexer.contract.document_set import document_set_of
from indexer.contract.errors import InvalidValue
from indexer.wire.document_reference import (
    document_reference,
    read_document_reference,
)
from indexer.wire.elements import (
    Element,
    read_uuid,
    write_moment,
)
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.submission_set import read_submission_set, submission_set_list
from indexer.wire.vocabulary import (
    PATCH_PROFILE,
    PROVIDE_BUNDLE_PROFILE,
    UUID_PREFIX,
)

BUNDLE_ENTRIES_MAX = 16
_LOCATION = re.compile(r"(?:.*/)?DocumentReference/(?P<id>[A-Za-z0-9.-]{1,64})(?:/_history/.+)?")
_TARGET = re.compile(r"DocumentReference/(?P<id>[A-Za-z0-9.-]{1,64})")


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
        "data": base64.b64encode(document).decode("ascii"),
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


def read_provide_bundle(resource: object) -> Submission:
    """What a transaction submits; the inverse of `provide_bundle`.

    The entry comes without an `entry_id` and a `document_url`: the index allots both.

    Raises:
        Refusal: the Bundle is malformed or contradicts itself, or asks for what is not done here.
    """
    parts = _Parts.of(Element(resource, "Bundle"))
    listed, document = parts.submission_set, parts.document
    entry = read_document_reference(document.element)
    told = read_submission_set(listed.element)
    if told.patient != entry.patient:
        raise listed.element.refuse("subject", "is not the document's", IssueCode.BUSINESS_RULE)
    if entry.status is not EntryStatus.APPROVED:
        raise document.element.refuse("status", "is not current", IssueCode.VALUE)
    content = _read_binary(parts.binary.element, mime_type=entry.mime_type)
    if len(content) != entry.size_bytes:
        raise Refusal(
            "the document is not of the size that its metadata tells",
            code=IssueCode.VALUE,
            expression=document.element.path,
        )
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != entry.sha1:
        raise Refusal(
            "the document's hash is not the one that its metadata tells",
            code=IssueCode.VALUE,
            expression=document.element.path,
        )
    if document.url != listed.element.only_child("entry").child("item").text("reference"):
        raise listed.element.refuse("entry", "is not the document", IssueCode.INVALID)
    if parts.binary.url != entry.document_url:
        raise document.element.refuse("content", "is not the Binary", IssueCode.INVALID)
    return Submission(
        submission_id=told.unique_id,
        source_id=told.source_id,
        submitted_at=told.submitted_at,
        content_type=told.content_type,
        entry=replace(entry, entry_id="", document_url=""),
        document=content,
        replaces=_read_replaced(document.element, parts.patches),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One entry of the Bundle: its name in the Bundle, what it asks, the resource it brings."""

    url: str
    request: Element
    element: Element


@dataclass(frozen=True, slots=True)
class _Parts:
    submission_set: _Part
    document: _Part
    binary: _Part
    patches: list[_Part]

    @classmethod
    def of(cls, bundle: Element) -> "_Parts":
        """The Bundle's entries, each where it belongs."""
        bundle.expect("resourceType", "Bundle")
        bundle.expect("type", "transaction")
        entries = bundle.children("entry")
        if len(entries) > BUNDLE_ENTRIES_MAX:
            raise bundle.refuse("entry", f"is more than {BUNDLE_ENTRIES_MAX}", IssueCode.TOO_LONG)
        by_kind: dict[str, list[_Part]] = {}
        for entry in entries:
            kind, part = _sort(entry)
            by_kind.setdefault(kind, []).append(part)
        return cls(
            submission_set=_single(bundle, by_kind, "List"),
            document=_single(bundle, by_kind, "DocumentReference"),
            binary=_single(bundle, by_kind, "Binary"),
            patches=by_kind.get("Parameters", []),
        )


_METHODS = {"List": "POST", "DocumentReference": "POST", "Binary": "POST", "Parameters": "PATCH"}


def _sort(entry: Element) -> tuple[str, _Part]:
    resource, request = entry.child("resource"), entry.child("request")
    kind = resource.text("resourceType")
    if kind not in _METHODS:
        raise entry.refuse("resource", "is of a type not taken here", IssueCode.NOT_SUPPORTED)
    request.expect("method", _METHODS[kind])
    if kind != "Parameters":
        request.expect("url", kind)
    # A conditional create would make the outcome depend on what the index holds (R4 §3.1.0.8.1).
    request.forbid("ifNoneExist", "ifMatch", "ifNoneMatch", "ifModifiedSince")
    # The parts refer to each other by it; nothing refers to a patch.
    url = entry.text_or_empty("fullUrl") if kind == "Parameters" else entry.text("fullUrl")
    return kind, _Part(url=url, request=request, element=resource)


def _single(bundle: Element, by_kind: dict[str, list[_Part]], kind: str) -> _Part:
    found = by_kind.get(kind, [])
    if len(found) != 1:
        code = IssueCode.NOT_SUPPORTED if found else IssueCode.REQUIRED
        raise bundle.refuse("entry", f"must bring one {kind}, not {len(found)}", code)
    found[0].element.forbid("modifierExtension", "docStatus")
    return found[0]


def _read_binary(binary: Element, *, mime_type: str) -> bytes:
    if binary.text("contentType") != mime_type:
        raise binary.refuse("contentType", "is not the attachment's", IssueCode.INVALID)
    return binary.parsed("data", _read_base64)


def _read_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidValue("not base64") from error


def _read_replaced(document: Element, patches: list[_Part]) -> str | None:
    """The entry that the document replaces; a patch must say the same (MHD 4.2 UpdateDocumentRefs).

    A relatesTo without its patch is taken too: earlier editions of MHD leave it to the index.
    """
    relations = document.children("relatesTo")
    if not relations:
        if patches:
            raise patches[0].request.refuse(
                "url", "changes what no document replaces", IssueCode.NOT_SUPPORTED
            )
        return None
    relation = document.only_child("relatesTo")
    relation.expect("code", "replaces")
    target = relation.child("target")
    entry_id = target.parsed("reference", _read_target)
    for patch in patches:
        if patch.request.parsed("url", _read_target) != entry_id:
            raise patch.request.refuse("url", "is not what is replaced", IssueCode.INVALID)
        _check_patch(patch.element)
    return entry_id


def _read_target(text: str) -> str:
    found = _TARGET.fullmatch(text)
    if found is None:
        raise InvalidValue("not a DocumentReference of this index")
    return read_uuid(found["id"])


def _check_patch(parameters: Element) -> None:
    operation = parameters.only_child("parameter")
    operation.expect("name", "operation")
    told = {part.text("name"): part for part in operation.children("part")}
    expected = {
        "type": ("valueCode", "replace"),
        "path": ("valueString", "DocumentReference.status"),
        "value": ("valueCode", EntryStatus.DEPRECATED.value),
    }
    if told.keys() != expected.keys():
        raise operation.refuse("part", "must be type, path and value", IssueCode.NOT_SUPPORTED)
    for name, (value, wanted) in expected.items():
        told[name].expect(value, wanted)


def transaction_response(bundle: Json, *, entry_id: str, set_id: str) -> Json:
    """The answer to a transaction that was read without a refusal.

    Args:
        bundle: the transaction; each of its entries has its answer at the same place.
        entry_id: what the index allotted to the DocumentReference and its Binary.
        set_id: what it allotted to the List.
    """
    return {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [
            {"response": _response(entry, {"List": set_id}, entry_id)} for entry in bundle["entry"]
        ],
    }


def _response(entry: Json, ids: Json, entry_id: str) -> Json:
    if entry["request"]["method"] == "PATCH":
        return {"status": "200 OK", "location": entry["request"]["url"]}
    kind = entry["resource"]["resourceType"]
    return {"status": "201 Created", "location": f"{kind}/{ids.get(kind, entry_id)}"}


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
