"""Reads from an instance's file what the catalogue keeps of it; the pixels are not touched."""

import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, cast

import orjson
from pydicom import Dataset, config
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import VR

from gateway.catalogue.key_objects import read_selected
from gateway.catalogue.metered import MeteredFile
from gateway.catalogue.quick_header import ITEMS_MAX, QuickHeader
from gateway.errors import InvalidRequest
from gateway.model.image import NOBODY, ImageDescription, ImagePatient
from gateway.model.sop_classes import KEY_OBJECTS, REJECTION_TITLES
from indexer.contract.document import Identifier
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

# Values that break their VR reach us from old modalities. They are passed on as they are, and a
# warning would quote them in the log.
config.settings.reading_validation_mode = config.IGNORE

INFLATED_BYTES_MAX: Final = 32 * 2**20
"""How much of a deflated data set is inflated to find its header: a few kilobytes can hold
gigabytes."""

_PREFIX_BYTES: Final = 128 + 4 + 12  # preamble, "DICM" and the group length element (PS3.10 §7.1)
_META_GROUP: Final = b"\2\0"
_PIXELS: Final = range(0x7FE00008, 0x7FE00011)  # elements that hold pixels
_PIXEL_HEAD_BYTES: Final = 12  # their tag, VR and length

# The web forbids these (PS3.18 §8.7.3.5.2), so they leave in another transfer syntax. One that is
# cut short cannot, and would keep its whole study from being given: its sender must know.
_WRITTEN_ANEW: Final = frozenset((ImplicitVRLittleEndian, ExplicitVRBigEndian))

TEXT_LENGTH_MAX: Final = 1024
"""Characters kept of one text; the longest VR read here holds 64 a value."""

