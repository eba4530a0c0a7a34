"""Writes a data set as DICOM JSON (PS3.18 Annex F).

It reads Explicit VR Little Endian itself, without the objects of a general library: metadata of a
study is asked for whole, and a study has thousands of headers. IS and DS become JSON numbers; one
that cannot be read becomes null, for a reader that expects a number would drop the whole study.
"""

import base64
import math
import re
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR

JsonDataSet = dict[str, dict[str, Any]]

NESTING_MAX: Final = 64  # sequences within each other
PARTS_MAX: Final = 1_000_000
"""Elements, items and values: a few bytes each in the data set, a few hundred each in memory."""

_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_CHARACTER_SET: Final = 0x00080005

_BINARY: Final = frozenset("OB OD OF OL OV OW UN".split())
_LONG: Final = _BINARY | frozenset("SQ SV UC UR UT UV".split())
_NUMBERS: Final = {
    "FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q",
}  # fmt: skip
_ENCODED: Final = frozenset("LO LT PN SH ST UC UT".split())
"""Texts in the data set's own character set; the others are in the default repertoire."""
_ONE_TEXT: Final = frozenset("LT ST UR UT".split())
"""Texts in which a backslash parts nothing, and leading blanks count (PS3.5 §6.2)."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_DELIMITERS: Final = {0x0D, 0x0A, 0x09, 0x0C, 0x5C}  # where code extensions end, PS3.5 §6.1.2.5.3
_NAME_DELIMITERS: Final = _DELIMITERS | {0x5E, 0x3D}
_EXACT_MAX: Final = 2**53  # integers beyond it are no numbers to a JSON reader (RFC 8259 §6)


def read_json(data_set: bytes, apart: Mapping[str, str] = MappingProxyType({})) -> JsonDataSet:
    """The JSON object of a data set in Explicit VR Little Endian, before it is written.

    Sequences and their items must be of undefined length, and pixels must have been left out.

    Args:
        apart: where a value is fetched that stands in the data set as if it were empty, by its path
            (see `Place`).

    Raises:
        ValueError: the bytes are no such data set.
    """
    try:
        return _Reader(data_set, apart).data_set()
    except (struct.error, IndexError) as error:
        raise ValueError("the data set is cut short") from error


def write_json(data_set: bytes) -> bytes:
    """The bytes of `read_json`.

    Raises:
        ValueError: the bytes are no such data set.
    """
    return orjson.dumps(read_json(data_set))


def element(vr: str, *values: Any) -> dict[str, Any]:
    """One attribute with these values; with none, or an empty one, it is empty (PS3.18 §F.2.5)."""
    if values in ((), ("",), (None,)):
        return {"vr": vr}
    if vr == "PN":
        return {"vr": vr, "Value": [_name(value) for value in values]}
    return {"vr": vr, "Value": list(values)}


class JsonArray:
    """A body of such objects (PS3.18 §F.2.1). What it writes, one after the other, is the body."""

    def __init__(self, content_type: str) -> None:
        self.content_type: Final = content_type
        self._before = b"["

    def data_set(self, told: bytes) -> bytes:
        """The next data set, from its JSON object."""
        before, self._before = self._before, b","
        return before + told

    def end(self) -> bytes:
        """What goes after the last."""
        return b"[]" if self._before == b"[" else b"]"


class _Reader:
    def __init__(self, source: bytes, apart: Mapping[str, str]) -> None:
        self._source = source
        self._apart = apart
        self._at = 0
        self._parts = 0

    def data_set(self) -> JsonDataSet:
        return self._elements([], "", depth=0)

    def _elements(self, encodings: list[str], path: str, *, depth: int) -> JsonDataSet:
        """The elements up to the end of the data set, or of the item that is being read."""
        if depth > NESTING_MAX:
            raise ValueError("sequences are nested too deeply")
        told: JsonDataSet = {}
        encodings = encodings or ["iso8859"]
        while self._at < len(self._source):
            tag = self._tag()
            if tag == _ITEM_END:
                self._at += 4
                return told
            vr, length = self._vr_and_length()
            name = f"{tag:08X}"
            if vr == "SQ":
                items = self._items(encodings, f"{path}{name}/", depth=depth)
                told[name] = element(vr, *items)
                continue
            if not length and (uri := self._apart.get(path + name)) is not None:
                told[name] = {"vr": _known_vr(tag) if vr == "UN" else vr, "BulkDataURI": uri}
                continue
            value = self._source[self._at : self._at + length]
            self._at += length
            if vr == "UN":
                vr = _known_vr(tag)
            if tag == _CHARACTER_SET:
                encodings = _python_encodings(value)
                # What is written here is UTF-8 (PS3.18 Annex F).
                value = b"ISO_IR 192" if value.strip(b" \0") else b""
            self._count(1 + value.count(b"\\"))
            told[name] = _attribute(vr, value, encodings)
        if depth:
            raise ValueError("an item does not end")
        return told

    def _items(self, encodings: list[str], path: str, *, depth: int) -> list[JsonDataSet]:
        items: list[JsonDataSet] = []
        while self._tag() == _ITEM:
            self._at += 4
            self._count(1)
            inside = f"{path}{len(items) + 1}/"
            items.append(self._elements(encodings, inside, depth=depth + 1))
        self._at += 4
        return items

    def _count(self, parts: int) -> None:
        self._parts += parts
        if self._parts > PARTS_MAX:
            raise ValueError(f"it has more than {PARTS_MAX} parts")

    def _tag(self) -> int:
        group, number = struct.unpack_from("<HH", self._source, self._at)
        self._at += 4
        return int(group << 16 | number)

    def _vr_and_length(self) -> tuple[str, int]:
        vr = self._source[self._at : self._at + 2].decode("latin-1")
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", self._source, self._at + 4)
            self._at += 8
        else:
            (length,) = struct.unpack_from("<H", self._source, self._at + 2)
            self._at += 4
        if vr != "SQ" and self._at + length > len(self._source):
            raise ValueError("an element is cut short")
        return vr, length


def _known_vr(tag: int) -> str:
    """What a standard element is, though its writer did not know it (PS3.5 §6.2.2)."""
    try:
        vr = "UN" if tag >> 16 & 1 else dictionary_VR(tag)
    except KeyError:
        return "UN"
    return "UN" if vr == "SQ" or " or " in vr else vr


def _attribute(vr: str, value: bytes, encodings: list[str]) -> dict[str, Any]:
    if not value:
        return {"vr": vr}
    if vr in _BINARY:
        return {"vr": vr, "InlineBinary": base64.b64encode(value).decode("ascii")}
    if vr == "AT":
        pairs = struct.iter_unpack("<HH", value[: len(value) // 4 * 4])
        return element(vr, *(f"{group:04X}{number:04X}" for group, number in pairs))
    if vr in _NUMBERS:
        return element(vr, *_numbers(_NUMBERS[vr], value))
    return _text_attribute(vr, value, encodings)


def _text_attribute(vr: str, value: bytes, encodings: list[str]) -> dict[str, Any]:
    if vr in _ENCODED:
        text = decode_bytes(value, encodings, _NAME_DELIMITERS if vr == "PN" else _DELIMITERS)
    else:
        text = value.decode("latin-1")
    text = text.rstrip(" \0")
    if vr in _ONE_TEXT:
        return element(vr, text)
    read = _VALUES.get(vr, str)
    values = [read(part) if (part := one.strip(" \0")) else None for one in text.split("\\")]
    return element(vr, *values)


def _numbers(code: str, value: bytes) -> list[Any]:
    size_bytes = struct.calcsize(code)
    count = len(value) // size_bytes
    return [_number(one) for one in struct.unpack_from(f"<{count}{code}", value)]


def _number(value: int | float) -> int | float | str:
    """JSON has no word for what is no number, nor room for the longest (PS3.18 §F.2.3)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value).replace("nan", "NaN")
    return value if abs(value) <= _EXACT_MAX else str(value)


def _integer(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


def _decimal(text: str) -> float | None:
    if not _DECIMAL.fullmatch(text) or not math.isfinite(value := float(text)):
        return None
    return value


def _name(text: str | None) -> dict[str, str] | None:
    """A person's name by its component groups (PS3.5 §6.2.1.2, PS3.18 §F.2.2)."""
    if text is None:
        return None
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {name: group.rstrip(" ") for name, group in groups if group.strip()}


_VALUES: Final[Mapping[str, Callable[[str], Any]]] = {"IS": _integer, "DS": _decimal}


def _python_encodings(value: bytes) -> list[str]:
    names = [name.strip(" \0") for name in value.decode("latin-1").split("\\")]
    # Of an unknown one, what is ASCII stays readable; pydicom would quote it in a warning.
    known = [name for name in names if name in python_encoding]
    return convert_encodings(known) if known else ["iso8859"]
