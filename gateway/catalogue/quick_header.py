"""Reads the texts of a header from Explicit VR Little Endian, as almost every instance comes.

pydicom builds an object for each element, which takes half of the time in which an instance is
taken in. What is out of the ordinary in any way is left to it: nothing is told of it here.
"""

import re
from collections.abc import Iterator, Mapping
from struct import Struct, error
from typing import Final

import orjson
from pydicom.datadict import dictionary_VR, tag_for_keyword

_SHORT: Final = Struct("<HH2sH")  # tag, VR, length (PS3.5 §7.1.2)
_LONG: Final = Struct("<I")
_DELIMITED: Final = Struct("<HHI")  # an item, or the end of one or of a sequence (PS3.5 §7.5)

_SHORT_VRS: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
_LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_END_OF_ITEM: Final = b"\xfe\xff\x0d\xe0UI\0\0"
"""After the last element of an item: greater than any, and whole."""
ITEMS_MAX: Final = 64
"""Items that are told of one sequence."""
_NESTING_MAX: Final = 16  # deeper ones are out of the ordinary

_GROUPS_BEFORE: Final = 0x0007FFFF  # of commands and files, which no data set has
_CHARACTER_SET: Final = 0x00080005
_ENCODINGS: Final = {b"": "latin-1", b"ISO_IR 6": "latin-1", b"ISO_IR 100": "latin-1",
                     b"ISO_IR 192": "utf-8"}  # fmt: skip
_ENCODED: Final = frozenset((b"LO", b"PN", b"SH"))
_INTEGERS: Final = re.compile(r"[+-]?[0-9]{1,12}(\\[+-]?[0-9]{1,12})*", re.ASCII)


class _OutOfTheOrdinary(Exception):
    pass


class QuickHeader:
    """Reads these attributes, each by its keyword in its own VR.

    Args:
        texts: keywords of what is told.
        items: keywords of sequences, with those of what is told of each of their items.
        sequences: keywords of what nothing quick can be told of, unless it is empty or absent.
        length_max: characters that are told of a text.
    """

    def __init__(
        self,
        texts: tuple[str, ...],
        items: Mapping[str, tuple[str, ...]],
        sequences: tuple[str, ...],
        *,
        length_max: int,
    ) -> None:
        self._length_max = length_max
        self._texts = _by_tag(texts)
        self._items = {_tag(one): (one, _by_tag(told)) for one, told in items.items()}
        self._sequences = {_tag(one) for one in sequences}
        self._last = max(self._texts.keys() | self._items.keys() | self._sequences)

    def read(self, start: bytes) -> Mapping[str, str] | None:
        """What the start of a data set tells by keyword; what is empty or absent is left out.

        None where it does not hold the whole header, or pydicom must look.
        """
        try:
            return self._read(start)
        except (_OutOfTheOrdinary, UnicodeDecodeError, IndexError, error):
            return None

    def _read(self, start: bytes) -> dict[str, str]:
        told: dict[str, str] = {}
        encoding = "latin-1"
        for tag, vr, value in _elements(start, self._last):
            if tag == _CHARACTER_SET:
                encoding = _ENCODINGS.get(value.strip(b" \0"), "")
                if not encoding:
                    raise _OutOfTheOrdinary
            elif (asked := self._texts.get(tag)) is not None:
                self._tell(told, asked, vr, value, encoding)
            elif tag in self._items and vr == b"SQ":
                keyword, texts = self._items[tag]
                if items := self._told_items(value, texts, encoding):
                    told[keyword] = items
            elif tag in self._items or (tag in self._sequences and (vr != b"SQ" or value)):
                raise _OutOfTheOrdinary
        return told

    def _tell(
        self, told: dict[str, str], asked: tuple[str, bytes], vr: bytes, value: bytes, encoding: str
    ) -> None:
        keyword, expected = asked
        if vr != expected:
            raise _OutOfTheOrdinary
        if text := _text(vr, value, encoding if vr in _ENCODED else "latin-1"):
            told[keyword] = text[: self._length_max]

    def _told_items(
        self, value: bytes, texts: Mapping[int, tuple[str, bytes]], encoding: str
    ) -> str:
        """What the items tell, as JSON; as `header` tells what pydicom reads."""
        told = []
        for item in _items(value):
            of_item: dict[str, str] = {}
            for tag, vr, of_element in _elements(item + _END_OF_ITEM, max(texts)):
                if tag == _CHARACTER_SET:
                    raise _OutOfTheOrdinary
                if tag in texts:
                    self._tell(of_item, texts[tag], vr, of_element, encoding)
            told.append({one: of_item[one] for one, _ in texts.values() if one in of_item})
        if len(told) > ITEMS_MAX:
            raise _OutOfTheOrdinary
        return orjson.dumps(told).decode() if any(told) else ""


