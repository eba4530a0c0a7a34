"""Reads XDS metadata: an ebRIM SubmitObjectsRequest (ITI TF-3 §4.2.5), whatever it is wrapped in.

What the gateway cannot do without must be there; the rest may be missing, as it is in what others
write. Refusals name the attribute, never its value.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from indexer.contract.document import (
    Code,
    DocumentEntry,
    Identifier,
    Organisation,
    Person,
    Submission,
)
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Oid, Uid
from indexer.wire import ebrim_vocabulary as names
from indexer.wire import xds_values as values
from indexer.wire.xml import Element

T = TypeVar("T")

VALUE_LENGTH_MAX: Final = 1024  # characters of one value
VALUES_MAX: Final = 256
"""Values of one slot, classifications of one kind: an entry has a handful of each."""
DOCUMENTS_MAX: Final = 256

_NAMESPACES: Final = {"rim": names.RIM}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedDocument:
    """One document of a request."""

    submission: Submission
    """Without the document itself, which lies elsewhere; its hash is empty, and its size 0, where
    they are not told (ITI-41 leaves them to the repository)."""
    uri: str
    """Where it lies, from the folder of the metadata; empty where it is part of the message."""


def read_submit_objects(root: Element, *, mime_types: frozenset[str]) -> list[SubmittedDocument]:
    """The documents of these media types that are submitted, in their order.

    Others, such as the signature of a submission set, are passed over.

    Raises:
        InvalidValue: there is no submission set, or an attribute is missing or malformed.
    """
    objects = next(root.iter(f"{{{names.RIM}}}RegistryObjectList"), None)
    if objects is None:
        raise InvalidValue("the metadata holds no list of registry objects")
    package = _submission_set(objects)
    found = [
        _Described(one)
        for one in objects.iterfind("rim:ExtrinsicObject", _NAMESPACES)
        if one.get("mimeType", "").strip() in mime_types
    ]
    if len(found) > DOCUMENTS_MAX:
        raise InvalidValue(f"the metadata describes more than {DOCUMENTS_MAX} documents")
    replaced = _replaced(objects)
    return [_submitted(package, one, replaced.get(one.name)) for one in found]


def _submitted(
    package: "_Described", document: "_Described", replaces: str | None
) -> SubmittedDocument:
    entry = _entry(document)
    if package.identifier(names.SET_PATIENT_ID, "patientId", values.read_patient) != entry.patient:
        raise InvalidValue("the submission set is of another patient than its document")
    submission = Submission(
        submission_id=package.identifier(names.SET_UNIQUE_ID, "uniqueId", Uid),
        source_id=package.identifier(names.SET_SOURCE_ID, "sourceId", Oid),
        submitted_at=package.parsed("submissionTime", values.read_moment),
        content_type=package.code(names.SET_CONTENT_TYPE, "contentTypeCode"),
        entry=entry,
        document=b"",
        replaces=replaces,
    )
    return SubmittedDocument(submission=submission, uri=document.value("URI"))


def _entry(told: "_Described") -> DocumentEntry:
    person, organisation = told.author(names.AUTHOR)
    signed_by = told.value("legalAuthenticator")
    local = told.value("sourcePatientId")
    references = map(values.read_reference, told.values(names.REFERENCE_ID_LIST))
    return DocumentEntry(
        unique_id=told.identifier(names.UNIQUE_ID, "uniqueId", Uid),
        patient=told.identifier(names.PATIENT_ID, "patientId", values.read_patient),
        local_patient=values.read_local_patient(local) if local else Identifier(value=""),
        traits=values.read_traits(told.values("sourcePatientInfo")),
        class_code=told.code(names.CLASS_CODE, "classCode"),
        type_code=told.code(names.TYPE_CODE, "typeCode"),
        format_code=told.code(names.FORMAT_CODE, "formatCode"),
        mime_type=told.element.get("mimeType", "").strip(),
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
        author=person,
        author_organisation=organisation,
        legal_authenticator=values.read_person(signed_by) if signed_by else None,
        sha1=told.value("hash").lower(),
        size_bytes=told.parsed("size", _size) if told.value("size") else 0,
    )


class _Described:
    """A registry object, or a classification of one, by its slots and classifications."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.name = element.get("id", "")

    def values(self, name: str) -> list[str]:
        """All values of a slot; a sender may spread them over several of the same name."""
        found = [
            _bounded((value.text or "").strip(), name)
            for slot in self.element.iterfind("rim:Slot", _NAMESPACES)
            if slot.get("name") == name
            for value in slot.iterfind("rim:ValueList/rim:Value", _NAMESPACES)
        ]
        return _few(found, name)

    def value(self, name: str) -> str:
        """The first value of a slot; empty where there is none."""
        return next(iter(self.values(name)), "")

    def parsed(self, name: str, parse: Callable[[str], T]) -> T:
        """A slot that must be there."""
        return _parsed(self.value(name), name, parse)

    def text(self, tag: str) -> str:
        """Name or Description; empty where it is absent."""
        path = f"rim:{tag}/rim:LocalizedString"
        found = self.element.find(path, _NAMESPACES)
        return "" if found is None else _bounded(found.get("value", ""), tag)

    def identifier(self, scheme: str, name: str, parse: Callable[[str], T]) -> T:
        """An external identifier that must be there."""
        told = (
            one.get("value", "")
            for one in self.element.iterfind("rim:ExternalIdentifier", _NAMESPACES)
            if one.get("identificationScheme") == scheme
        )
        return _parsed(next(told, "").strip(), name, parse)

    def code(self, scheme: str, name: str) -> Code:
        """A coded attribute that must be there; the first where it is told more than once."""
        found = next(self.codes(scheme), None)
        if found is None:
            raise InvalidValue(f"{name} is missing")
        return found

    def codes(self, scheme: str) -> Iterator[Code]:
        """Every value of a coded attribute."""
        for one in self._classifications(scheme):
            code = _bounded(one.element.get("nodeRepresentation", ""), "nodeRepresentation")
            if code:
                yield Code(code=code, scheme=one.value("codingScheme"), display=one.text("Name"))

    def author(self, scheme: str) -> tuple[Person, Organisation]:
        """The first author, with the first structure told of them; empty where there is none."""
        first = next(iter(self._classifications(scheme)), None)
        if first is None:
            return Person(number=""), Organisation(number="")
        person = values.read_person(first.value("authorPerson"))
        return person, values.read_organisation(first.value("authorInstitution"))

    def is_a(self, node: str) -> bool:
        """Whether it is classified so."""
        classified = self.element.iterfind("rim:Classification", _NAMESPACES)
        return any(one.get("classificationNode") == node for one in classified)

    def _classifications(self, scheme: str) -> list["_Described"]:
        found = [
            _Described(one)
            for one in self.element.iterfind("rim:Classification", _NAMESPACES)
            if one.get("classificationScheme") == scheme
        ]
        return _few(found, "Classification")


def _submission_set(objects: Element) -> _Described:
    """The package that is a submission set: classified inside, or beside it (ebRIM 3.0 §4.3)."""
    packages = [_Described(one) for one in objects.iterfind("rim:RegistryPackage", _NAMESPACES)]
    beside = {
        one.get("classifiedObject")
        for one in objects.iterfind("rim:Classification", _NAMESPACES)
        if one.get("classificationNode") == names.SUBMISSION_SET
    }
    sets = [one for one in packages if one.is_a(names.SUBMISSION_SET) or one.name in beside]
    if len(sets) != 1:
        raise InvalidValue("the metadata holds not one submission set")
    return sets[0]


def _replaced(objects: Element) -> dict[str, str]:
    """What each document replaces: the id of the old entry by that of the new one."""
    return {
        one.get("sourceObject", ""): one.get("targetObject", "").strip().removeprefix(names.UUID)
        for one in objects.iterfind("rim:Association", _NAMESPACES)
        if one.get("associationType") == names.REPLACES
    }


def _moment(told: _Described, name: str) -> datetime | None:
    return told.parsed(name, values.read_moment) if told.value(name) else None


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
