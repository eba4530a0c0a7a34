"""What a DICOMDIR tells of a patient, a study, a series and each kind of instance (PS3.3 §F.5).

Values are copied as their bytes are, in the character set of the instance that tells them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset, config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement

VALUE_BYTES_MAX: Final = 64 * 1024
"""Of one value of a record. A longer one is taken as if it were not there."""

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_CHARACTER_SET: Final = "SpecificCharacterSet"
_CONTENT: Final = "ContentSequence"
_MADE_UP: Final = {
    "CS": b"UNKNOWN ", "DA": b"19000101", "IS": b"0 ", "LO": b"UNKNOWN ", "SH": b"1 ",
    "TM": b"000000",
}  # fmt: skip
"""By VR, for what a record must tell and its instance does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """What one type of record tells, by DICOM keyword."""

    name: str
    """Directory Record Type (0004,1430)."""
    required: tuple[str, ...] = ()
    """Of type 1."""
    empty: tuple[str, ...] = ()
    """Of type 2: empty where they are not told."""
    if_told: tuple[str, ...] = ()


PATIENT: Final = RecordType(name="PATIENT", required=("PatientID",), empty=("PatientName",))
STUDY: Final = RecordType(
    name="STUDY",
    required=("StudyDate", "StudyTime", "StudyInstanceUID", "StudyID"),
    empty=("StudyDescription", "AccessionNumber"),
)
SERIES: Final = RecordType(
    name="SERIES",
    required=("Modality", "SeriesInstanceUID", "SeriesNumber"),
    if_told=("SeriesDescription",),
)

_WHEN: Final = ("ContentDate", "ContentTime")
_OF_DOCUMENTS: Final = ("InstanceNumber", *_WHEN, "ConceptNameCodeSequence")
_IMAGE: Final = RecordType(name="IMAGE", required=("InstanceNumber",))
_TYPES: Final = {
    one.name: one
    for one in (
        _IMAGE,
        RecordType(name="RT DOSE", required=("InstanceNumber", "DoseSummationType")),
        RecordType(
            name="RT STRUCTURE SET",
            required=("InstanceNumber", "StructureSetLabel"),
            empty=("StructureSetDate", "StructureSetTime"),
        ),
        RecordType(
            name="RT PLAN",
            required=("InstanceNumber", "RTPlanLabel"),
            empty=("RTPlanDate", "RTPlanTime"),
        ),
        RecordType(
            name="RT TREAT RECORD",
            required=("InstanceNumber",),
            empty=("TreatmentDate", "TreatmentTime"),
        ),
        RecordType(
            name="PRESENTATION",
            required=(
                "PresentationCreationDate", "PresentationCreationTime", "InstanceNumber",
                "ContentLabel",
            ),
            empty=("ContentDescription", "ContentCreatorName"),
            if_told=("ReferencedSeriesSequence", "BlendingSequence"),
        ),
        RecordType(name="WAVEFORM", required=("InstanceNumber", *_WHEN)),
        RecordType(
            name="SR DOCUMENT",
            required=(*_OF_DOCUMENTS, "CompletionFlag", "VerificationFlag"),
            if_told=("VerificationDateTime", _CONTENT),
        ),
        RecordType(name="KEY OBJECT DOC", required=_OF_DOCUMENTS, if_told=(_CONTENT,)),
        RecordType(
            name="SPECTROSCOPY",
            required=(
                "ImageType", *_WHEN, "InstanceNumber", "NumberOfFrames", "Rows", "Columns",
                "DataPointRows", "DataPointColumns",
            ),
            if_told=("ReferencedImageEvidenceSequence",),
        ),
        RecordType(name="RAW DATA", required=_WHEN, empty=("InstanceNumber",)),
        RecordType(
            name="ENCAP DOC",
            required=("InstanceNumber", "MIMETypeOfEncapsulatedDocument"),
            empty=(*_WHEN, "DocumentTitle", "ConceptNameCodeSequence"),
            if_told=("HL7InstanceIdentifier",),
        ),
        RecordType(name="STEREOMETRIC"),
        RecordType(name="PLAN"),
        RecordType(
            name="ASSESSMENT",
            required=("InstanceNumber", "InstanceCreationDate"),
            empty=("InstanceCreationTime",),
        ),
        *(
            RecordType(
                name=name,
                required=(*_WHEN, "InstanceNumber", "ContentLabel"),
                empty=("ContentDescription", "ContentCreatorName"),
            )
            for name in (
                "REGISTRATION", "FIDUCIAL", "VALUE MAP", "MEASUREMENT", "SURFACE", "SURFACE SCAN",
                "TRACT",
            )
        ),
    )
}  # fmt: skip

