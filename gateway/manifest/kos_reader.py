"""Reads manifests that are key object documents: French, XDS-I.b and MADO, of any writer."""

import io
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.errors import InvalidRequest
from gateway.manifest import concepts, values
from gateway.manifest.concepts import content_tree, read_code, read_schemes
from gateway.manifest.elements import first, items, text, texts
from gateway.manifest.image_library import read_library
from gateway.manifest.kos_series import read_series
from gateway.manifest.limits import address
from gateway.manifest.mado_kos import PRIVATE_CREATOR
from gateway.manifest.model import Manifest, ManifestPatient, Request
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Code, Identifier, Organisation
from indexer.contract.identifiers import Uid

ITEMS_MAX: Final = 200_000
"""Items of all sequences: a few bytes each in the file, a kilobyte each in memory."""

_PREAMBLE_BYTES = 128
_UNDEFINED_LENGTH = 0xFFFFFFFF
_DISPLAY_URI = 0x0040E012  # not in pydicom's dictionary
_ITEM_TAGS = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"  # little and big endian, PS3.5 §7.5
# Deflated is left out: a few kilobytes of it can hold gigabytes.
_ENCODINGS: Final = {  # implicit VR, little endian
    ImplicitVRLittleEndian: (True, True),
    ExplicitVRLittleEndian: (False, True),
    ExplicitVRBigEndian: (False, False),
}
_OTHER_TITLES: Final = frozenset(
    {"113000", "113001", "113002", "113010", "113013", "113021", "113037", "113038", "113039"}
)
"""Titles of CID 7010 (PS3.16) under which a key object document is no manifest, but a selection of
key images or a rejection note. What is not known is read: codes of MADO still change."""

_READ: Final[list[BaseTag | int]] = [
    Tag(keyword)
    for keyword in (
        "SOPClassUID", "SOPInstanceUID", "StudyDate", "ContentDate", "StudyTime", "ContentTime",
        "Manufacturer", "InstitutionName", "ReferringPhysicianName",
        "CodingSchemeIdentificationSequence", "TimezoneOffsetFromUTC", "StudyDescription",
        "RetrieveURL", "PatientName", "PatientID", "IssuerOfPatientIDQualifiersSequence",
        "PatientBirthDate", "PatientSex", "OtherPatientIDsSequence", "OtherPatientNames",
        "PatientComments", "StudyInstanceUID", "StudyID", "AccessionNumber",
        "IssuerOfAccessionNumberSequence", "ConceptNameCodeSequence", "TextValue",
        "ReferencedRequestSequence", "CurrentRequestedProcedureEvidenceSequence",
        "ContentSequence", _DISPLAY_URI,
    )
]  # fmt: skip
"""What is kept at the root, so that a million other elements cost nothing."""


def read_kos(data: bytes) -> Manifest:
    """The manifest in a file (PS3.10).

    Raises:
        InvalidRequest: it is none, is cut off, or is larger than is read.
        InvalidValue: an identifier is none.
        Exception: whatever pydicom's parts raise on bytes that are no data set.
    """
    document = _document(data)
    title = first(document, "ConceptNameCodeSequence") or Dataset()
    if text(document, "SOPClassUID") != KEY_OBJECTS:
        raise InvalidRequest("no manifest: not a key object selection document")
    if text(title, "CodeValue") in _OTHER_TITLES:
        raise InvalidRequest("no manifest: its title is that of a selection or a rejection note")
    # It comes after the evidence, so that its absence also tells of one that is cut off.
    if not content_tree(document):
        raise InvalidRequest("no manifest: it has no content")
    schemes = read_schemes(document)
    library = read_library(document, schemes)
    return Manifest(
        identifier=Uid(text(document, "SOPInstanceUID")),
        study=Uid(text(document, "StudyInstanceUID")),
        patient=_patient(document),
        study_date=values.date(text(document, "StudyDate")),
        study_time=values.time(text(document, "StudyTime")),
        description=text(document, "StudyDescription"),
        study_id=text(document, "StudyID"),
        referring_physician=text(document, "ReferringPhysicianName"),
        requests=_requests(document),
        acts=tuple(_acts(document, schemes)),
        regions=library.regions,
        series=read_series(document, library, schemes),
        made_at=_made_at(document),
        organisation=_organisation(text(document, "InstitutionName")),
        manufacturer=text(document, "Manufacturer"),
        display_uri=_display_uri(document),
    )


