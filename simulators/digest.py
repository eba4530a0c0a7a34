"""The digest by which an instance is known again, whatever way it came.

A gateway may change an instance's transfer syntax and adds the patient's national number on the
way (OtherPatientIDsSequence). Neither is a change of the instance, so neither is in the digest.
"""

import hashlib
import os
from typing import IO

from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

OTHER_PATIENT_IDS_SEQUENCE = 0x00101002
# Words of these VRs keep the order of bytes of their file; in another order they are turned round.
_WORD_BYTES = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}


def digest_of(source: str | os.PathLike[str] | IO[bytes]) -> str:
    """SHA-256, in hex, of the data set in a Part 10 file.

    Taken without group 0002 and OtherPatientIDsSequence, and written in Explicit VR Little Endian;
    pixels stay as they are encoded.

    Raises:
        pydicom.errors.InvalidDicomError: the source is no Part 10 file.
    """
    ds = dcmread(source)
    if OTHER_PATIENT_IDS_SEQUENCE in ds:
        del ds[OTHER_PATIENT_IDS_SEQUENCE]
    _turn_round(ds)
    # Reading every element also takes away what writers may choose: padding, lengths of sequences.
    ds.walk(_open_sequence)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, ds)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _open_sequence(ds: Dataset, element: DataElement) -> None:
    if element.VR == "SQ":
        element.is_undefined_length = False
        for item in element.value:
            item.is_undefined_length_sequence_item = False
            _turn_round(item)


def _turn_round(ds: Dataset) -> None:
    """Of elements not read yet, have those in big endian become what pydicom reads them as."""
    for element in list(ds.elements()):
        if not isinstance(element, RawDataElement) or element.is_little_endian:
            continue
        if element.VR == "UN":  # in little endian whatever the rest is in (PS3.5 §6.2.2)
            ds[element.tag] = element._replace(is_implicit_VR=True, is_little_endian=True)
        elif element.VR in _WORD_BYTES and element.value:
            words = _turned(element.value, _WORD_BYTES[element.VR])
            ds[element.tag] = element._replace(value=words)


def _turned(value: bytes, word_bytes: int) -> bytes:
    turned = bytearray(len(value))
    for offset in range(word_bytes):
        turned[offset::word_bytes] = value[word_bytes - 1 - offset :: word_bytes]
    return bytes(turned)
