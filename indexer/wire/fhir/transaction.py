"""Reads the transaction of ITI-65, and answers it entry by entry.

A submission set with its documents, what they are to others, and who is told of beside them. What
is not held here, folders and FHIR documents, is refused with the whole: its sender would else take
it for held.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from indexer.contract.document import EntryStatus
from indexer.contract.document_set import (
    REPLACING,
    Association,
    Document,
    DocumentSet,
    Relation,
)
from indexer.wire.fhir.elements import Element, read_base64
from indexer.wire.fhir.fhirpath_patch import read_fhirpath_patch
from indexer.wire.fhir.patch import read_json_patch
from indexer.wire.fhir.submission_set import read_submission_set
from indexer.wire.fhir.submitted_document import (
    PLACE,
    expect_tellable,
    measured,
    not_kept,
    read_place,
    read_relations,
    read_submitted_entry,
)
from indexer.wire.fhir.uncontained import PEOPLE, contain
from indexer.wire.outcome import IssueCode, Json, outcome_of, warning
from indexer.wire.vocabulary import FOLDER, INTENDED_RECIPIENT, MINIMAL_BUNDLE_PROFILE

BUNDLE_ENTRIES_MAX: Final = 512

_METHODS: Final = {
    "List": ("POST",),
    "DocumentReference": ("POST",),
    "Binary": ("POST",),
    "Parameters": ("PATCH",),
    **dict.fromkeys(PEOPLE, ("POST", "PUT")),
}
CREATED: Final = "201 Created"
_FOLDED: Final = {
    "severity": "information",
    "code": IssueCode.INFORMATIONAL,
    "diagnostics": "it is kept within the documents that refer to it",
}
_SUPERSEDE: Final = read_json_patch(
    [{"op": "replace", "path": "/status", "value": EntryStatus.DEPRECATED.value}]
)


@dataclass(frozen=True, slots=True)
class _Part:
    """One entry of the Bundle: its name in the Bundle, what it asks, the resource it brings."""

    url: str
    kind: str
    request: Element
    element: Element


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What became of one entry."""

    status: str
    kind: str = ""
    symbol: str = ""
    """Of the object whose id is the resource's, until ids are allotted."""
    issues: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a Bundle submits, with how each of its entries is to be answered."""

    submitted: DocumentSet
    """Its ids are symbols: the names of the entries in the Bundle."""
    made: tuple[_Made, ...]


def read_transaction(resource: object) -> Transaction:
    """What a transaction submits.

    Raises:
        Refusal: the Bundle is malformed or contradicts itself, or asks for what is not done here.
    """
    bundle = Element(resource, "Bundle")
    parts = _parts(bundle)
    listed = _submission_set(bundle, parts)
    beside = {one.url: one.element.fields for one in parts if one.kind in PEOPLE}
    told = read_submission_set(_contained(listed, beside))
    told = replace(told, set_id=listed.url)
    expect_tellable(listed.element, [told.content_type], [told.title, told.comments])
    read = _Documents(bundle, parts, beside, set_url=listed.url)
    for part, document in zip(read.parts, read.documents, strict=True):
        if document.entry.patient != told.patient:
            raise part.element.refuse("subject", "is not the set's", IssueCode.BUSINESS_RULE)
    associations = (*_members(listed, read.parts), *read.associations)
    _check_patches(parts, associations)
    submitted = DocumentSet(
        submission_set=told, documents=tuple(read.documents), associations=associations
    )
    return Transaction(submitted=submitted, made=tuple(_made(parts, read)))


def transaction_response(transaction: Transaction, held: DocumentSet) -> Json:
    """The answer to a transaction, entry by entry in its order.

    Args:
        transaction: as it was read.
        held: what it submits, with the ids that the index allotted.
    """
    submitted = transaction.submitted
    ids = {submitted.submission_set.set_id: held.submission_set.set_id}
    for before, after in zip(submitted.documents, held.documents, strict=True):
        ids[before.entry.entry_id] = after.entry.entry_id
    entries = [{"response": _response(one, ids)} for one in transaction.made]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}


def _response(made: _Made, ids: Mapping[str, str]) -> Json:
    response: Json = {"status": made.status}
    if made.kind:
        response["location"] = f"{made.kind}/{ids.get(made.symbol, made.symbol)}"
    if made.status == CREATED and made.kind == "DocumentReference":
        response["etag"] = 'W/"1"'
    if made.issues:
        response["outcome"] = outcome_of(made.issues)
    return response


def _parts(bundle: Element) -> list[_Part]:
    """The Bundle's entries, each of a kind and with a method that it may have."""
    bundle.expect("resourceType", "Bundle")
    bundle.expect("type", "transaction")
    entries = bundle.children("entry")
    if len(entries) > BUNDLE_ENTRIES_MAX:
        raise bundle.refuse("entry", f"is more than {BUNDLE_ENTRIES_MAX}", IssueCode.TOO_LONG)
    parts = [_part(entry) for entry in entries]
    urls = [one.url for one in parts if one.url]
    if len(set(urls)) < len(urls):
        raise bundle.refuse("entry", "has a fullUrl twice", IssueCode.INVALID)
    return parts


