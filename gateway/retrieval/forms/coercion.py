"""Names a patient by their INS in an instance that leaves the centre.

The local PatientID stays, for the sender's own pictures and reports name it; the INS is one more of
OtherPatientIDsSequence (PS3.3 §C.2.2), with the attributes that the agency's demonstrator writes.
The stored file is not touched. What changes is one run of bytes in front of the pixels, so the
length of the new file is known before a byte of it is sent.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from gateway.errors import NotAcceptable
from indexer.contract.identifiers import Ins

ELEMENTS_MAX: Final = 100_000
"""That are looked at in front of the patient's other ids, and among them."""
COPIED_BYTES_MAX: Final = 2**20
"""Of the header, into the new bytes: the other ids that are there."""

_OTHER_IDS: Final = 0x00101002
_GROUP_LENGTH: Final = 0x00100000  # retired; it would no longer be true
_PATIENT_ID: Final = 0x00100020
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_UNDEFINED: Final = 0xFFFFFFFF
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Splice:
    """New bytes for those from `at` up to `until`; whatever is before and after them stays."""

    at: int
    until: int
    new: bytes

    def size_bytes(self, of: int) -> int:
        """Length of what had `of` bytes before."""
        return of + len(self.new) - (self.until - self.at)


def name_by_ins(file: memoryview, data_set_at: int, ins: Ins) -> Splice:
    """What to change of a Part 10 file so that it names the patient by this INS, too.

    Args:
        file: all of it; only its header is read. Its data set is in Explicit VR Little Endian, as
            compressed ones are.
        data_set_at: where the data set begins.

    Raises:
        NotAcceptable: the header cannot be read.
    """
    try:
        return _Header(file).spliced(data_set_at, ins)
    except (struct.error, IndexError):
        raise NotAcceptable("the instance's header is cut short") from None


def spliced(file: memoryview, splice: Splice) -> Iterator[memoryview | bytes]:
    """The new file, as the parts that it is made of."""
    yield file[: splice.at]
    yield splice.new
    yield file[splice.until :]


class _Header:
    def __init__(self, file: memoryview) -> None:
        self._file = file
        self._left = ELEMENTS_MAX

    def spliced(self, at: int, ins: Ins) -> Splice:
        group_length: tuple[int, int] | None = None
        while at < len(self._file):
            tag, vr, length, value_at = self._element(at)
            if tag > _OTHER_IDS:
                break
            until = self._end(vr, length, value_at)
            if tag == _OTHER_IDS:
                return self._without(group_length, self._added(at, vr, length, ins))
            if tag == _GROUP_LENGTH:
                group_length = (at, until)
            at = until
        new = _sequence(_item(ins, implicit=False))
        return self._without(group_length, Splice(at=at, until=at, new=new))

    def _without(self, group_length: tuple[int, int] | None, splice: Splice) -> Splice:
        """The splice, taking an element before it away with it."""
        if group_length is None or not splice.new:
            return splice
        begins, ends = group_length
        return Splice(at=begins, until=splice.until, new=self._copied(ends, splice.at) + splice.new)

    def _added(self, at: int, vr: bytes, length: int, ins: Ins) -> Splice:
        """The sequence that is there, with the INS behind what it holds unless it holds it."""
        *_, value_at = self._element(at)
        ends = self._end(vr, length, value_at)
        # Of a sequence that its writer did not know the items are implicit (PS3.5 §6.2.2).
        implicit = vr == b"UN"
        items_end = ends - 8 if length == _UNDEFINED else ends
        if self._holds(value_at, items_end, ins, implicit=implicit):
            return Splice(at=at, until=at, new=b"")
        item = _item(ins, implicit=implicit)
        if length == _UNDEFINED:
            return Splice(at=items_end, until=items_end, new=item)
        size = struct.pack("<I", length + len(item))
        head = bytes(self._file[at : value_at - 4]) + size
        return Splice(at=at, until=ends, new=head + self._copied(value_at, ends) + item)

    def _holds(self, at: int, until: int, ins: Ins, *, implicit: bool) -> bool:
        """Whether one of the items names this very number."""
        wanted = ins.value.encode("ascii")
        while at < until:
            tag, vr, length, at = self._element(at, implicit=implicit)
            if tag in (_ITEM, _ITEM_END):
                # Its elements come next, as if they were those of the sequence.
                continue
            end = self._end(vr, length, at, implicit=implicit)
            if tag == _PATIENT_ID and bytes(self._file[at:end]).strip(b" \0") == wanted:
                return True
            at = end
        return False

    def _element(self, at: int, *, implicit: bool = False) -> tuple[int, bytes, int, int]:
        """Tag, VR, length and where the value begins."""
        self._left -= 1
        if self._left < 0:
            raise NotAcceptable("the instance's header has too many elements")
        group, number = struct.unpack_from("<HH", self._file, at)
        tag = group << 16 | number
        if implicit or group == 0xFFFE:
            (length,) = struct.unpack_from("<I", self._file, at + 4)
            return tag, b"", length, at + 8
        vr = bytes(self._file[at + 4 : at + 6])
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", self._file, at + 8)
            return tag, vr, length, at + 12
        if vr not in _SHORT:
            raise NotAcceptable("the instance's header has an element of no VR that is known")
        (length,) = struct.unpack_from("<H", self._file, at + 6)
        return tag, vr, length, at + 8

    def _end(self, vr: bytes, length: int, at: int, *, implicit: bool = False) -> int:
        """Where the element ends whose value begins at `at`."""
        if length != _UNDEFINED:
            if at + length > len(self._file):
                raise NotAcceptable("the instance's header is cut short")
            return at + length
        # What is open, innermost last, and whether its elements have no VR.
        opened = [implicit or vr == b"UN"]
        while opened:
            tag, inner_vr, length, at = self._element(at, implicit=opened[-1])
            if tag in (_ITEM_END, _SEQUENCE_END):
                opened.pop()
            elif length == _UNDEFINED:
                opened.append(opened[-1] or inner_vr == b"UN")
            else:
                at += length
        return at

    def _copied(self, at: int, until: int) -> bytes:
        if until - at > COPIED_BYTES_MAX:
            raise NotAcceptable("the instance's header holds too much about the patient")
        return bytes(self._file[at:until])


def _sequence(item: bytes) -> bytes:
    head = struct.pack("<HH2sHI", _OTHER_IDS >> 16, _OTHER_IDS & 0xFFFF, b"SQ", 0, len(item))
    return head + item


@lru_cache(maxsize=64)
def _item(ins: Ins, *, implicit: bool) -> bytes:
    issuer = Dataset()
    issuer.UniversalEntityID = ins.oid
    issuer.UniversalEntityIDType = "ISO"
    named = Dataset()
    named.PatientID = ins.value
    named.TypeOfPatientID = "TEXT"
    named.IssuerOfPatientIDQualifiersSequence = [issuer]
    written = DicomBytesIO()
    written.is_implicit_VR, written.is_little_endian = implicit, True
    write_dataset(written, named)
    content: bytes = written.getvalue()
    return struct.pack("<HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(content)) + content
