"""Reads the head of a Part 10 file as its bytes come: preamble and file meta information.

The rest, the data set, is kept behind file meta information of the gateway's own, so that what is
stored has one form whichever door it came in by. The group's length element is not trusted: old
writers leave it out or count wrongly, and the group ends where its elements do.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from gateway.errors import InvalidRequest
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

HEAD_BYTES_MAX: Final = 64 * 1024
"""Preamble and file meta information; about 500 in practice, more with private information."""

_PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"
_GROUP: Final = 0x0002
_TAG: Final = Struct("<HH")
_SHORT: Final = Struct("<HH2sH")
_LONG: Final = Struct("<HH2sHI")
_LONG_FORMS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # PS3.5 §7.1.2

_SOP_CLASS: Final = 0x0002
_SOP_INSTANCE: Final = 0x0003
_TRANSFER_SYNTAX: Final = 0x0010
_NAMES: Final = {
    _SOP_CLASS: "MediaStorageSOPClassUID",
    _SOP_INSTANCE: "MediaStorageSOPInstanceUID",
    _TRANSFER_SYNTAX: "TransferSyntaxUID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMeta:
    """What the file meta information (PS3.10 §7.1) says of the data set that follows."""

    sop_class: Uid
    instance: Uid
    transfer_syntax: Uid


class FileHead:
    """Takes the bytes of a file until its head is whole."""

    def __init__(self) -> None:
        self._read = bytearray()
        self._at = _PREAMBLE_BYTES + len(_PREFIX)
        self._told: dict[int, bytes] = {}

    def feed(self, data: memoryview) -> tuple[FileMeta, bytes] | None:
        """Add bytes; once the data set has begun, what its head says and its first bytes.

        Raises:
            InvalidRequest: this is no Part 10 file, or its head is too long or incomplete.
        """
        self._read += data
        if len(self._read) < _PREAMBLE_BYTES + len(_PREFIX):
            return None
        if self._read[_PREAMBLE_BYTES : _PREAMBLE_BYTES + len(_PREFIX)] != _PREFIX:
            raise InvalidRequest("this is no DICOM file: its prefix is missing")
        while len(self._read) >= self._at + _LONG.size:
            group, element = _TAG.unpack_from(self._read, self._at)
            if group != _GROUP:
                return _meta(self._told), bytes(memoryview(self._read)[self._at :])
            value_at, end = self._value()
            if end > HEAD_BYTES_MAX:
                raise InvalidRequest(f"the file's head is longer than {HEAD_BYTES_MAX} bytes")
            if end > len(self._read):
                break
            self._told[element] = bytes(self._read[value_at:end])
            self._at = end
        return None

    def _value(self) -> tuple[int, int]:
        """Where the value of the next element begins and ends (PS3.5 §7.1.2)."""
        _, _, vr, length = _SHORT.unpack_from(self._read, self._at)
        at = self._at + _SHORT.size
        if vr in _LONG_FORMS:
            *_, length = _LONG.unpack_from(self._read, self._at)
            at = self._at + _LONG.size
        return at, at + length


def _meta(told: dict[int, bytes]) -> FileMeta:
    return FileMeta(
        sop_class=_uid(told, _SOP_CLASS),
        instance=_uid(told, _SOP_INSTANCE),
        transfer_syntax=_uid(told, _TRANSFER_SYNTAX),
    )


def _uid(told: dict[int, bytes], element: int) -> Uid:
    name = _NAMES[element]
    text = told.get(element, b"").decode("latin-1").strip(" \0")
    try:
        return Uid(text)
    except InvalidValue:
        raise InvalidRequest(f"the file's {name} is absent or no UID") from None