_BY_CLASS: Final = {
    "4.2": "SPECTROSCOPY", "66": "RAW DATA", "66.1": "REGISTRATION", "66.2": "FIDUCIAL",
    "66.3": "REGISTRATION", "66.5": "SURFACE", "66.6": "TRACT", "67": "VALUE MAP",
    "77.1.5.3": "STEREOMETRIC", "88.59": "KEY OBJECT DOC", "90.1": "ASSESSMENT",
    "481.2": "RT DOSE", "481.3": "RT STRUCTURE SET", "481.4": "RT TREAT RECORD",
    "481.5": "RT PLAN", "481.6": "RT TREAT RECORD", "481.7": "RT TREAT RECORD",
    "481.8": "RT PLAN", "481.9": "RT TREAT RECORD",
}  # fmt: skip
_BY_ROOT: Final = {
    "9.": "WAVEFORM", "11.": "PRESENTATION", "68.": "SURFACE SCAN", "78.": "MEASUREMENT",
    "88.": "SR DOCUMENT", "104.": "ENCAP DOC", "200.": "PLAN",
}  # fmt: skip
"""By the beginning of what stands behind the root of all storage classes (PS3.4 §I.4)."""

KEYWORDS: Final = (
    _CHARACTER_SET, "SOPClassUID", "SOPInstanceUID",
    *dict.fromkeys(
        keyword
        for one in (PATIENT, STUDY, SERIES, *_TYPES.values())
        for keyword in (*one.required, *one.empty, *one.if_told)
    ),
)  # fmt: skip
"""What of an instance's header the records tell."""


def record_type(sop_class: str) -> RecordType:
    """Of an instance; what is not known is listed as an image, as most is that comes."""
    suffix = sop_class.removeprefix(_STORAGE)
    name = _BY_CLASS.get(suffix)
    roots = (told for root, told in _BY_ROOT.items() if suffix.startswith(root))
    return _TYPES[name or next(roots, _IMAGE.name)]


def build_record(kind: RecordType, header: Dataset) -> Dataset:
    """The record that an instance's header makes, without what refers to files and records."""
    record = Dataset()
    record.DirectoryRecordType = kind.name
    _copy(header, record, (_CHARACTER_SET, *kind.required, *kind.empty, *kind.if_told))
    for keyword in kind.required:
        if keyword not in record:
            _set(record, keyword, _MADE_UP.get(dictionary_VR(keyword)))
    for keyword in kind.empty:
        if keyword not in record:
            _set(record, keyword, b"")
    return record


def value_of(header: Dataset, keyword: str) -> str:
    """A value in the default repertoire, such as a UID; empty where it is not told."""
    value = _value(header, keyword)
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else str(value or "")


def _value(header: Dataset, keyword: str) -> object:
    """As its bytes are, unless it had to be decoded to find where it ends."""
    return header.get_item(keyword).value if keyword in header else None


def _copy(header: Dataset, record: Dataset, keywords: Iterable[str]) -> None:
    for keyword in keywords:
        value = _value(header, keyword)
        if not value or (isinstance(value, bytes) and len(value) > VALUE_BYTES_MAX):
            continue
        if keyword == _CONTENT:
            _copy_modifiers(header, record)
        else:
            record[keyword] = header.get_item(keyword)


def _copy_modifiers(header: Dataset, record: Dataset) -> None:
    """Of a document's content what says more of its title (PS3.3 §F.5.25)."""
    told = [item for item in header[_CONTENT].value if _modifies(item)]
    if told:
        record.add(DataElement(_CONTENT, "SQ", told))


def _modifies(item: Dataset) -> bool:
    return value_of(item, "RelationshipType") == "HAS CONCEPT MOD"


def _set(record: Dataset, keyword: str, value: bytes | None) -> None:
    """Add an element whose bytes are these; nothing where there are none that could be made up."""
    if value is None:
        return
    vr = dictionary_VR(keyword)
    told: object = value.decode().strip() if vr != "SQ" else []
    record.add(DataElement(keyword, vr, told, validation_mode=config.IGNORE))
