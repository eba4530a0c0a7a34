"""Reads Part 10 files, and writes them anew in Explicit VR Little Endian without decoding a pixel.

The web forbids Implicit VR Little Endian and Explicit VR Big Endian (PS3.18 §8.7.3), and one who
names no transfer syntax gets Explicit VR Little Endian (PS3.18 §8.7.3.4). All of it blocks.
"""

import mmap
import zlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from gateway.errors import NotAcceptable
from gateway.pixels.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
)
from gateway.retrieval.forms.reencode import NotNative, Reencoder
from indexer.contract.identifiers import Uid

TOO_LARGE: Final = "the instance is too large to be given in another transfer syntax"
WRITE_BUFFER_BYTES: Final = 2**20
_INFLATE_BYTES: Final = 2**20  # inflated at a time
_PREFIX: Final = bytes(128) + b"DICM"  # PS3.10 §7.1; the preamble is no part of the instance
_PREFIX_BYTES: Final = len(_PREFIX)
_GROUP_LENGTH: Final = b"\x02\0\0\0UL\x04\0"  # of the element that says how long group 0002 is
_GROUP_LENGTH_BYTES: Final = 12
_META_AT: Final = _PREFIX_BYTES + _GROUP_LENGTH_BYTES
META_BYTES_MAX: Final = 2**20
"""Of group 0002."""


def write_head(target: BinaryIO, meta: FileMetaDataset, transfer_syntax: str) -> None:
    """What stands before the data set: group 0002 with another transfer syntax."""
    meta.TransferSyntaxUID = UID(transfer_syntax)
    target.write(_PREFIX)
    write_file_meta_info(DicomIO(target), meta, enforce_standard=False)


def rewrite(source: Path, target: Path, size_bytes_max: int) -> None:
    """Write the Part 10 file anew in Explicit VR Little Endian. Blocks.

    Raises:
        NotAcceptable: it is larger than `size_bytes_max`, or no native data set.
    """
    if source.stat().st_size > size_bytes_max:
        raise NotAcceptable(TOO_LARGE)
    try:
        with target.open("wb", buffering=WRITE_BUFFER_BYTES) as file:
            _rewrite(source, file, size_bytes_max)
    except NotNative as error:
        raise NotAcceptable(f"the instance cannot be given so: {error}") from error


def map_file(path: Path) -> tuple[FileMetaDataset, memoryview]:
    """Group 0002 of a Part 10 file, and its data set, of which only what is used is read.

    Raises:
        NotNative: it does not begin as such a file.
    """
    with path.open("rb") as file:
        head = file.read(_PREFIX_BYTES + _GROUP_LENGTH_BYTES)
        if head[128:132] != b"DICM" or head[132:140] != _GROUP_LENGTH or len(head) < _META_AT:
            raise NotNative("the file does not begin as one of DICOM")
        # Not closed by hand: an error on its way up still refers to parts of it.
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    data_set_at = _META_AT + int.from_bytes(head[-4:], "little")
    # From memory, where an element that claims gigabytes gets no more than there is.
    meta = read_dataset(BytesIO(mapped[132:data_set_at][:META_BYTES_MAX]), False, True)
    return FileMetaDataset(meta), mapped[data_set_at:]


def _rewrite(source: Path, target: BinaryIO, size_bytes_max: int) -> None:
    meta, data_set = map_file(source)
    stored = Uid(meta.TransferSyntaxUID)
    write_head(target, meta, EXPLICIT_LITTLE_ENDIAN)
    if stored == DEFLATED_LITTLE_ENDIAN:
        _inflate(data_set, target, size_bytes_max)
        return
    Reencoder(data_set, target, big_endian=stored == EXPLICIT_BIG_ENDIAN).run()


def _inflate(source: memoryview, target: BinaryIO, size_bytes_max: int) -> None:
    """Inflate a data set (PS3.5 §A.5), of which a few kilobytes can hold gigabytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces = (source[at : at + _INFLATE_BYTES] for at in range(0, len(source), _INFLATE_BYTES))
    size_bytes = 0
    while not inflater.eof:
        deflated = inflater.unconsumed_tail or next(pieces, b"")
        try:
            inflated = inflater.decompress(deflated, _INFLATE_BYTES)
        except zlib.error as error:
            raise NotNative("the data set is not deflated") from error
        if not deflated and not inflated:
            raise NotNative("the deflated data set is cut short")
        size_bytes += len(inflated)
        if size_bytes > size_bytes_max:
            raise NotAcceptable(TOO_LARGE)
        target.write(inflated)
