"""Writes a submission as XDS metadata: an ebRIM SubmitObjectsRequest (ITI TF-3 §4.2.5).

It is the body of ITI-41 and the METADATA.XML of ITI-32. Elements stand in the order of the schema,
and ids within the request are counted, so that equal submissions give equal bytes.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from lxml import etree

from indexer.contract.document import Code, DocumentEntry, Organisation, Person, Submission
from indexer.wire import ebrim_vocabulary as names
from indexer.wire import xds_values as values
from indexer.wire.xml import Element, clean

_SET: Final = "SubmissionSet01"
_DOCUMENT: Final = "Document01"
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def submit_objects_request(submission: Submission, *, uri: str = "") -> Element:
    """The request that submits one document with its submission set.

    Args:
        uri: where the document lies, from the folder of the metadata; empty where it travels in
            the same message.
    """
    request = etree.Element(f"{{{names.LCM}}}SubmitObjectsRequest", nsmap=_NAMESPACES)
    objects = etree.SubElement(request, _rim("RegistryObjectList"))
    _Package(objects, _SET).write(submission)
    _Document(objects, _DOCUMENT).write(submission.entry, uri)
    member = _associate(objects, names.HAS_MEMBER, source=_SET, target=_DOCUMENT)
    _slot(member, "SubmissionSetStatus", ["Original"])
    if submission.replaces is not None:
        target = f"{names.UUID}{submission.replaces}"
        _associate(objects, names.REPLACES, source=_DOCUMENT, target=target)
    for number, one in enumerate(objects.iterchildren(_rim("Association")), start=1):
        one.set("id", f"Association{number:02}")
    return request


class _Object:
    """A registry object that is being written; what describes it has ids within it."""

    def __init__(self, parent: Element, tag: str, name: str) -> None:
        self.element = etree.SubElement(parent, _rim(tag), id=name)
        self._name = name
        self._numbers = count(1)

    def texts(self, title: str, comments: str) -> None:
        """Name and Description."""
        if title:
            _text(self.element, "Name", title)
        if comments:
            _text(self.element, "Description", comments)

    def code(self, scheme: str, code: Code) -> None:
        """A coded attribute."""
        element = self._classification("classificationScheme", scheme)
        element.set("nodeRepresentation", clean(code.code))
        _slot(element, "codingScheme", [code.scheme])
        if code.display:
            _text(element, "Name", code.display)

    def author(self, scheme: str, person: Person, organisation: Organisation) -> None:
        """The author and the structure in whose name they act."""
        element = self._classification("classificationScheme", scheme)
        element.set("nodeRepresentation", "")
        _slot(element, "authorInstitution", _told(values.write_organisation(organisation)))
        named = any((person.number, person.family, person.given))
        _slot(element, "authorPerson", [values.write_person(person)] if named else [])

    def node(self, node: str) -> None:
        """What kind of package it is."""
        self._classification("classificationNode", node)

    def identifier(self, scheme: str, name: str, value: str) -> None:
        """An external identifier."""
        element = etree.SubElement(
            self.element,
            _rim("ExternalIdentifier"),
            id=self._id("Identifier"),
            registryObject=self._name,
            identificationScheme=scheme,
            value=clean(value),
        )
        _text(element, "Name", name)

    def _classification(self, by: str, uuid: str) -> Element:
        element = etree.SubElement(
            self.element,
            _rim("Classification"),
            id=self._id("Classification"),
            classifiedObject=self._name,
        )
        element.set(by, uuid)
        return element

    def _id(self, kind: str) -> str:
        return f"{self._name}.{kind}{next(self._numbers):02}"


class _Package(_Object):
    """The RegistryPackage of a submission set (ITI TF-3 §4.2.3.3)."""

    def __init__(self, parent: Element, name: str) -> None:
        super().__init__(parent, "RegistryPackage", name)

    def write(self, submission: Submission) -> None:
        entry = submission.entry
        _slot(self.element, "submissionTime", [values.write_moment(submission.submitted_at)])
        self.author(names.SET_AUTHOR, entry.author, entry.author_organisation)
        self.code(names.SET_CONTENT_TYPE, submission.content_type)
        self.node(names.SUBMISSION_SET)
        for scheme, name, value in (
            (names.SET_PATIENT_ID, "patientId", values.write_patient(entry.patient)),
            (names.SET_SOURCE_ID, "sourceId", submission.source_id),
            (names.SET_UNIQUE_ID, "uniqueId", submission.submission_id),
        ):
            self.identifier(scheme, f"XDSSubmissionSet.{name}", value)


class _Document(_Object):
    """The ExtrinsicObject of a document entry (ITI TF-3 §4.2.3.2)."""

    def __init__(self, parent: Element, name: str) -> None:
        super().__init__(parent, "ExtrinsicObject", name)

    def write(self, entry: DocumentEntry, uri: str) -> None:
        self.element.set("mimeType", clean(entry.mime_type))
        self.element.set("objectType", names.STABLE_DOCUMENT)
        for name, told in _slots(entry, uri):
            _slot(self.element, name, told)
        self.texts(entry.title, entry.comments)
        self.author(names.AUTHOR, entry.author, entry.author_organisation)
        for scheme, codes in (
            (names.CLASS_CODE, (entry.class_code,)),
            (names.CONFIDENTIALITY_CODE, entry.confidentiality),
            (names.EVENT_CODE, entry.event_codes),
            (names.FORMAT_CODE, (entry.format_code,)),
            (names.FACILITY_CODE, (entry.facility,)),
            (names.PRACTICE_SETTING_CODE, (entry.practice_setting,)),
            (names.TYPE_CODE, (entry.type_code,)),
        ):
            for code in codes:
                self.code(scheme, code)
        patient = values.write_patient(entry.patient)
        self.identifier(names.PATIENT_ID, "XDSDocumentEntry.patientId", patient)
        self.identifier(names.UNIQUE_ID, "XDSDocumentEntry.uniqueId", entry.unique_id)


def _slots(entry: DocumentEntry, uri: str) -> Iterator[tuple[str, list[str]]]:
    times = {
        "creationTime": entry.created_at,
        "serviceStartTime": entry.service_start,
        "serviceStopTime": entry.service_stop,
    }
    for name, moment in times.items():
        yield name, [] if moment is None else [values.write_moment(moment)]
    signed_by = entry.legal_authenticator
    yield "languageCode", _told(entry.language)
    yield "legalAuthenticator", [] if signed_by is None else [values.write_person(signed_by)]
    local = entry.local_patient
    yield "sourcePatientId", [values.write_local_patient(local)] if local.value else []
    yield "sourcePatientInfo", values.write_traits(entry.traits)
    yield "hash", _told(entry.sha1)
    yield "size", [str(entry.size_bytes)]
    yield names.REFERENCE_ID_LIST, [values.write_reference(one) for one in entry.reference_ids]
    yield "URI", _told(uri)


def _associate(objects: Element, kind: str, *, source: str, target: str) -> Element:
    return etree.SubElement(
        objects,
        _rim("Association"),
        associationType=kind,
        sourceObject=source,
        targetObject=target,
    )


def _slot(parent: Element, name: str, told: Iterable[str]) -> None:
    """One slot; none where there is nothing to tell."""
    told = list(told)
    if not told:
        return
    slot = etree.SubElement(parent, _rim("Slot"), name=name)
    listed = etree.SubElement(slot, _rim("ValueList"))
    for value in told:
        etree.SubElement(listed, _rim("Value")).text = clean(value)


def _text(parent: Element, tag: str, text: str) -> None:
    element = etree.SubElement(parent, _rim(tag))
    localized = etree.SubElement(element, _rim("LocalizedString"), value=clean(text))
    localized.set("charset", "UTF-8")
    localized.set(_XML_LANG, "fr-FR")


def _told(text: str) -> list[str]:
    return [text] if text else []


def _rim(tag: str) -> str:
    return f"{{{names.RIM}}}{tag}"


_NAMESPACES: Final = {"lcm": names.LCM, "rim": names.RIM}
