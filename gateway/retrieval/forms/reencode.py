"""Rewrites a native data set in Explicit VR Little Endian (PS3.5 §7.1, Annex A).

Values are copied as they are, not read and written anew: a value that breaks its VR, or that
nobody knows, arrives as it was sent. What may differ is what the standard leaves to the writer:
sequences get undefined length and retired group lengths are left out (PS3.5 §7.2, §7.5).
"""

import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from gateway.dicomweb.encapsulation import end_of_fragments

NESTING_MAX: Final = 64  # sequences within each other
HEADER_BYTES_MAX: Final = 64 * 2**20
"""Of one instance, without the values that stand apart."""
_SWAP_BYTES: Final = 2**20  # swapped at a time
_CREATOR_BYTES_MAX: Final = 64  # of a private creator, an LO

_UNDEFINED: Final = 0xFFFFFFFF
_PIXEL_GROUP: Final = 0x7FE0
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_PIXEL_REPRESENTATION: Final = 0x00280103
_LUT_DESCRIPTOR: Final = 0x00283002

_LONG: Final = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_WORDS: Final = {
    **dict.fromkeys("AT OW SS US".split(), "H"),
    **dict.fromkeys("FL OF OL SL UL".split(), "I"),
    **dict.fromkeys("FD OD OV SV UV".split(), "Q"),
}


class NotNative(ValueError):
    """The bytes are no data set of the encoding that they are said to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value lies in its data set."""

    path: str
    """Its tag, after those of the sequences and the numbers of the items that it is in: 8
    hexadecimal digits each, parted by slashes; items count from 1."""
    tag: int
    vr: str
    at: int
    """Bytes from the beginning of the data set."""
    size_bytes: int
    """What there is of it: pixels at the end of a file may be cut short."""
    fragmented: bool = False
    """It is a sequence of fragments (PS3.5 §A.4), from its first item to its delimiter."""


class HeaderBytes(BytesIO):
    """Takes a header; one of more than `HEADER_BYTES_MAX` is a `ValueError`."""

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
        """Append the bytes."""
        if self.tell() + len(data) > HEADER_BYTES_MAX:
            raise ValueError(f"it is larger than {HEADER_BYTES_MAX} bytes")
        return super().write(data)


class _Level:
    """What of a data set, or of an item, decides how later elements are read."""

    def __init__(self, parent: "_Level | None" = None) -> None:
        self.signed: bool = parent.signed if parent else False
        self.lut_entries: int = parent.lut_entries if parent else 0
        self.depth: int = parent.depth + 1 if parent else 0
        self.path: str = ""
        """Of the item, with a slash at its end."""
        self.creators: dict[int, str] = {}