def _tag(keyword: str) -> int:
    return int(tag_for_keyword(keyword) or 0)


def _by_tag(keywords: tuple[str, ...]) -> dict[int, tuple[str, bytes]]:
    return {_tag(one): (one, dictionary_VR(one).encode()) for one in keywords}


def _items(value: bytes) -> Iterator[bytes]:
    """The items of a sequence's value, whose end may be marked."""
    at = 0
    while at < len(value):
        *tag, length = _DELIMITED.unpack_from(value, at)
        at += 8
        if tuple(tag) == _SEQUENCE_END and at == len(value):
            return
        if tuple(tag) != _ITEM:
            raise _OutOfTheOrdinary
        if length == _UNDEFINED:
            after = _after_item(value, at, 0)
            yield value[at : after - 8]
        else:
            after = at + length
            yield value[at:after]
        at = after
    if at != len(value):
        raise _OutOfTheOrdinary


def _elements(start: bytes, last: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Elements up to the last that is looked for."""
    at, before = 0, _GROUPS_BEFORE
    while True:
        group, number, vr, length = _SHORT.unpack_from(start, at)
        tag = group << 16 | number
        if tag > last:
            return
        if tag <= before:
            raise _OutOfTheOrdinary
        at, before = at + 8, tag
        if vr in _LONG_VRS:
            (length,) = _LONG.unpack_from(start, at)
            at += 4
        elif vr not in _SHORT_VRS:
            raise _OutOfTheOrdinary
        if length == _UNDEFINED:
            if vr != b"SQ":
                raise _OutOfTheOrdinary
            begins_at, at = at, _after_items(start, at, 0)
            yield tag, vr, start[begins_at:at]
            continue
        if at + length > len(start):
            raise _OutOfTheOrdinary
        yield tag, vr, start[at : at + length]
        at += length


def _after_items(start: bytes, at: int, depth: int) -> int:
    """Where a sequence of undefined length ends."""
    if depth > _NESTING_MAX:
        raise _OutOfTheOrdinary
    while True:
        *tag, length = _DELIMITED.unpack_from(start, at)
        at += 8
        if tuple(tag) == _SEQUENCE_END:
            return at
        if tuple(tag) != _ITEM:
            raise _OutOfTheOrdinary
        at = _after_item(start, at, depth) if length == _UNDEFINED else at + length


def _after_item(start: bytes, at: int, depth: int) -> int:
    while True:
        group, number, vr, length = _SHORT.unpack_from(start, at)
        at += 8
        if (group, number) == _ITEM_END:
            return at
        if vr in _LONG_VRS:
            (length,) = _LONG.unpack_from(start, at)
            at += 4
        elif vr not in _SHORT_VRS:
            raise _OutOfTheOrdinary
        if length != _UNDEFINED:
            at += length
        elif vr == b"SQ":
            at = _after_items(start, at, depth + 1)
        else:
            raise _OutOfTheOrdinary


def _text(vr: bytes, value: bytes, encoding: str) -> str:
    """As `header.text` tells what pydicom reads."""
    if vr == b"US":
        if len(value) % 2:
            raise _OutOfTheOrdinary
        numbers = [value[at : at + 2] for at in range(0, len(value), 2)]
        return "\\".join(str(int.from_bytes(one, "little")) for one in numbers)
    text = value.decode(encoding)
    if "\\" in text:
        text = "\\".join(one.strip(" \0") for one in text.split("\\"))
    else:
        text = text.strip(" \0")
    if vr == b"IS" and text and not _INTEGERS.fullmatch(text):
        raise _OutOfTheOrdinary
    return text
