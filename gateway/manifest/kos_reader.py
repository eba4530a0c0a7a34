"""Reads manifests that are key object documents: French, XDS-I.b and MADO, of any writer."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.errors import InvalidRequest
from gateway.manifest import concepts, values
from gateway.manifest.concepts import content_tree, read_code, read_schemes
from gateway.manifest.data_set import DataSet, holding, read_data_set
from gateway.manifest.image_library import read_library
from gateway.manifest.kos_series import read_series
from gateway.manifest.limits import address
from gateway.manifest.mado_kos import PRIVATE_CREATOR, PRIVATE_DISPLAY_URI
from gateway.manifest.model import Manifest, ManifestPatient, Request
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Code, Identifier, Organisation
from indexer.contract.identifiers import Uid

ITEMS_MAX: Final = 200_000
"""Items of all sequences: a few bytes each in the file, a kilobyte each in memory."""

_PREAMBLE_BYTES = 128
_GROUP_LENGTH_BYTES = 12  # of the element that tells how long group 0002 is, PS3.10 §7.1
_ITEM_TAGS = b"\xff\xfe\xe0\x00", b"\xfe\xff\x00\xe0"  # big and little endian, PS3.5 §7.5
# Deflated is left out: a few kilobytes of it can hold gigabytes.
_ENCODINGS: Final[dict[str, tuple[bool, bool]]] = {  # implicit VR, little endian
    ImplicitVRLittleEndian: (True, True),
    ExplicitVRLittleEndian: (False, True),
    ExplicitVRBigEndian: (False, False),
}
_OTHER_TITLES: Final = frozenset(
    {"113000", "113001", "113002", "113010", "113013", "113021", "113037", "113038", "113039"}
)
"""Titles of CID 7010 (PS3.16) under which a key object document is no manifest, but a selection of
key images or a rejection note. What is not known is read: codes of MADO still change."""


def read_kos(data: bytes) -> Manifest:
    """The manifest in a file (PS3.10).

    Raises:
        InvalidRequest: it is none, is cut off, or is larger than is read.
        InvalidValue: an identifier is none.
        Exception: whatever pydicom's parts raise on bytes that are no data set.
    """
    document = _document(data)
    title = document.first("ConceptNameCodeSequence")
    if document.text("SOPClassUID") != KEY_OBJECTS:
        raise InvalidRequest("no manifest: not a key object selection document")
    if title.text("CodeValue") in _OTHER_TITLES:
        raise InvalidRequest("no manifest: its title is that of a selection or a rejection note")
    # It comes after the evidence, so that its absence also tells of one that is cut off.
    if not (tree := content_tree(document)):
        raise InvalidRequest("no manifest: it has no content")
    schemes = read_schemes(document)
    named = holding(tree, "ConceptNameCodeSequence")
    library = read_library(named, schemes)
    return Manifest(
        identifier=Uid(document.text("SOPInstanceUID")),
        study=Uid(document.text("StudyInstanceUID")),
        patient=_patient(document),
        study_date=values.date(document.text("StudyDate")),
        study_time=values.time(document.text("StudyTime")),
        description=document.text("StudyDescription"),
        study_id=document.text("StudyID"),
        referring_physician=document.text("ReferringPhysicianName"),
        requests=_requests(document),
        acts=tuple(_acts(named, schemes)),
        regions=library.regions,
        series=read_series(document, tree, library, schemes),
        made_at=_made_at(document),
        organisation=_organisation(document.text("InstitutionName")),
        manufacturer=document.text("Manufacturer"),
        display_uri=_display_uri(document),
    )


def _document(data: bytes) -> DataSet:
    """The data set, with all its elements there; sequences are read when they are asked for."""
    if data[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] != b"DICM":
        raise InvalidRequest("no DICOM file: its prefix is missing")
    meta_at = _PREAMBLE_BYTES + 4 + _GROUP_LENGTH_BYTES
    document_at = meta_at + int.from_bytes(data[meta_at - 4 : meta_at], "little")
    meta = read_data_set(data[:document_at], meta_at)
    encoding = _ENCODINGS.get(meta.text("TransferSyntaxUID"))
    if encoding is None:
        raise InvalidRequest("a manifest is not written in this transfer syntax")
    implicit, little_endian = encoding
    if data.count(_ITEM_TAGS[little_endian]) > ITEMS_MAX:
        raise InvalidRequest(f"the manifest has more than {ITEMS_MAX} items")
    return read_data_set(data, document_at, implicit=implicit, little_endian=little_endian)


def _patient(document: DataSet) -> ManifestPatient:
    known = [_patient_id(document)]
    known += [_patient_id(one) for one in document.items("OtherPatientIDsSequence")]
    others = (values.two_names(one) for one in document.texts("OtherPatientNames"))
    return ManifestPatient(
        ids=tuple(dict.fromkeys(one for one in known if one.value)),
        name=values.two_names(document.text("PatientName")),
        other_names=tuple(one for one in others if one),
        birth_date=values.date(document.text("PatientBirthDate")),
        sex=values.sex(document.text("PatientSex")),
        birth_place=document.text("PatientComments"),
    )


def _patient_id(item: DataSet) -> Identifier:
    return _identifier(item, "PatientID", "IssuerOfPatientIDQualifiersSequence")


def _identifier(item: DataSet, keyword: str, issuer: str) -> Identifier:
    designator = item.first(issuer)
    # MADO Rev 1.1 misprints the designator's tag as (0010,0032), and some write what it says.
    oid = designator.text("UniversalEntityID") or designator.text("PatientBirthTime")
    return Identifier(value=item.text(keyword), authority=oid)


def _requests(document: DataSet) -> tuple[Request, ...]:
    """The request items; where there is none, the accession number at the root."""
    told = [_request(one) for one in document.items("ReferencedRequestSequence")] or [
        Request(accession=_accession(document))
    ]
    return tuple(one for one in told if one.accession.value or one.order.value)


def _request(item: DataSet) -> Request:
    number = "PlacerOrderNumberImagingServiceRequest"
    return Request(
        accession=_accession(item),
        order=_identifier(item, number, "OrderPlacerIdentifierSequence"),
    )


def _accession(item: DataSet) -> Identifier:
    return _identifier(item, "AccessionNumber", "IssuerOfAccessionNumberSequence")


def _acts(tree: list[DataSet], schemes: dict[str, str]) -> Iterator[Code]:
    for one in tree:
        if concepts.code_value(one, "ConceptNameCodeSequence") == concepts.PROCEDURE:
            act = read_code(one, "ConceptCodeSequence", schemes)
            if act is not None:
                yield act


def _made_at(document: DataSet) -> datetime | None:
    day, time = document.text("ContentDate"), document.text("ContentTime")
    wall = values.wall_clock(day, time)
    if wall is None:
        return None
    try:
        offset = datetime.strptime(document.text("TimezoneOffsetFromUTC"), "%z").tzinfo
    except ValueError:
        return None
    return wall.replace(tzinfo=offset)


def _organisation(told: str) -> Organisation:
    """Of an XON: the name first, the number tenth; of others the name alone."""
    parts = told.split("^")
    return Organisation(number=parts[9] if len(parts) > 9 else "", name=parts[0])


def _display_uri(document: DataSet) -> str:
    """In the study's item of the evidence as MADO has it, or at the root as CP-2595 has it."""
    evidence = document.items("CurrentRequestedProcedureEvidenceSequence")
    told = (address(uri) for one in (*evidence, document) for uri in _uris(one))
    return next((uri for uri in told if uri), "")


def _uris(item: DataSet) -> Iterator[str]:
    yield item.text("DisplayURI")
    yield item.private(PRIVATE_CREATOR, PRIVATE_DISPLAY_URI)