_TEXTS: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID",
    "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDate", "StudyTime",
    "StudyDescription", "StudyID", "ReferringPhysicianName", "Modality", "SeriesNumber",
    "SeriesDescription", "InstanceNumber", "NumberOfFrames", "Rows", "Columns", "BitsAllocated",
)  # fmt: skip
_MORE: Final = (
    "TimezoneOffsetFromUTC", "IssuerOfPatientID", "SeriesDate", "SeriesTime", "BodyPartExamined",
    "Laterality", "InstitutionName", "StationName", "Manufacturer", "ManufacturerModelName",
    "ProtocolName", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
    "ContentDate", "ContentTime", "AcquisitionDateTime",
)  # fmt: skip
_ITEMS: Final = {
    "OtherPatientIDsSequence": ("PatientID", "IssuerOfPatientID", "TypeOfPatientID"),
    "RequestAttributesSequence": (
        "ScheduledProcedureStepID", "RequestedProcedureID", "AccessionNumber", "StudyInstanceUID",
        "RequestedProcedureDescription", "ScheduledProcedureStepDescription",
    ),
}  # fmt: skip
"""Of each item of a sequence what is told of it."""
_PATIENT_ISSUER: Final = "IssuerOfPatientIDQualifiersSequence"
_ACCESSION_ISSUER: Final = "IssuerOfAccessionNumberSequence"
_TITLE: Final = "ConceptNameCodeSequence"
_READ: Final = [
    *_TEXTS, *_MORE, *_ITEMS, "SpecificCharacterSet", _PATIENT_ISSUER, _ACCESSION_ISSUER, _TITLE,
]  # fmt: skip
_QUICK: Final = QuickHeader(
    (*_TEXTS, *_MORE),
    _ITEMS,
    (_PATIENT_ISSUER, _ACCESSION_ISSUER, _TITLE),
    length_max=TEXT_LENGTH_MAX,
)
_META_SYNTAX: Final = re.compile(rb"\x02\x00\x10\x00UI..([0-9.]{1,64})", re.DOTALL)
_OF_OTHER_ENCODING: Final = frozenset(
    (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
)
QUICK_BYTES: Final = 32 * 1024
"""In which most headers are whole."""
_SELECTED: Final = ["SpecificCharacterSet", "ContentSequence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an instance tells of itself."""

    study: Uid
    image: ImageDescription


def read_header(path: Path) -> Header:
    """The header of a Part 10 file.

    Raises:
        InvalidRequest: it cannot be read or is cut short, or a UID that names it is absent or none.
    """
    return _read_header(lambda: path.open("rb"))


def header_in(pieces: Sequence[memoryview]) -> Header:
    """The same, of a file in memory."""
    return _read_header(lambda: BytesIO(b"".join(pieces)))


def quick_header_in(pieces: Sequence[memoryview]) -> Header | None:
    """The same in hardly any time, if it is ordinary; None if `header_in` must be asked."""
    start = _start(pieces)
    try:
        told = _texts_quickly(start)
        if told is None or told.get("SOPClassUID") == KEY_OBJECTS:
            return None
        return Header(
            study=_uid("StudyInstanceUID", told["StudyInstanceUID"]), image=describe(told)
        )
    except (InvalidValue, KeyError):
        return None


def _start(pieces: Sequence[memoryview]) -> bytes:
    start = bytearray()
    for piece in pieces:
        start += piece[: QUICK_BYTES - len(start)]
        if len(start) == QUICK_BYTES:
            break
    return bytes(start)


def _read_header(open_file: Callable[[], BinaryIO]) -> Header:
    try:
        with open_file() as file:
            told = _texts_quickly(file.read(QUICK_BYTES))
        if told is None:
            told = read_texts(_read(open_file, _READ))
        study = _uid("StudyInstanceUID", told.get("StudyInstanceUID", ""))  # told first
        return Header(study=study, image=_with_selected(describe(told), open_file))
    except InvalidRequest:
        raise
    except InvalidValue as error:
        raise InvalidRequest(f"the instance's {error}") from None
    except Exception as error:  # pydicom raises whatever its parts raise on bytes that are none
        # Also an OSError of its own making, which has no number: that one is not the disk's.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InvalidRequest("the data set cannot be read") from None


def _with_selected(image: ImageDescription, open_file: Callable[[], BinaryIO]) -> ImageDescription:
    """The image, with what it selects if it is a key object document."""
    if image.sop_class != KEY_OBJECTS or image.title_code in REJECTION_TITLES:
        return image
    try:
        found = read_selected(_read(open_file, _SELECTED))
    except Exception:  # whatever is wrong with its content: its header is whole
        return image
    return replace(image, key_text=found.text, selected=found.instances)


def _texts_quickly(start: bytes) -> Mapping[str, str] | None:
    """The texts of an ordinary file, by its first bytes; None of any other."""
    data_set_at = _PREFIX_BYTES + int.from_bytes(start[_PREFIX_BYTES - 4 : _PREFIX_BYTES], "little")
    syntax = _META_SYNTAX.search(start, _PREFIX_BYTES, data_set_at)
    if syntax is None or syntax[1].decode("ascii") in _OF_OTHER_ENCODING:
        return None
    return _QUICK.read(start[data_set_at:])


def _read(open_file: Callable[[], BinaryIO], keywords: Iterable[str]) -> Dataset:
    with open_file() as file:
        syntax = _transfer_syntax(file)
        is_deflated = syntax == DeflatedExplicitVRLittleEndian
        ds = read_dataset(
            cast(BinaryIO, MeteredFile(_inflated(file) if is_deflated else file)),
            is_implicit_VR=syntax == ImplicitVRLittleEndian,
            is_little_endian=syntax != ExplicitVRBigEndian,
            stop_when=lambda tag, _vr, _length: tag in _PIXELS,
            specific_tags=[Tag(keyword) for keyword in keywords],
        )
        if syntax in _WRITTEN_ANEW and _is_cut_short(file, ds):
            raise InvalidRequest("the data set is cut short")
    return ds


def _transfer_syntax(file: BinaryIO) -> str:
    """That of group 0002, after which the file is left; what a peer sent begins there."""
    prefix = file.read(_PREFIX_BYTES)
    group = file.read(int.from_bytes(prefix[-4:], "little"))
    meta = read_dataset(BytesIO(group), is_implicit_VR=False, is_little_endian=True)
    data_set_at = file.tell()
    if file.read(2) == _META_GROUP:  # whoever reads the file would take it for ours
        raise InvalidRequest("the data set begins with file meta information")
    file.seek(data_set_at)
    return str(meta.TransferSyntaxUID)


def _is_cut_short(file: BinaryIO, ds: Dataset) -> bool:
    """Whether the last element that was read, or the pixels after it, run past the file's end."""
    ends_at = file.tell()
    implicit, little_endian = ds.original_encoding
    head = file.read(_PIXEL_HEAD_BYTES)
    if len(head) == _PIXEL_HEAD_BYTES:
        length = head[4:8] if implicit else head[8:12]  # PS3.5 §7.1.2, §7.1.3
        ends_at += 8 if implicit else _PIXEL_HEAD_BYTES
        ends_at += int.from_bytes(length, "little" if little_endian else "big")
    return ends_at > file.seek(0, os.SEEK_END)


def _inflated(file: BinaryIO) -> BinaryIO:
    """The start of a deflated data set (PS3.5 §A.5); pydicom would inflate all of it at once."""
    deflated = file.read(INFLATED_BYTES_MAX)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    return BytesIO(inflater.decompress(deflated, INFLATED_BYTES_MAX))


def read_texts(ds: Dataset) -> dict[str, str]:
    """What a data set tells, by keyword and in its own character set; what it leaves out is absent.

    A sequence that names an issuer gives its OID, and one that names a concept its code; of others
    the items are told as JSON.
    """
    told = {keyword: text(ds, keyword) for keyword in (*_TEXTS, *_MORE)}
    told |= {sequence: _items_text(ds, sequence) for sequence in _ITEMS}
    told |= {keyword: _issuer(ds, keyword) for keyword in (_PATIENT_ISSUER, _ACCESSION_ISSUER)}
    told[_TITLE] = _title_code(ds)
    return {keyword: value for keyword, value in told.items() if value}


def describe(
    told: Mapping[str, str], *, patient_issuer: str = "", accession_issuer: str = ""
) -> ImageDescription:
    """One instance, from the texts told of it; both issuers hold where they name none.

    Raises:
        InvalidValue: a UID that names the instance is absent or is none.
    """

    def of(keyword: str) -> str:
        return told.get(keyword, "")

    return ImageDescription(
        series=_uid("SeriesInstanceUID", of("SeriesInstanceUID")),
        instance=_uid("SOPInstanceUID", of("SOPInstanceUID")),
        sop_class=_uid("SOPClassUID", of("SOPClassUID")),
        patient=ImagePatient(
            local_id=_identifier(of("PatientID"), of(_PATIENT_ISSUER) or patient_issuer),
            name=of("PatientName"),
            birth_date=of("PatientBirthDate"),
            sex=of("PatientSex"),
        ),
        accession=_identifier(of("AccessionNumber"), of(_ACCESSION_ISSUER) or accession_issuer),
        study_date=of("StudyDate"),
        study_time=of("StudyTime"),
        study_description=of("StudyDescription"),
        study_id=of("StudyID"),
        referring_physician=of("ReferringPhysicianName"),
        modality=of("Modality"),
        series_number=of("SeriesNumber"),
        series_description=of("SeriesDescription"),
        instance_number=of("InstanceNumber"),
        frames=_number(of("NumberOfFrames")),
        rows=_number(of("Rows")),
        columns=_number(of("Columns")),
        bits_allocated=_number(of("BitsAllocated")),
        title_code=of(_TITLE) if of("SOPClassUID") == KEY_OBJECTS else "",
        more={keyword: told[keyword] for keyword in (*_MORE, *_ITEMS) if keyword in told},
    )


def uid(ds: Dataset, keyword: str) -> Uid:
    """An element that names something.

    Raises:
        InvalidValue: it is absent, empty or no UID; says which element, for its sender to mend.
    """
    return _uid(keyword, text(ds, keyword))


def text(ds: Dataset, keyword: str) -> str:
    """An element's value as text without padding; several values joined as they were written."""
    value = ds.get(keyword)
    if value is None:
        return ""
    values = value if isinstance(value, MultiValue | list) else [value]
    return "\\".join(str(one).strip(" \0") for one in values)[:TEXT_LENGTH_MAX]


def items(ds: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is absent.

    Raises:
        InvalidValue: something else stands there; says where.
    """
    if keyword not in ds:
        return []
    element = ds[keyword]
    if element.VR != VR.SQ:
        raise InvalidValue(f"{keyword} is no sequence")
    return list(element.value)


def _uid(keyword: str, value: str) -> Uid:
    if not value:
        raise InvalidValue(f"{keyword} is absent")
    try:
        return Uid(value)
    except InvalidValue as error:
        raise InvalidValue(f"{keyword} is {error}") from None


def _number(value: str) -> int | None:
    try:
        return int(value)
    except ValueError:
        return None


def _issuer(ds: Dataset, keyword: str) -> str:
    """The issuer's OID, of the HL7 designator in a sequence of one item (PS3.3 §10.14)."""
    items = ds.get(keyword)
    if not items or text(items[0], "UniversalEntityIDType") != "ISO":
        return ""
    return text(items[0], "UniversalEntityID")


def _items_text(ds: Dataset, sequence: str) -> str:
    """What the items of a sequence tell, as JSON; what stands there and is none tells nothing."""
    found = ds.get(sequence)
    if not isinstance(found, Items):
        return ""
    told = [
        {keyword: value for keyword in _ITEMS[sequence] if (value := text(item, keyword))}
        for item in found[:ITEMS_MAX]
    ]
    return orjson.dumps(told).decode() if any(told) else ""


def _title_code(ds: Dataset) -> str:
    """Code of the root of a structured document (PS3.3 §C.17.3.1), its title."""
    items = ds.get(_TITLE)
    return text(items[0], "CodeValue") if items else ""


def _identifier(value: str, authority: str) -> Identifier:
    return Identifier(value=value, authority=authority) if value else NOBODY
