"""Writes data sets and files (PS3.5 §7, PS3.10 §7) from values that fit their VR already.

pydicom would check and wrap every value once more: that took ten times as long, and refused the UID
of an old modality.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.model.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.model.sop_classes import KEY_OBJECTS

Item = Mapping[str, object]
"""Values by keyword: a text, several texts, bytes, or the items of a sequence."""

_ITEM_TAG: Final = b"\xfe\xff\x00\xe0"
_LONG_VRS: Final = frozenset({"OB", "SQ", "UC", "UN", "UR", "UT"})  # PS3.5 §7.1.2
_NOT_KNOWN_YET: Final = {  # pydicom has no such keywords
    "DisplayURI": (0x0040E012, "UR"),
    "MadoPrivateCreator": (0x000D0011, "LO"),
    "MadoPrivateDisplayURI": (0x000D1101, "UR"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How values become bytes."""

    explicit: bool
    """Whether each element tells its VR. Bytes are in little endian order in any case."""
    character_set: str
    """Specific Character Set (PS3.3 §C.12.1.1.2)."""
    codec: str


IMPLICIT_LATIN_1: Final = Encoding(explicit=False, character_set="ISO_IR 100", codec="latin-1")
IMPLICIT_UTF_8: Final = Encoding(explicit=False, character_set="ISO_IR 192", codec="utf-8")
EXPLICIT_UTF_8: Final = Encoding(explicit=True, character_set="ISO_IR 192", codec="utf-8")


def key_object_file(document: Item, encoding: Encoding) -> bytes:
    """A key object document as a file.

    Raises:
        UnicodeEncodeError: a text does not fit the character set.
    """
    syntax = ExplicitVRLittleEndian if encoding.explicit else ImplicitVRLittleEndian
    meta = encode(
        {
            "FileMetaInformationVersion": b"\0\1",
            "MediaStorageSOPClassUID": KEY_OBJECTS,
            "MediaStorageSOPInstanceUID": document["SOPInstanceUID"],
            "TransferSyntaxUID": syntax,
            "ImplementationClassUID": IMPLEMENTATION_CLASS_UID,
            "ImplementationVersionName": IMPLEMENTATION_VERSION,
        },
        EXPLICIT_UTF_8,
    )
    length = b"\2\0\0\0UL\4\0" + len(meta).to_bytes(4, "little")
    told = {**document, "SOPClassUID": KEY_OBJECTS, "SpecificCharacterSet": encoding.character_set}
    return b"".join((bytes(128), b"DICM", length, meta, encode(told, encoding)))


def encode(item: Item, encoding: Encoding) -> bytes:
    """The elements of an item, in the order of their tags."""
    known = sorted((_known(keyword), value) for keyword, value in item.items())
    return b"".join(_element(*element, value, encoding) for element, value in known)


def _element(_tag: int, tag: bytes, vr: str, value: object, encoding: Encoding) -> bytes:
    content = _value(vr, value, encoding)
    if not encoding.explicit:
        return tag + len(content).to_bytes(4, "little") + content
    if vr in _LONG_VRS:
        return tag + vr.encode() + b"\0\0" + len(content).to_bytes(4, "little") + content
    return tag + vr.encode() + len(content).to_bytes(2, "little") + content


def _value(vr: str, value: object, encoding: Encoding) -> bytes:
    if vr == "SQ":
        return _items(cast(Sequence[Item], value), encoding)
    if isinstance(value, bytes):
        return value
    text = value if isinstance(value, str) else "\\".join(cast(Sequence[str], value))
    content = text.encode(encoding.codec)
    return content if len(content) % 2 == 0 else content + (b"\0" if vr == "UI" else b" ")


def _items(items: Sequence[Item], encoding: Encoding) -> bytes:
    contents = [encode(one, encoding) for one in items]
    return b"".join(_ITEM_TAG + len(one).to_bytes(4, "little") + one for one in contents)


@lru_cache(maxsize=256)
def _known(keyword: str) -> tuple[int, bytes, str]:
    tag, vr = _NOT_KNOWN_YET.get(keyword) or _in_dictionary(keyword)
    group, element = tag >> 16, tag & 0xFFFF
    return tag, group.to_bytes(2, "little") + element.to_bytes(2, "little"), vr


def _in_dictionary(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag, dictionary_VR(tag)
