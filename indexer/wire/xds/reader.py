"""Reads XDS metadata: an ebRIM SubmitObjectsRequest (ITI TF-3 §4.2.5), whatever it is wrapped in.

What the gateway cannot do without must be there; the rest may be missing, as it is in what others
write. Refusals name the attribute, never its value.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from indexer.contract.document import (
    SIZE_NOT_TOLD,
    Author,
    Code,
    DocumentEntry,
    Identifier,
    Person,
    Submission,
    authors_in_full,
)
from indexer.contract.document_set import SubmissionSet
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.framing.media_types import checked_media_type
from indexer.wire import hl7_values as values
from indexer.wire.fhir.authors import AUTHORS_MAX
from indexer.wire.fhir.elements import read_system
from indexer.wire.outcome import XdsError, xds_refusal
from indexer.wire.xds import vocabulary as names
from indexer.wire.xml import Element

T = TypeVar("T")

VALUE_LENGTH_MAX: Final = 1024  # characters of one value
VALUES_MAX: Final = 256
"""Values of one slot, classifications of one kind: an entry has a handful of each."""
DOCUMENTS_MAX: Final = 256

_CLASSIFICATION: Final = f"{{{names.RIM}}}Classification"
_IDENTIFIER: Final = f"{{{names.RIM}}}ExternalIdentifier"
_LOCALIZED: Final = f"{{{names.RIM}}}LocalizedString"
_SLOT: Final = f"{{{names.RIM}}}Slot"
_VALUE: Final = f"{{{names.RIM}}}Value"
_VALUE_LIST: Final = f"{{{names.RIM}}}ValueList"
_NAMED_BY: Final = {
    _SLOT: "name",
    _CLASSIFICATION: "classificationScheme",
    _IDENTIFIER: "identificationScheme",
}
_SCHEMES: Final = (_CLASSIFICATION, _IDENTIFIER)
_SLOT_NAME = re.compile(r"[$A-Za-z]{1,64}", re.ASCII)
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}", re.ASCII)


class Described:
    """A registry object, or a classification of one, by its slots and classifications.

    What it holds is looked through once, and each value read once: a submission is asked for the
    same ones again and again, and a look into the XML costs more than all that is done with it.
    """

    def __init__(self, element: Element) -> None:
        self.element = element
        self.name = element.get("id", "")
        self._parts: dict[tuple[str, str], list[Element]] = {}
        """By tag and by what names them."""
        for one in element:
            named_by = _NAMED_BY.get(one.tag)
            name = one.get(named_by, "") if named_by else ""
            self._parts.setdefault((one.tag, name), []).append(one)
        self._values: dict[str, list[str]] = {}
        self._classified: dict[str, list[Described]] = {}

    @property
    def slots(self) -> list[str]:
        """The names of its slots."""
        return [name for tag, name in self._parts if tag == _SLOT]

    @property
    def schemes(self) -> list[str]:
        """By what it is classified, and named, from outside; empty for a node."""
        return [name for tag, name in self._parts if tag in _SCHEMES]

    def values(self, name: str) -> list[str]:
        """All values of a slot; a sender may spread them over several of the same name."""
        if (known := self._values.get(name)) is not None:
            return known
        slots = self._parts.get((_SLOT, name), ())
        found = _few([value for slot in slots for value in listed(slot)], name)
        self._values[name] = found
        return found

    def value(self, name: str) -> str:
        """The first value of a slot; empty where there is none."""
        return next(iter(self.values(name)), "")

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """A slot that must be there."""
        return _parsed(self.value(name), name, parse)

    def text(self, tag: str) -> str:
        """Name or Description; empty where it is absent."""
        told = next(self.localised(tag), None)
        return "" if told is None else _bounded(told.get("value", "").strip(), tag)

    def localised(self, tag: str) -> Iterator[Element]:
        """Name or Description in each of its languages."""
        for each in self._parts.get((f"{{{names.RIM}}}{tag}", ""), ()):
            yield from (one for one in each if one.tag == _LOCALIZED)

    def identifier(self, scheme: str, name: str, parse: Callable[[str], T]) -> T:
        """An external identifier that must be there."""
        found = self._parts.get((_IDENTIFIER, scheme), ())
        return _parsed(next((one.get("value", "") for one in found), "").strip(), name, parse)

    def code(self, scheme: str, name: str) -> Code:
        """A coded attribute that must be there; the first where it is told more than once."""
        found = next(self.codes(scheme), None)
        if found is None:
            raise InvalidValue(f"{name} is missing")
        return found

    def codes(self, scheme: str) -> Iterator[Code]:
        """Every value of a coded attribute."""
        for one in self.classifications(scheme):
            code = _bounded(one.element.get("nodeRepresentation", "").strip(), "a code")
            coding_scheme = read_system(one.value("codingScheme"))
            if code:
                yield Code(code=code, scheme=coding_scheme, display=one.text("Name"))

    def authors(self, scheme: str) -> list[Author]:
        """All authors; an empty one where there is none."""
        told = self.classifications(scheme)
        if len(told) > AUTHORS_MAX:
            raise InvalidValue(f"there are more than {AUTHORS_MAX} authors")
        return [_author(one) for one in told] or [Author(person=Person(number=""))]

    def is_a(self, node: str) -> bool:
        """Whether it is classified so."""
        classified = self.element.iterchildren(_CLASSIFICATION)
        return any(one.get("classificationNode") == node for one in classified)

    def classifications(self, scheme: str) -> list["Described"]:
        """What classifies it by a scheme."""
        known = self._classified.get(scheme)
        if known is None:
            found = _few(self._parts.get((_CLASSIFICATION, scheme), []), "Classification")
            known = self._classified[scheme] = [Described(one) for one in found]
        return known


def listed(slot: Element) -> list[str]:
    """The values of a slot."""
    # Not by `iterchildren`, whose filters cost more than these few elements.
    found = [
        (one.text or "").strip()
        for each in slot
        if each.tag == _VALUE_LIST
        for one in each
        if one.tag == _VALUE
    ]
    for value in found:
        if len(value) > VALUE_LENGTH_MAX:
            name = _SLOT_NAME.fullmatch(slot.get("name", ""))
            # Else unquoted: a sender may have put anything there.
            _bounded(value, name[0] if name else "a value")
    return _few(found, "Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedDocument:
    """One document of a request."""

    submission: Submission
    """Without the document itself, which lies elsewhere; hash and size may not be told (ITI-41
    leaves them to the repository)."""
    uri: str
    """Where it lies, from the folder of the metadata; empty where it is part of the message."""


def read_submit_objects(root: Element, *, mime_types: frozenset[str]) -> list[SubmittedDocument]:
    """The documents of these media types that are submitted, in their order.

    Others, such as the signature of a submission set, are passed over.

    Raises:
        InvalidValue: there is no submission set, or an attribute is missing or malformed.
    """
    objects = find_objects(root)
    package = find_submission_set(objects)
    found = [
        one
        for one in of_kind(objects, "ExtrinsicObject")
        if one.element.get("mimeType", "").strip() in mime_types
    ]
    if len(found) > DOCUMENTS_MAX:
        raise InvalidValue(f"the metadata describes more than {DOCUMENTS_MAX} documents")
    told = read_submission_set(package)
    return [_submitted(told, one) for one in found]


def _submitted(told: SubmissionSet, document: Described) -> SubmittedDocument:
    entry = read_entry(document)
    if told.patient != entry.patient:
        raise InvalidValue("the submission set is of another patient than its document")
    submission = Submission(
        submission_id=told.unique_id,
        source_id=told.source_id,
        submitted_at=told.submitted_at,
        content_type=told.content_type,
        entry=replace(entry, entry_id=""),
        document=b"",
    )
    return SubmittedDocument(submission=submission, uri=document.value("URI"))


def read_submission_set(package: Described) -> SubmissionSet:
    """The submission set that a package is; its id is the package's own.

    Raises:
        InvalidValue: an attribute is missing or malformed.
    """
    author = package.authors(names.SET_AUTHOR)[0]
    return SubmissionSet(
        unique_id=package.identifier(names.SET_UNIQUE_ID, "uniqueId", Uid),
        source_id=package.identifier(names.SET_SOURCE_ID, "sourceId", Oid),
        patient=_patient(package, names.SET_PATIENT_ID),
        submitted_at=package.parsed("submissionTime", values.read_moment),
        content_type=package.code(names.SET_CONTENT_TYPE, "contentTypeCode"),
        author=author.person,
        author_organisation=author.organisation,
        title=package.text("Name"),
        comments=package.text("Description"),
        set_id=package.name,
    )


def _author(told: Described) -> Author:
    structures = map(values.read_organisation, told.values("authorInstitution"))
    return Author(
        person=values.read_person(told.value("authorPerson")),
        organisations=tuple(one for one in structures if one.number or one.name),
        roles=tuple(one for one in told.values("authorRole") if one),
        specialities=tuple(one for one in told.values("authorSpecialty") if one),
    )


def _patient(told: Described, scheme: str) -> Ins:
    text = told.identifier(scheme, "patientId", str)
    try:
        return values.read_patient(text)
    except InvalidValue as error:
        # Nobody else is known here: the index keeps records by national identity.
        raise xds_refusal(f"patientId is {error}", XdsError.UNKNOWN_PATIENT) from None


def read_entry(told: Described) -> DocumentEntry:
    """The entry that an object describes; its id is the object's own.

    Raises:
        InvalidValue: an attribute is missing or malformed.
    """
    authors = told.authors(names.AUTHOR)
    signed_by = told.value("legalAuthenticator")
    local = told.value("sourcePatientId")
    references = map(values.read_reference, told.values(names.REFERENCE_ID_LIST))
    return DocumentEntry(
        unique_id=told.identifier(names.UNIQUE_ID, "uniqueId", Uid),
        patient=_patient(told, names.PATIENT_ID),
        local_patient=values.read_local_patient(local) if local else Identifier(value=""),
        traits=values.read_traits(told.values("sourcePatientInfo")),
        class_code=told.code(names.CLASS_CODE, "classCode"),
        type_code=told.code(names.TYPE_CODE, "typeCode"),
        format_code=told.code(names.FORMAT_CODE, "formatCode"),
        mime_type=_parsed(told.element.get("mimeType", "").strip(), "mimeType", checked_media_type),
        confidentiality=tuple(told.codes(names.CONFIDENTIALITY_CODE)),
        facility=told.code(names.FACILITY_CODE, "healthcareFacilityTypeCode"),
        practice_setting=told.code(names.PRACTICE_SETTING_CODE, "practiceSettingCode"),
        event_codes=tuple(told.codes(names.EVENT_CODE)),
        reference_ids=tuple(one for one in references if one is not None),
        created_at=told.parsed("creationTime", values.read_moment),
        service_start=_moment(told, "serviceStartTime"),
        service_stop=_moment(told, "serviceStopTime"),
        language=told.value("languageCode"),
        title=told.text("Name"),
        comments=told.text("Description"),
        author=authors[0].person,
        author_organisation=authors[0].organisation,
        authors=authors_in_full(authors),
        legal_authenticator=values.read_person(signed_by) if signed_by else None,
        sha1=told.parsed("hash", _sha1) if told.value("hash") else "",
        size_bytes=told.parsed("size", _size) if told.value("size") else SIZE_NOT_TOLD,
        entry_id=told.name,
    )


def find_objects(root: Element) -> list[Described]:
    """The registry objects, whatever their list is wrapped in, each with what classifies it.

    A classification may stand in what it classifies or beside it (ebRIM 3.0 §4.3); all are within
    then, but those of objects that the list does not hold, and of each other.

    Raises:
        InvalidValue: there is none, or a further one that would be lost.
    """
    lists = list(root.iter(f"{{{names.RIM}}}RegistryObjectList"))
    if len(lists) != 1:
        raise InvalidValue("the metadata holds no list of registry objects, or more than one")
    [objects] = lists
    beside = [one for one in objects if one.tag == _CLASSIFICATION]
    by_id = {one.get("id"): one for one in objects if one.tag != _CLASSIFICATION}
    for one in beside:
        classified = by_id.get(one.get("classifiedObject"))
        if classified is not None and classified.get("id"):
            classified.append(one)
    return [Described(one) for one in objects]


def of_kind(objects: Iterable[Described], tag: str) -> list[Described]:
    """Those of the objects that are of one kind of ebRIM's."""
    return [one for one in objects if one.element.tag == f"{{{names.RIM}}}{tag}"]