class Reencoder:
    """Rewrites one data set.

    Args:
        source: the data set's bytes, without group 0002.
        target: gets the rewritten data set.
        big_endian: whether it is Explicit VR Big Endian. If not, its first element tells whether
            VRs are written: some writers name one transfer syntax and write the other.
        sets_apart: asked with tag, VR and size of each value that is no sequence; one for which
            it says yes is noted in `apart` and written as if it were empty. Pixels may then be
            encapsulated, or cut short by the end of the file.
        begins: told the tag of each element of the top level, before it is written.
    """

    def __init__(
        self,
        source: memoryview,
        target: BinaryIO,
        *,
        big_endian: bool = False,
        sets_apart: Callable[[int, str, int], bool] | None = None,
        begins: Callable[[int], None] | None = None,
    ) -> None:
        self.apart: list[Place] = []
        self._begins = begins
        self._source = source
        self._target = target
        self._sets_apart = sets_apart
        self._starts_at = 0
        self._implicit = not big_endian and not _looks_explicit(source)
        self._big_endian = big_endian
        order = ">" if big_endian else "<"
        self._tag = struct.Struct(f"{order}HH")
        self._u16 = struct.Struct(f"{order}H")
        self._u32 = struct.Struct(f"{order}I")

    def run(self) -> None:
        """Write the whole data set.

        Raises:
            NotNative: the source cannot be read as what it is said to be.
        """
        try:
            self._elements(0, len(self._source), _Level(), ends_with=None)
        except (struct.error, UnicodeDecodeError) as error:
            raise NotNative("the data set is cut short or is none") from error

    def _elements(self, at: int, end: int, level: _Level, *, ends_with: int | None) -> int:
        """Rewrite the elements from `at` on; returns where what follows them begins."""
        while at < end:
            tag, vr, length, at = self._header(at, level)
            if tag == ends_with:
                return at
            if tag >> 16 == 0xFFFE:
                raise NotNative("a delimiter stands outside of its sequence")
            if level.depth == 0 and self._begins is not None:
                self._begins(tag)
            at = self._element(tag, vr, length, at, level)
        if ends_with is not None or at > end:
            raise NotNative("an element ends after what holds it")
        return at

    def _header(self, at: int, level: _Level) -> tuple[int, str, int, int]:
        group, element = self._tag.unpack_from(self._source, at)
        tag = group << 16 | element
        if group == 0xFFFE or self._implicit:
            (length,) = self._u32.unpack_from(self._source, at + 4)
            vr = "" if group == 0xFFFE else _implied_vr(tag, length, level)
            return tag, vr, length, at + 8
        vr = bytes(self._source[at + 4 : at + 6]).decode("ascii")
        if vr in _SHORT:
            (length,) = self._u16.unpack_from(self._source, at + 6)
            return tag, vr, length, at + 8
        if vr not in _LONG:
            raise NotNative("an element has no VR that is known")
        (length,) = self._u32.unpack_from(self._source, at + 8)
        return tag, vr, length, at + 12

    def _element(self, tag: int, vr: str, length: int, at: int, level: _Level) -> int:
        if vr == "SQ":
            return self._sequence(tag, length, at, level)
        if length == _UNDEFINED:
            if vr == "UN":
                return self._unknown_sequence(tag, at, level)
            return self._fragments(tag, vr, at, level)
        end = at + length
        if end > len(self._source):
            if self._sets_apart is None or level.depth or tag >> 16 != _PIXEL_GROUP:
                raise NotNative("an element is cut short")
            end = len(self._source)
        if tag & 0xFFFF == 0 and tag >> 16 > 0x0006:
            return end
        if self._is_set_apart(tag, vr, at, end, level):
            return end
        value = self._source[at:end]
        self._note(tag, value, level)
        if vr in _SHORT and length > 0xFFFF:
            vr = "UN"  # a value too long for its VR's length field (PS3.5 §6.2.2)
        self._write_header(tag, vr, length)
        self._write_value(vr, value)
        return end

    def _is_set_apart(
        self, tag: int, vr: str, at: int, end: int, level: _Level, *, fragmented: bool = False
    ) -> bool:
        if self._sets_apart is None or not self._sets_apart(tag, vr, end - at):
            return False
        place = Place(
            path=f"{level.path}{tag:08X}",
            tag=tag,
            vr=vr,
            at=self._starts_at + at,
            size_bytes=end - at,
            fragmented=fragmented,
        )
        self.apart.append(place)
        self._write_header(tag, vr, 0)
        return True

    def _note(self, tag: int, value: memoryview, level: _Level) -> None:
        group, element = tag >> 16, tag & 0xFFFF
        if tag == _PIXEL_REPRESENTATION and len(value) >= 2:
            level.signed = self._u16.unpack_from(value)[0] == 1
        elif tag == _LUT_DESCRIPTOR and len(value) >= 2:
            level.lut_entries = self._u16.unpack_from(value)[0]
        elif group & 1 and 0x10 <= element <= 0xFF:
            name = bytes(value[:_CREATOR_BYTES_MAX]).decode("latin-1").rstrip(" \0")
            level.creators[group << 8 | element] = name

    def _sequence(self, tag: int, length: int, at: int, level: _Level) -> int:
        if level.depth >= NESTING_MAX:
            raise NotNative("sequences are nested too deeply")
        end = len(self._source) if length == _UNDEFINED else at + length
        if end > len(self._source):
            raise NotNative("a sequence is cut short")
        self._write_header(tag, "SQ", _UNDEFINED)
        number = 0
        while at < end:
            item, _, item_length, at = self._header(at, level)
            if item == _SEQUENCE_END and length == _UNDEFINED:
                break
            if item != _ITEM:
                raise NotNative("a sequence holds something else than items")
            self._write_tag(_ITEM, _UNDEFINED)
            number += 1
            inner = _Level(level)
            inner.path = f"{level.path}{tag:08X}/{number}/"
            if item_length == _UNDEFINED:
                at = self._elements(at, end, inner, ends_with=_ITEM_END)
            else:
                at = self._elements(at, min(at + item_length, end), inner, ends_with=None)
            self._write_tag(_ITEM_END, 0)
        else:
            if length == _UNDEFINED:
                raise NotNative("a sequence does not end")
        self._write_tag(_SEQUENCE_END, 0)
        return at

    def _unknown_sequence(self, tag: int, at: int, level: _Level) -> int:
        """A UN of undefined length is a sequence in Implicit VR Little Endian (PS3.5 §6.2.2)."""
        inner = Reencoder(self._source[at:], self._target, sets_apart=self._sets_apart)
        inner._implicit = True
        inner._starts_at = self._starts_at + at
        inner.apart = self.apart
        same = _Level(level)
        same.path = level.path
        return at + inner._sequence(tag, _UNDEFINED, 0, same)

    def _fragments(self, tag: int, vr: str, at: int, level: _Level) -> int:
        """Encapsulated pixels (PS3.5 §A.4). In a data set that is rewritten, only an icon inside of
        a sequence may hold them."""
        describes = self._sets_apart is not None and level.depth == 0
        if self._big_endian or ((self._implicit or level.depth == 0) and not describes):
            raise NotNative("pixels of a native transfer syntax are encapsulated")
        try:
            end = end_of_fragments(self._source, at)
        except ValueError as error:
            raise NotNative(str(error)) from None
        if end > len(self._source):
            if not describes:
                raise NotNative("an element is cut short")
            end = len(self._source)
        if not self._is_set_apart(tag, vr, at, end, level, fragmented=True):
            self._write_header(tag, vr, _UNDEFINED)
            self._target.write(self._source[at:end])
        return end

    def _write_header(self, tag: int, vr: str, length: int) -> None:
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode("ascii")
        head += struct.pack("<HI", 0, length) if vr in _LONG else struct.pack("<H", length)
        self._target.write(head)

    def _write_tag(self, tag: int, length: int) -> None:
        self._target.write(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length))

    def _write_value(self, vr: str, value: memoryview) -> None:
        word = _WORDS.get(vr) if self._big_endian else None
        if word is None:
            self._target.write(value)
            return
        for start in range(0, len(value), _SWAP_BYTES):
            part = value[start : start + _SWAP_BYTES]
            whole = len(part) - len(part) % struct.calcsize(word)
            words = array(word, bytes(part[:whole]))
            words.byteswap()
            self._target.write(words.tobytes())
            self._target.write(part[whole:])


