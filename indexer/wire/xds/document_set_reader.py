"""Reads what ITI-41 submits and what ITI-57 changes: the whole of a SubmitObjectsRequest.

Unlike the import of an archive, which takes the manifests that it finds, all that is told must be
understood: what was passed over would be lost, while its sender was told that it is held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.document_set import (
    Association,
    Document,
    DocumentSet,
    Relation,
    SubmissionSet,
)
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins
from indexer.wire.fhir.elements import read_uuid
from indexer.wire.outcome import XdsError, xds_refusal
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.reader import (
    DOCUMENTS_MAX,
    Described,
    find_objects,
    find_submission_set,
    of_kind,
    read_entry,
    read_submission_set,
)
from indexer.wire.xml import Element

ASSOCIATIONS_MAX: Final = 1024

_OBJECTS: Final = {
    f"{{{names.RIM}}}{one}"
    for one in ("RegistryPackage", "ExtrinsicObject", "Association", "ObjectRef")
}
"""An ObjectRef says nothing of its own: it announces an id that others refer to."""
_BECOMES: Final = {
    EntryStatus.APPROVED: {EntryStatus.DEPRECATED, EntryStatus.WITHDRAWN},
    EntryStatus.DEPRECATED: {EntryStatus.WITHDRAWN},
    EntryStatus.WITHDRAWN: {EntryStatus.WITHDRAWN},
}
_REQUIRED_SLOTS: Final = ("languageCode", "sourcePatientId")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """What ITI-57 asks of one entry (ITI TF-2 §3.57.4.1.3.3): to be Deprecated, or to be Deleted,
    as the DMP has it."""

    patient: Ins
    target: str
    status: EntryStatus
    original: EntryStatus
    """The status that the sender takes it to have."""


def read_document_set(objects: Sequence[Described]) -> DocumentSet:
    """What is submitted, without the documents; its ids are symbols, and targets that are held are
    UUIDs without their urn.

    Raises:
        InvalidValue: it cannot be understood whole, or contradicts itself.
    """
    _expect_objects(objects)
    told = read_submission_set(find_submission_set(objects))
    described = of_kind(objects, "ExtrinsicObject")
    if len(described) > DOCUMENTS_MAX:
        raise InvalidValue(f"the metadata describes more than {DOCUMENTS_MAX} documents")
    for one in described:
        if one.element.get("objectType") != names.STABLE_DOCUMENT:
            raise InvalidValue("objectType is not that of a stable document")
    entries = [_read_whole_entry(one) for one in described]
    symbols = [told.set_id, *(one.entry_id for one in entries)]
    _expect_distinct(symbols, [told.unique_id, *(one.unique_id for one in entries)])
    if any(one.patient != told.patient for one in entries):
        raise xds_refusal(
            "the submission set is of another patient than its document",
            XdsError.PATIENT_DOES_NOT_MATCH,
        )
    associations = [_association(one, told.set_id, set(symbols)) for one in _associated(objects)]
    _expect_members(associations, told.set_id, symbols[1:])
    return DocumentSet(
        submission_set=told,
        documents=tuple(Document(entry=one, content=b"") for one in entries),
        associations=tuple(one for one in associations if not _is_original(one, symbols)),
    )


def _read_whole_entry(told: Described) -> DocumentEntry:
    """An entry with all that its sender must tell (ITI TF-3 §4.3.1, column ITI-41)."""
    for name in _REQUIRED_SLOTS:
        if not told.value(name):
            raise InvalidValue(f"{name} is missing")
    entry = read_entry(told)
    if not _is_code(entry.language):
        raise InvalidValue("languageCode is no code")
    if not entry.local_patient.value:
        raise InvalidValue("sourcePatientId names nobody")
    if not entry.confidentiality:
        raise InvalidValue("confidentialityCode is missing")
    return entry


def read_status_changes(root: Element) -> list[StatusChange]:
    """What ITI-57 asks of entries.

    Raises:
        InvalidValue: something else is asked for, or an attribute is missing or malformed.
    """
    objects = find_objects(root)
    told = read_submission_set(find_submission_set(objects))
    changes = _associated(objects)
    if of_kind(objects, "ExtrinsicObject") or any(
        one.element.get("associationType") != names.UPDATE_STATUS for one in changes
    ):
        raise xds_refusal("only the status can be changed", XdsError.UPDATE_OPERATION)
    if not changes:
        raise xds_refusal("the request changes nothing", XdsError.UPDATE)
    return [_status_change(one, told) for one in changes]


def _status_change(change: Described, told: SubmissionSet) -> StatusChange:
    if change.element.get("sourceObject") != told.set_id:
        raise xds_refusal("the source of a change is not its submission set", XdsError.UPDATE)
    original = read_status(change.value("OriginalStatus"))
    if original is None:
        raise xds_refusal("OriginalStatus is missing, or is none here", XdsError.UPDATE)
    status = read_status(change.value("NewStatus"))
    # What was replaced or deleted does not come back: another may stand in its place.
    if status not in _BECOMES[original]:
        reason = "the status can only become Deprecated, from Approved, or Deleted"
        raise xds_refusal(reason, XdsError.UPDATE_OPERATION)
    target = _uuid(change.element.get("targetObject", ""))
    return StatusChange(patient=told.patient, target=target, status=status, original=original)


def read_status(urn: str) -> EntryStatus | None:
    """The status of a URN; None where it is of no status here."""
    return {name: status for status, name in names.STATUSES.items()}.get(urn)


def _associated(objects: Sequence[Described]) -> list[Described]:
    found = of_kind(objects, "Association")
    if len(found) > ASSOCIATIONS_MAX:
        raise InvalidValue(f"the metadata holds more than {ASSOCIATIONS_MAX} associations")
    return found


def _expect_objects(objects: Sequence[Described]) -> None:
    """Refuse folders, and what XDS does not know."""
    if of_kind(objects, "Classification"):
        raise InvalidValue("a classification is of no object of the request")
    if any(one.element.tag not in _OBJECTS for one in objects):
        raise InvalidValue("the metadata holds an object of a kind that is not held here")
    for one in objects:
        for scheme, found in one.classified:
            for inner in found:
                _expect_classification(inner, scheme, one.name)
    if len(of_kind(objects, "RegistryPackage")) != 1:
        raise InvalidValue("the metadata holds more than a submission set: folders are not held")


def _expect_classification(one: Described, scheme: str, classified: str) -> None:
    """A code that was passed over for its form could be that of a document's confidentiality."""
    if one.element.get("classifiedObject", classified) != classified:
        raise InvalidValue("a classification is of another object than it stands in")
    if scheme not in names.CODES:
        return
    if not _is_code(one.element.get("nodeRepresentation", "").strip()):
        raise InvalidValue("nodeRepresentation is missing, or no code")
    if not _is_uri(one.value("codingScheme")):
        raise InvalidValue("codingScheme is missing, or neither an OID nor a URI")