def _document(data: bytes) -> Dataset:
    """The data set, with all its elements there; sequences are parsed when they are asked for."""
    if data[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] != b"DICM":
        raise InvalidRequest("no DICOM file: its prefix is missing")
    if sum(data.count(tag) for tag in _ITEM_TAGS) > ITEMS_MAX:
        raise InvalidRequest(f"the manifest has more than {ITEMS_MAX} items")
    file = io.BytesIO(data)
    file.seek(_PREAMBLE_BYTES + 4)
    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    encoding = _ENCODINGS.get(meta.get("TransferSyntaxUID"))
    if encoding is None:
        raise InvalidRequest("a manifest is not written in this transfer syntax")
    document = read_dataset(file, *encoding, specific_tags=_READ)
    if any(_cut_off(element) for element in document.elements()):
        raise InvalidRequest("the manifest is cut off")
    return document


def _cut_off(element: DataElement | RawDataElement) -> bool:
    """Whether the file ended within the element, which pydicom takes without a word."""
    if not isinstance(element, RawDataElement) or element.length == _UNDEFINED_LENGTH:
        return False
    return len(element.value or b"") < element.length


def _patient(document: Dataset) -> ManifestPatient:
    known = [_patient_id(document)]
    known += [_patient_id(one) for one in items(document, "OtherPatientIDsSequence")]
    others = (values.two_names(one) for one in texts(document, "OtherPatientNames"))
    return ManifestPatient(
        ids=tuple(dict.fromkeys(one for one in known if one.value)),
        name=values.two_names(text(document, "PatientName")),
        other_names=tuple(one for one in others if one),
        birth_date=values.date(text(document, "PatientBirthDate")),
        sex=values.sex(text(document, "PatientSex")),
        birth_place=text(document, "PatientComments"),
    )


def _patient_id(item: Dataset) -> Identifier:
    return _identifier(item, "PatientID", "IssuerOfPatientIDQualifiersSequence")


def _identifier(item: Dataset, keyword: str, issuer: str) -> Identifier:
    designator = first(item, issuer) or Dataset()
    # MADO Rev 1.1 misprints the designator's tag as (0010,0032), and some write what it says.
    oid = text(designator, "UniversalEntityID") or text(designator, "PatientBirthTime")
    return Identifier(value=text(item, keyword), authority=oid)


def _requests(document: Dataset) -> tuple[Request, ...]:
    """The request items; where there is none, the accession number at the root."""
    told = [_request(one) for one in items(document, "ReferencedRequestSequence")] or [
        Request(accession=_accession(document))
    ]
    return tuple(one for one in told if one.accession.value or one.order.value)


def _request(item: Dataset) -> Request:
    number = "PlacerOrderNumberImagingServiceRequest"
    return Request(
        accession=_accession(item),
        order=_identifier(item, number, "OrderPlacerIdentifierSequence"),
    )


def _accession(item: Dataset) -> Identifier:
    return _identifier(item, "AccessionNumber", "IssuerOfAccessionNumberSequence")


def _acts(document: Dataset, schemes: dict[str, str]) -> Iterator[Code]:
    for one in content_tree(document):
        if concepts.code_value(one, "ConceptNameCodeSequence") == concepts.PROCEDURE:
            act = read_code(one, "ConceptCodeSequence", schemes)
            if act is not None:
                yield act


def _made_at(document: Dataset) -> datetime | None:
    day, time = text(document, "ContentDate"), text(document, "ContentTime")
    wall = values.wall_clock(day, time)
    if wall is None:
        return None
    try:
        offset = datetime.strptime(text(document, "TimezoneOffsetFromUTC"), "%z").tzinfo
    except ValueError:
        return None
    return wall.replace(tzinfo=offset)


def _organisation(told: str) -> Organisation:
    """Of an XON: the name first, the number tenth; of others the name alone."""
    parts = told.split("^")
    return Organisation(number=parts[9] if len(parts) > 9 else "", name=parts[0])


def _display_uri(document: Dataset) -> str:
    """In the study's item of the evidence as MADO has it, or at the root as CP-2595 has it."""
    evidence = items(document, "CurrentRequestedProcedureEvidenceSequence")
    told = (address(uri) for one in (*evidence, document) for uri in _uris(one))
    return next((uri for uri in told if uri), "")


def _uris(item: Dataset) -> Iterator[str]:
    found = [item[_DISPLAY_URI].value] if _DISPLAY_URI in item else []
    with suppress(KeyError):
        found.append(item.private_block(0x000D, PRIVATE_CREATOR)[0x01].value)
    for uri in found:  # bytes where neither the file nor the dictionary knows the VR
        yield (uri.decode("ascii", "replace") if isinstance(uri, bytes) else str(uri)).strip(" \0")