def _looks_explicit(source: memoryview) -> bool:
    return bytes(source[4:6]).decode("latin-1") in _SHORT | _LONG


def _implied_vr(tag: int, length: int, level: _Level) -> str:
    """The VR that Implicit VR leaves to the reader (PS3.5 §A.1, PS3.6)."""
    group, element = tag >> 16, tag & 0xFFFF
    try:
        vr = _private_vr(tag, level) if group & 1 else dictionary_VR(tag)
    except KeyError:
        vr = "UL" if element == 0 else "UN"
    if length == _UNDEFINED and vr == "UN":
        return "SQ"
    return _settled(vr, level) if " or " in vr else vr


def _private_vr(tag: int, level: _Level) -> str:
    group, element = tag >> 16, tag & 0xFFFF
    if 0x10 <= element <= 0xFF:
        return "LO"
    creator = level.creators.get(group << 8 | element >> 8)
    if creator is None:
        return "UN"
    return private_dictionary_VR(tag, creator)


def _settled(vr: str, level: _Level) -> str:
    """Which of the VRs it is that the dictionary leaves open (PS3.6 §6, PS3.5 §A.1)."""
    choices = vr.split(" or ")
    if "OW" in choices and not ("US" in choices and level.lut_entries == 1):
        return "OW"
    return "SS" if "SS" in choices and level.signed else "US"
