"""Writes the DICOMDIR of a file-set: what a reader of media looks at first (PS3.3 Annex F).

Records are encoded as files are added, some hundred bytes each, and joined at the end, when it is
known where each lies.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydicom import Dataset, config
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from gateway.media.records import PATIENT, SERIES, STUDY, build_record, record_type, value_of
from gateway.model.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

FILE_SET_ID: Final = "DRIM_M"

_PREFIX: Final = bytes(128) + b"DICM"
_IN_USE: Final = 0xFFFF
_ITEM: Final = struct.Struct("<HHI")
_SEQUENCE: Final = struct.Struct("<HH2sHI")
# A record begins with these three, which are as long whatever they tell (PS3.5 §7.1.2).
_OFFSETS: Final = struct.Struct("<HH2sHI HH2sHH HH2sHI")
_LEVELS: Final = (
    (PATIENT, "PatientID"),
    (STUDY, "StudyInstanceUID"),
    (SERIES, "SeriesInstanceUID"),
)


@dataclass(slots=True)
class _Record:
    """`told` is what follows its offsets."""

    told: bytes
    below: "list[_Record]" = field(default_factory=list)
    at: int = 0
    """Where it begins, from the start of the file."""

    @property
    def size_bytes(self) -> int:
        """With the head of its item."""
        return _ITEM.size + _OFFSETS.size + len(self.told)


class DicomDirectory:
    """The directory of files that are added one by one.

    Args:
        instance: its own SOP Instance UID.
    """

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._root = _Record(b"")
        self._known: dict[tuple[str, ...], _Record] = {(): self._root}

    def add(self, header: Dataset, file_id: Sequence[str], transfer_syntax: str) -> None:
        """List a file.

        Args:
            header: what `records.KEYWORDS` name of its instance, in Explicit VR Little Endian.
            file_id: the components of its name (PS3.10 §8.2).
            transfer_syntax: of the file.
        """
        way: tuple[str, ...] = ()
        for kind, key in _LEVELS:
            above, way = self._known[way], (*way, value_of(header, key))
            if way not in self._known:
                self._known[way] = _Record(_encoded(build_record(kind, header)))
                above.below.append(self._known[way])
        record = build_record(record_type(value_of(header, "SOPClassUID")), header)
        _refer(record, "ReferencedFileID", list(file_id))
        _refer(record, "ReferencedSOPClassUIDInFile", value_of(header, "SOPClassUID"))
        _refer(record, "ReferencedSOPInstanceUIDInFile", value_of(header, "SOPInstanceUID"))
        _refer(record, "ReferencedTransferSyntaxUIDInFile", transfer_syntax)
        self._known[way].below.append(_Record(_encoded(record)))

    def encode(self) -> bytes:
        """The file."""
        head = _PREFIX + _meta(self._instance)
        set_head_bytes = len(_file_set(0, 0)) + _SEQUENCE.size
        at = first_at = len(head) + set_head_bytes
        records = list(_walk(self._root))
        for record in records:
            record.at = at
            at += record.size_bytes
        below = self._root.below
        first, last = (below[0].at, below[-1].at) if below else (0, 0)
        told = (_told(record, later) for record, later in _with_next(self._root))
        sequence = _SEQUENCE.pack(0x0004, 0x1220, b"SQ", 0, at - first_at)
        return b"".join((head, _file_set(first, last), sequence, *told))


def _walk(record: _Record) -> Iterator[_Record]:
    """What lies below a record, each followed by what lies below it."""
    for one in record.below:
        yield one
        yield from _walk(one)


def _with_next(record: _Record) -> Iterator[tuple[_Record, int]]:
    """The same, with where the next of its level begins; 0 for the last."""
    for number, one in enumerate(record.below, start=1):
        yield one, record.below[number].at if number < len(record.below) else 0
        yield from _with_next(one)


def _told(record: _Record, next_at: int) -> bytes:
    lower_at = record.below[0].at if record.below else 0
    item = _ITEM.pack(0xFFFE, 0xE000, record.size_bytes - _ITEM.size)
    offsets = _OFFSETS.pack(
        *(0x0004, 0x1400, b"UL", 4, next_at),
        *(0x0004, 0x1410, b"US", 2, _IN_USE),
        *(0x0004, 0x1420, b"UL", 4, lower_at),
    )
    return item + offsets + record.told


def _refer(record: Dataset, keyword: str, value: str | list[str]) -> None:
    vr = "CS" if keyword == "ReferencedFileID" else "UI"
    # Not checked: a UID that is none came to us so, and a warning would quote it.
    record.add(DataElement(keyword, vr, value, validation_mode=config.IGNORE))


def _encoded(ds: Dataset) -> bytes:
    written = DicomBytesIO()
    written.is_implicit_VR, written.is_little_endian = False, True
    write_dataset(written, ds)
    content: bytes = written.getvalue()
    return content


def _file_set(first_at: int, last_at: int) -> bytes:
    """What stands before the sequence of records."""
    ds = Dataset()
    ds.FileSetID = FILE_SET_ID
    ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = first_at
    ds.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = last_at
    ds.FileSetConsistencyFlag = 0
    return _encoded(ds)


def _meta(instance: str) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    written = DicomBytesIO()
    write_file_meta_info(written, meta)
    content: bytes = written.getvalue()
    return content
