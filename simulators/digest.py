"""The digest by which an instance is known again, whatever way it came.

A gateway may change an instance's transfer syntax and adds the patient's national number on the
way (OtherPatientIDsSequence). Neither is a change of the instance, so neither is in the digest.
"""

import hashlib
import os
from typing import IO

from pydicom import dcmread
from pydicom.dataelem import DataElement
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
    # Reading every element also takes away what writers may choose: padding, lengths of sequences.
    ds.walk(_turn_words if ds.original_encoding[1] is False else _as_it_is)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, ds)
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _as_it_is(ds: Dataset, element: DataElement) -> None:
    if element.VR == "SQ":
        element.is_undefined_length = False
        for item in element.value:
            item.is_undefined_length_sequence_item = False


def _turn_words(ds: Dataset, element: DataElement) -> None:
    _as_it_is(ds, element)
    size = _WORD_BYTES.get(element.VR)
    if size is None or not isinstance(element.value, bytes):
        return
    turned = bytearray(len(element.value))
    for offset in range(size):
        turned[offset::size] = element.value[size - 1 - offset :: size]
    element.value = bytes(turned)
