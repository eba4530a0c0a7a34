"""Reads XDS metadata: an ebRIM SubmitObjectsRequest (ITI TF-3 §4.2.5), whatever it is wrapped in.

What the gateway cannot do without must be there; the rest may be missing, as it is in what others
write. Refusals name the attribute, never its value.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import chain
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
S = TypeVar("S", bound=Sized)

VALUE_LENGTH_MAX: Final = 1024  # characters of one value
VALUES_MAX: Final = 256
"""Values of one slot, classifications of one kind: an entry has a handful of each."""
DOCUMENTS_MAX: Final = 256

_CLASSIFICATION: Final = f"{{{names.RIM}}}Classification"
_IDENTIFIER: Final = f"{{{names.RIM}}}ExternalIdentifier"
_LOCALIZED: Final = f"{{{names.RIM}}}LocalizedString"
_SLOT: Final = f"{{{names.RIM}}}Slot"
_TEXTS: Final = {f"{{{names.RIM}}}{one}": one for one in ("Name", "Description")}
_VALUE: Final = f"{{{names.RIM}}}Value"
_VALUE_LIST: Final = f"{{{names.RIM}}}ValueList"
_SLOT_NAME = re.compile(r"[$A-Za-z]{1,64}", re.ASCII)
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}", re.ASCII)


class Described:
    """A registry object, or a classification of one, by its slots and classifications.

    All of it is taken out of the XML at once: a submission is asked for the same things again and
    again, and a look into the XML costs more than all that is done with what it finds. What is too
    long, or too many, is refused where it is asked for: there may be anything in what nobody reads.
    """

    __slots__ = ("_classified", "_faults", "_identified", "_slots", "_texts", "element", "name")

    def __init__(self, element: Element) -> None:
        self.element = element
        self.name = element.get("id", "")
        self._slots: dict[str, list[str]] = {}
        self._faults: dict[str, str] = {}
        """Why the values of a slot are refused, by its name."""
        self._classified: dict[str, list[Described]] = {}
        """By scheme."""
        self._identified: dict[str, str] = {}
        """The first value, by scheme."""
        self._texts: dict[str, list[str]] = {}
        """In each of their languages."""
        for one in element:
            tag = one.tag
            if tag == _SLOT:
                self._take_slot(one)
            elif tag == _CLASSIFICATION:
                scheme = one.get("classificationScheme", "")
                self._classified.setdefault(scheme, []).append(Described(one))
            elif tag == _IDENTIFIER:
                scheme = one.get("identificationScheme", "")
                self._identified.setdefault(scheme, one.get("value", ""))
            elif tag in _TEXTS:
                told = [each.get("value", "") for each in one if each.tag == _LOCALIZED]
                self._texts.setdefault(_TEXTS[tag], []).extend(told)

    def _take_slot(self, slot: Element) -> None:
        """Take its values; a sender may spread them over several slots of the same name."""
        name = slot.get("name", "")
        try:
            found = listed(slot)
            values = self._slots.setdefault(name, found)
            if values is not found:
                values += found
                _few(values, name)
        except InvalidValue as fault:
            self._slots.setdefault(name, [])
            self._faults.setdefault(name, str(fault))

    @property
    def slots(self) -> Iterable[str]:
        """The names of its slots."""
        return self._slots

    @property
    def schemes(self) -> Iterable[str]:
        """By what it is classified, and named, from outside; empty for a node."""
        return (*self._classified, *self._identified)

    @property
    def classified(self) -> Iterator[tuple[str, Sequence["Described"]]]:
        """What classifies it, by scheme."""
        for scheme, found in self._classified.items():
            yield scheme, _few(found, "Classification")

    def values(self, name: str) -> Sequence[str]:
        """All values of a slot."""
        if self._faults and name in self._faults:
            raise InvalidValue(self._faults[name])
        return self._slots.get(name, ())

    def value(self, name: str) -> str:
        """The first value of a slot; empty where there is none."""
        found = self.values(name)
        return found[0] if found else ""

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """A slot that must be there."""
        return _parsed(self.value(name), name, parse)

    def parsed_or(self, name: str, parse: Callable[[str], T], *, absent: T) -> T:
        """A slot that may be absent, or empty."""
        text = self.value(name)
        return _parsed(text, name, parse) if text else absent

    def text(self, tag: str) -> str:
        """Name or Description; empty where it is absent."""
        told = self._texts.get(tag)
        return _bounded(told[0].strip(), tag) if told else ""

    def languages(self, tag: str) -> int:
        """In how many languages Name or Description is told."""
        return len(self._texts.get(tag, ()))

    def identifier(self, scheme: str, name: str, parse: Callable[[str], T]) -> T:
        """An external identifier that must be there."""
        return _parsed(self._identified.get(scheme, "").strip(), name, parse)

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
        classified = chain.from_iterable(self._classified.values())
        return any(one.element.get("classificationNode") == node for one in classified)

    def classifications(self, scheme: str) -> Sequence["Described"]:
        """What classifies it by a scheme."""
        found = self._classified.get(scheme, ())
        return _few(found, "Classification")


def listed(slot: Element) -> list[str]:
    """The values of a slot."""
    # Not by `iterchildren`, whose filters cost more than these few elements.
    found = []
    for each in slot:
        if each.tag == _VALUE_LIST:
            for one in each:
                if one.tag == _VALUE:
                    value = (one.text or "").strip()
                    if len(value) > VALUE_LENGTH_MAX:
                        name = _SLOT_NAME.fullmatch(slot.get("name", ""))
                        # Else unquoted: a sender may have put anything there.
                        _bounded(value, name[0] if name else "a value")
                    found.append(value)
    return found if len(found) == 1 else _few(found, "Value")


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
        service_start=told.parsed_or("serviceStartTime", values.read_moment, absent=None),
        service_stop=told.parsed_or("serviceStopTime", values.read_moment, absent=None),
        language=told.value("languageCode"),
        title=told.text("Name"),
        comments=told.text("Description"),
        author=authors[0].person,
        author_organisation=authors[0].organisation,
        authors=authors_in_full(authors),
        legal_authenticator=values.read_person(signed_by) if signed_by else None,
        sha1=told.parsed_or("hash", _sha1, absent=""),
        size_bytes=told.parsed_or("size", _size, absent=SIZE_NOT_TOLD),
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
    named = f"{{{names.RIM}}}{tag}"
    return [one for one in objects if one.element.tag == named]


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


def _few(found: S, name: str) -> S:
    if len(found) > VALUES_MAX:
        raise InvalidValue(f"there are more than {VALUES_MAX} of {name}")
    return found
