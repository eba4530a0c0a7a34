"""Writes XDS metadata in ebRIM 3.0 (ITI TF-3 §4.2.5): what is submitted, and what is found.

What is submitted is the body of ITI-41 and the METADATA.XML of ITI-32; what is found answers
ITI-18. Elements stand in the order of the schema, and ids within the request are counted, so that
equal submissions give equal bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

from lxml import etree

from indexer.contract.document import (
    SIZE_NOT_TOLD,
    Author,
    Code,
    DocumentEntry,
    EntryStatus,
)
from indexer.contract.document_set import Association, DocumentSet, Relation, SubmissionSet
from indexer.wire import hl7_values as values
from indexer.wire.xds import vocabulary as names
from indexer.wire.xml import Element, clean

_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def submit_objects_request(submitted: DocumentSet, *, uris: Sequence[str] = ()) -> Element:
    """The request that submits documents with their submission set.

    Args:
        submitted: what is submitted; its ids are symbols.
        uris: where each document lies, from the folder of the metadata; none where they travel in
            the same message.
    """
    request = etree.Element(f"{{{names.LCM}}}SubmitObjectsRequest", nsmap=_NAMESPACES)
    objects = etree.SubElement(request, _rim("RegistryObjectList"))
    set_id = submitted.submission_set.set_id
    symbols = [one.entry.entry_id for one in submitted.documents]
    _Package(objects, set_id).write(submitted.submission_set)
    for number, document in enumerate(submitted.documents):
        uri = uris[number] if uris else ""
        _Document(objects, symbols[number]).write(document.entry, URI=uri)
    for symbol in symbols:
        _associate(objects, names.HAS_MEMBER, source=set_id, target=symbol, origin="Original")
    for one in submitted.associations:
        target = one.target if one.target in {set_id, *symbols} else names.UUID + one.target
        origin = "Reference" if one.relation is Relation.MEMBER else ""
        kind = names.ASSOCIATION_TYPES[one.relation]
        _associate(objects, kind, source=one.source, target=target, origin=origin)
    for number, element in enumerate(objects.iterchildren(_rim("Association")), start=1):
        element.set("id", f"Association{number:02}")
    return request


def withdraw_objects_request(told: SubmissionSet, entry_id: str, *, original: str) -> Element:
    """The request that makes an entry Deleted, as the DMP has it (ITI TF-2 §3.57.4.1.3.3).

    Args:
        told: the set that changes it; its id is a symbol.
        original: the status by which the index holds the entry now.
    """
    request = etree.Element(f"{{{names.LCM}}}SubmitObjectsRequest", nsmap=_NAMESPACES)
    objects = etree.SubElement(request, _rim("RegistryObjectList"))
    _Package(objects, told.set_id).write(told)
    target = names.UUID + entry_id
    change = _associate(objects, names.UPDATE_STATUS, source=told.set_id, target=target, origin="")
    change.set("id", "Association01")
    _slot(change, "OriginalStatus", [original])
    _slot(change, "NewStatus", [names.STATUSES[EntryStatus.WITHDRAWN]])
    return request


def add_entry(objects: Element, entry: DocumentEntry, *, repository: str) -> None:
    """An entry as a registry holds it, and which repository holds its document."""
    written = _Document(objects, names.UUID + entry.entry_id)
    written.write(entry, repositoryUniqueId=repository)
    written.hold(names.STATUSES[entry.status])


def add_submission_set(objects: Element, told: SubmissionSet) -> None:
    """A submission set as a registry holds it."""
    written = _Package(objects, names.UUID + told.set_id)
    written.write(told)
    written.hold(names.STATUSES[EntryStatus.APPROVED])


def add_association(objects: Element, one: Association, *, original: bool) -> None:
    """An association as a registry holds it.

    Args:
        original: of a membership, whether the set brought the document itself.
    """
    origin = ("Original" if original else "Reference") if one.relation is Relation.MEMBER else ""
    source, target = names.UUID + one.source, names.UUID + one.target
    kind = names.ASSOCIATION_TYPES[one.relation]
    element = _associate(objects, kind, source=source, target=target, origin=origin)
    element.set("id", names.UUID + one.association_id)
    element.set("objectType", names.ASSOCIATION)
    element.set("status", names.STATUSES[EntryStatus.APPROVED])


def add_reference(objects: Element, object_id: str) -> None:
    """An object by its id alone."""
    etree.SubElement(objects, _rim("ObjectRef"), id=names.UUID + object_id)


class _Object:
    """A registry object that is being written; what describes it has ids within it."""

    def __init__(self, parent: Element, tag: str, name: str) -> None:
        self.element = etree.SubElement(parent, _rim(tag), id=name)
        self._name = name
        self._numbers = count(1)

    def hold(self, status: str) -> None:
        """What a registry adds: its only version names itself (ITI-57 changes a status alone)."""
        self.element.set("lid", self._name)
        self.element.set("status", status)

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

    def author(self, scheme: str, author: Author) -> None:
        """An author and the structures in whose name they act."""
        element = self._classification("classificationScheme", scheme)
        element.set("nodeRepresentation", "")
        structures = map(values.write_organisation, author.organisations)
        _slot(element, "authorInstitution", [one for one in structures if one])
        person = author.person
        named = any((person.number, person.family, person.given))
        _slot(element, "authorPerson", [values.write_person(person)] if named else [])
        _slot(element, "authorRole", author.roles)
        _slot(element, "authorSpecialty", author.specialities)

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

    def write(self, told: SubmissionSet) -> None:
        self.element.set("objectType", names.REGISTRY_PACKAGE)
        _slot(self.element, "submissionTime", [values.write_moment(told.submitted_at)])
        self.texts(told.title, told.comments)
        who = Author(person=told.author, organisations=(told.author_organisation,))
        self.author(names.SET_AUTHOR, who)
        self.code(names.SET_CONTENT_TYPE, told.content_type)
        self.node(names.SUBMISSION_SET)
        for scheme, name, value in (
            (names.SET_PATIENT_ID, "patientId", values.write_patient(told.patient)),
            (names.SET_SOURCE_ID, "sourceId", told.source_id),
            (names.SET_UNIQUE_ID, "uniqueId", told.unique_id),
        ):
            self.identifier(scheme, f"XDSSubmissionSet.{name}", value)


class _Document(_Object):
    """The ExtrinsicObject of a document entry (ITI TF-3 §4.2.3.2)."""

    def __init__(self, parent: Element, name: str) -> None:
        super().__init__(parent, "ExtrinsicObject", name)

    def write(self, entry: DocumentEntry, **more: str) -> None:
        self.element.set("mimeType", clean(entry.mime_type))
        self.element.set("objectType", names.STABLE_DOCUMENT)
        for name, told in _slots(entry):
            _slot(self.element, name, told)
        for name, value in more.items():
            _slot(self.element, name, _told(value))
        self.texts(entry.title, entry.comments)
        for author in entry.every_author:
            self.author(names.AUTHOR, author)
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


def _slots(entry: DocumentEntry) -> Iterator[tuple[str, list[str]]]:
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
    yield "size", [] if entry.size_bytes == SIZE_NOT_TOLD else [str(entry.size_bytes)]
    yield names.REFERENCE_ID_LIST, [values.write_reference(one) for one in entry.reference_ids]


def _associate(objects: Element, kind: str, *, source: str, target: str, origin: str) -> Element:
    element = etree.SubElement(
        objects,
        _rim("Association"),
        associationType=kind,
        sourceObject=source,
        targetObject=target,
    )
    _slot(element, "SubmissionSetStatus", _told(origin))
    return element


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
