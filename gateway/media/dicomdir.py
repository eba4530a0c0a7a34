"""Reads what a DICOMDIR lists, to tell what is missing of a medium (PS3.10 §8.6)."""

from io import BytesIO
from typing import Final

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MediaStorageDirectoryStorage

from gateway.errors import InvalidRequest

SIZE_BYTES_MAX: Final = 64 * 2**20
RECORDS_MAX: Final = 200_000
"""Some hundred bytes each in the file, two kilobytes in memory."""

_PREFIX_AT: Final = 128  # bytes of preamble
_PREFIX: Final = b"DICM"
_ITEM: Final = b"\xfe\xff\x00\xe0"
_IMPLICIT: Final = {ExplicitVRLittleEndian: False, ImplicitVRLittleEndian: True}


def listed_files(directory: bytes) -> list[str]:
    """Names of the files that a DICOMDIR lists, from its own folder; records not in use are left
    out.

    Raises:
        InvalidRequest: it cannot be read, or lists more than RECORDS_MAX.
    """
    if not directory.startswith(_PREFIX, _PREFIX_AT):
        raise InvalidRequest("no DICOMDIR: its prefix is missing")
    if directory.count(_ITEM) > RECORDS_MAX:
        raise InvalidRequest(f"the DICOMDIR lists more than {RECORDS_MAX} records")
    try:
        return _listed(BytesIO(directory))
    except InvalidRequest:
        raise
    except Exception:  # pydicom raises whatever its parts raise on bytes that are none
        raise InvalidRequest("the DICOMDIR cannot be read") from None


def _listed(file: BytesIO) -> list[str]:
    file.seek(_PREFIX_AT + len(_PREFIX))
    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    # Deflated is left out: a few kilobytes of it can hold gigabytes.
    implicit = _IMPLICIT.get(meta.get("TransferSyntaxUID"))
    if implicit is None or meta.get("MediaStorageSOPClassUID") != MediaStorageDirectoryStorage:
        raise InvalidRequest("no DICOMDIR, or one in another transfer syntax than it may have")
    records = read_dataset(file, implicit, True).get("DirectoryRecordSequence") or []
    return [name for record in records if (name := _file_id(record))]


def _file_id(record: Dataset) -> str:
    """The components of Referenced File ID (PS3.10 §8.2); empty where the record has none."""
    if record.get("RecordInUseFlag") == 0:
        return ""
    told = record.get("ReferencedFileID") or []
    parts = told if isinstance(told, MultiValue | list) else [told]
    return "/".join(str(part).strip() for part in parts)