def _part(entry: Element) -> _Part:
    resource, request = entry.child("resource"), entry.child("request")
    kind = resource.text("resourceType")
    if kind == "Bundle":
        what = "is a FHIR document (FHIRDocumentNotSupported): send it as a Binary"
        raise entry.refuse("resource", what, IssueCode.NOT_SUPPORTED)
    if kind not in _METHODS:
        raise entry.refuse("resource", "is of a type not taken here", IssueCode.NOT_SUPPORTED)
    request.expect("method", *_METHODS[kind])
    if request.text("method") == "POST":
        request.expect("url", kind)
    # A conditional create would make the outcome depend on what the index holds (R4 §3.1.0.8.1).
    request.forbid("ifNoneExist", "ifMatch", "ifNoneMatch", "ifModifiedSince")
    resource.forbid("modifierExtension")
    # The parts refer to each other by it; nothing refers to a patch.
    url = entry.text_or_empty("fullUrl") if kind == "Parameters" else entry.text("fullUrl")
    return _Part(url=url, kind=kind, request=request, element=resource)


def _submission_set(bundle: Element, parts: list[_Part]) -> _Part:
    lists = [one for one in parts if one.kind == "List"]
    for one in lists:
        codes = one.element.child("code").children("coding") if one.element.has("code") else []
        if any(code.text_or_empty("code") == FOLDER for code in codes):
            what = "is that of a folder, which is not held here"
            raise one.element.refuse("code", what, IssueCode.NOT_SUPPORTED)
    if len(lists) != 1:
        code = IssueCode.INVALID if lists else IssueCode.REQUIRED
        raise bundle.refuse("entry", f"must bring one List, not {len(lists)}", code)
    return lists[0]


def _contained(part: _Part, beside: Mapping[str, Json]) -> Element:
    return Element(contain(part.element.fields, beside), part.element.path)