def _is_code(text: str) -> bool:
    """Whether it is a `code`, in whose form FHIR keeps it (R4 §2.24.0.1)."""
    return text != "" and " ".join(text.split()) == text


def _is_uri(text: str) -> bool:
    """Whether it is a `uri`, in whose form FHIR keeps it (R4 §2.24.0.1)."""
    return text.split() == [text]


def _expect_distinct(symbols: list[str], unique_ids: list[str]) -> None:
    if not all(symbols) or len(set(symbols)) < len(symbols):
        raise InvalidValue("an object's id is missing, or is another's too")
    if len(set(unique_ids)) < len(unique_ids):
        raise xds_refusal("a unique id is told twice", XdsError.DUPLICATE_IN_MESSAGE)


def _association(told: Described, set_id: str, symbols: set[str]) -> Association:
    relation = names.RELATIONS.get(told.element.get("associationType", ""))
    if relation is None:
        raise InvalidValue("associationType is none that a submission may bring")
    source, target = told.element.get("sourceObject", ""), told.element.get("targetObject", "")
    if source not in symbols:
        raise xds_refusal("a source is no object of the request", XdsError.UNRESOLVED_REFERENCE)
    if (source == set_id) != (relation is Relation.MEMBER):
        raise InvalidValue("an association goes out from an object that cannot have it")
    if target not in symbols:
        target = _uuid(target)
    elif relation not in (Relation.MEMBER, Relation.SIGNS):
        raise InvalidValue("what is replaced, transformed or amended is not held yet")
    return Association(relation=relation, source=source, target=target)


def _uuid(target: str) -> str:
    if not target.startswith(names.UUID):
        raise xds_refusal("a target is no object of the request", XdsError.UNRESOLVED_REFERENCE)
    try:
        return read_uuid(target)
    except InvalidValue:
        raise xds_refusal("a target is no UUID", XdsError.UNRESOLVED_REFERENCE) from None


def _expect_members(associations: list[Association], set_id: str, symbols: list[str]) -> None:
    members = [one.target for one in associations if one.relation is Relation.MEMBER]
    if set_id in members or len(set(members)) < len(members):
        raise InvalidValue("a submission set is a member of itself, or has a member twice")
    if set(symbols) - set(members):
        raise InvalidValue("a document is no member of the submission set")


def _is_original(one: Association, symbols: list[str]) -> bool:
    return one.relation is Relation.MEMBER and one.target in symbols