def find_submission_set(objects: Iterable[Described]) -> Described:
    """The package that is a submission set.

    Raises:
        InvalidValue: there is none, or more than one.
    """
    packages = of_kind(objects, "RegistryPackage")
    sets = [one for one in packages if one.is_a(names.SUBMISSION_SET)]
    if len(sets) != 1:
        raise InvalidValue("the metadata holds not one submission set")
    return sets[0]


def _moment(told: Described, name: str) -> datetime | None:
    return told.parsed(name, values.read_moment) if told.value(name) else None


def _sha1(text: str) -> str:
    if not _SHA1.fullmatch(text):
        raise InvalidValue("not a SHA-1")
    return text.lower()


def _size(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise InvalidValue("not a size")
    return int(text)


def _parsed(text: str, name: str, parse: Callable[[str], T]) -> T:
    if not text:
        raise InvalidValue(f"{name} is missing")
    try:
        return parse(text)
    except InvalidValue as error:
        raise InvalidValue(f"{name} is {error}") from None


def _bounded(text: str, name: str) -> str:
    if len(text) > VALUE_LENGTH_MAX:
        raise InvalidValue(f"{name} is longer than {VALUE_LENGTH_MAX} characters")
    return text


def _few(found: list[T], name: str) -> list[T]:
    if len(found) > VALUES_MAX:
        raise InvalidValue(f"there are more than {VALUES_MAX} of {name}")
    return found