class _Documents:
    """The documents of a transaction, each with its bytes."""

    def __init__(
        self, bundle: Element, parts: list[_Part], beside: Mapping[str, Json], *, set_url: str
    ) -> None:
        self.parts = [one for one in parts if one.kind == "DocumentReference"]
        if not self.parts:
            raise bundle.refuse("entry", "must bring a DocumentReference", IssueCode.REQUIRED)
        self.by_binary: dict[str, _Part] = {}
        self.documents: list[Document] = []
        self.associations: list[Association] = []
        self._binaries = {one.url: one for one in parts if one.kind == "Binary"}
        self._beside = beside
        self._minimal = _is_minimal(bundle)
        symbols = {one.url: one.url for one in self.parts} | {set_url: set_url}
        for part in self.parts:
            self.documents.append(self._document(part))
            self.associations += read_relations(part.element, source=part.url, symbols=symbols)
        if len(self.by_binary) < len(self._binaries):
            raise bundle.refuse("entry", "brings a Binary that none describes", IssueCode.INVALID)

    def _document(self, part: _Part) -> Document:
        element = _contained(part, self._beside)
        attachment = element.only_child("content").child("attachment")
        attachment.forbid("data")
        url = attachment.text("url")
        if url not in self._binaries or url in self.by_binary:
            what = "is no Binary of its own in the transaction"
            code = IssueCode.INVALID if url in self._binaries else IssueCode.REQUIRED
            raise attachment.refuse("url", what, code)
        self.by_binary[url] = part
        binary = self._binaries[url].element
        content = binary.parsed("data", read_base64)
        if self._minimal:
            element = Element(measured(element.fields, content), element.path)
        entry = read_submitted_entry(element, content, symbol=part.url)
        if binary.text("contentType") != entry.mime_type:
            raise binary.refuse("contentType", "is not the attachment's", IssueCode.INVALID)
        return Document(entry=entry, content=content)


def _is_minimal(bundle: Element) -> bool:
    return bundle.has("meta") and MINIMAL_BUNDLE_PROFILE in bundle.child("meta").texts("profile")


def _members(listed: _Part, documents: list[_Part]) -> Iterator[Association]:
    """What the set names of what is held already; each document of its own it must name once."""
    own = {one.url for one in documents}
    told: set[str] = set()
    for item in listed.element.children("entry"):
        item.forbid("deleted", "modifierExtension")
        reference = item.child("item").text("reference")
        target = reference
        if reference not in own:
            target = item.child("item").parsed("reference", read_place)
            yield Association(relation=Relation.MEMBER, source=listed.url, target=target)
        if target in told:
            raise listed.element.refuse("entry", "names a document twice", IssueCode.INVALID)
        told.add(target)
    if own - told:
        raise listed.element.refuse("entry", "does not name each document", IssueCode.INVALID)


def _check_patches(parts: list[_Part], associations: tuple[Association, ...]) -> None:
    """What is patched must be what is replaced (MHD 4.2 UpdateDocumentRefs).

    A relatesTo without its patch is taken too: earlier editions of MHD leave it to the index.
    """
    replaced = {one.target for one in associations if one.relation in REPLACING}
    for part in parts:
        if part.kind != "Parameters":
            continue
        if part.request.parsed("url", read_place) not in replaced:
            what = "changes what no document replaces"
            raise part.request.refuse("url", what, IssueCode.NOT_SUPPORTED)
        if read_fhirpath_patch(part.element) != _SUPERSEDE:
            what = "does more or less than supersede what is replaced"
            raise part.element.refuse("parameter", what, IssueCode.NOT_SUPPORTED)


def _made(parts: list[_Part], read: _Documents) -> Iterator[_Made]:
    for part in parts:
        match part.kind:
            case "List":
                yield _created(part.kind, part.url, _unknown_recipients(part.element))
            case "DocumentReference":
                yield _created(part.kind, part.url, not_kept(part.element))
            case "Binary":
                yield _created(part.kind, read.by_binary[part.url].url, [])
            case "Parameters":
                target = part.request.parsed("url", read_place)
                yield _Made(status="200 OK", kind=PLACE.rstrip("/"), symbol=target)
            case _:
                yield _Made(status="200 OK", issues=[_FOLDED])


def _created(kind: str, symbol: str, issues: list[Json]) -> _Made:
    return _Made(status=CREATED, kind=kind, symbol=symbol, issues=issues)


def _unknown_recipients(listed: Element) -> list[Json]:
    """Nobody can be notified here, which ITI-65 lets a recipient tell by a warning."""
    return [
        warning(one.path, "is notified of nothing", details="UnknownRecipient")
        for one in listed.children("extension")
        if one.text("url") == INTENDED_RECIPIENT
    ]
