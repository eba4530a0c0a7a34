"""Reads a manifest's data set (PS3.5 §7), whose writer is not to be trusted, as far as it is asked.

A manifest of a large study has thousands of items, of which a few values count. A general library
makes several objects of each value; here an item is a map from tags to where their values lie, and
a value becomes text when it is asked for. What is not there is empty.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, tag_for_keyword

from gateway.errors import InvalidRequest

DEPTH_MAX: Final = 32
"""Sequences of undefined length within each other; a manifest has some six."""

_UNDEFINED: Final = 0xFFFFFFFF
_DELIMITERS: Final = 0xFFFE  # group of what begins and ends items
_ITEM: Final = 0xE000
_HEAD_BYTES: Final = 8
_PADDING: Final = " \0"
_CHARACTER_SET: Final = 0x00080005
_LONG: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
"""VRs whose length takes four bytes in Explicit VR (PS3.5 §7.1.2)."""
_SEQUENCES: Final = frozenset({b"", b"SQ", b"UN"})
_NO_TEXT: Final = (_LONG - {b"UC", b"UN", b"UR", b"UT"}) | frozenset(
    {b"AT", b"FD", b"FL", b"SL", b"SS", b"UL", b"US"}
)
_ONE_TEXT: Final = frozenset({"LT", "ST", "UR", "UT"})
"""VRs in which a backslash parts nothing (PS3.5 §6.2)."""
_CODE_ENDS: Final = {0x0D, 0x0A, 0x09, 0x0C, 0x5C}
"""Where a character set that an escape began ends (PS3.5 §6.1.2.5.3)."""
_CODE_ENDS_OF_NAMES: Final = _CODE_ENDS | {0x5E, 0x3D}

_DEFAULT_CODECS: Final = ["iso8859"]
"""Of a data set that names no character set, whose texts may be in Latin-1 all the same."""

_KEYWORDS: Final = (
    "AccessionNumber", "CodeMeaning", "CodeValue", "CodingSchemeDesignator",
    "CodingSchemeExternalID", "CodingSchemeIdentificationSequence", "CodingSchemeUID",
    "ConceptCodeSequence", "ConceptNameCodeSequence", "ContentDate", "ContentSequence",
    "ContentTime", "CurrentRequestedProcedureEvidenceSequence", "Date", "InstanceNumber",
    "InstitutionName", "IssuerOfAccessionNumberSequence", "IssuerOfPatientIDQualifiersSequence",
    "LongCodeValue", "Manufacturer", "MeasuredValueSequence", "NumberOfFrames", "NumericValue",
    "OrderPlacerIdentifierSequence", "OtherPatientIDsSequence", "OtherPatientNames",
    "PatientBirthDate", "PatientBirthTime", "PatientComments", "PatientID", "PatientName",
    "PatientSex", "PlacerOrderNumberImagingServiceRequest", "ReferencedRequestSequence",
    "ReferencedSOPClassUID", "ReferencedSOPInstanceUID", "ReferencedSOPSequence",
    "ReferencedSeriesSequence", "ReferringPhysicianName", "RetrieveLocationUID", "RetrieveURL",
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "StudyDate",
    "StudyDescription", "StudyID", "StudyInstanceUID", "StudyTime", "TextValue", "Time",
    "TimezoneOffsetFromUTC", "TransferSyntaxUID", "UID", "UniversalEntityID",
)  # fmt: skip
_TAGS: Final = {keyword: cast(int, tag_for_keyword(keyword)) for keyword in _KEYWORDS}
_KNOWN: Final = {
    **{keyword: (tag, dictionary_VR(tag)) for keyword, tag in _TAGS.items()},
    "DisplayURI": (0x0040E012, "UR"),  # pydicom has no such keyword
}
_PRIVATE: Final = 0x000D0000
_BLOCKS: Final = range(0x10, 0x100)
_KEPT: Final = frozenset(
    {_CHARACTER_SET}
    | {tag for tag, _ in _KNOWN.values()}
    | {_PRIVATE | block for block in _BLOCKS}
    | {_PRIVATE | block << 8 | 0x01 for block in _BLOCKS}  # what MADO has there
)
"""What is kept of an item, so that a million other elements cost nothing."""


_HEADS: Final = {
    (True, True): struct.Struct("<HHL"),
    (True, False): struct.Struct(">HHL"),
    (False, True): struct.Struct("<HH2sH"),
    (False, False): struct.Struct(">HH2sH"),
}
"""What begins an element: its tag, then its length, or its VR and a short length. An item has no
VR in any encoding."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Bytes and how they are encoded."""

    data: bytes
    text: str
    """The same, a character a byte, as nearly all values are to be read."""
    implicit: bool
    little_endian: bool

    def number(self, at: int, size: int) -> int:
        """The unsigned number in so many bytes."""
        return int.from_bytes(self.data[at : at + size], "little" if self.little_endian else "big")

    def find(self, tag: int, start: int, end: int) -> int:
        """Where a tag's bytes begin among these, which values may hold, too; -1 nowhere."""
        return self.data.find(_written(tag, self.little_endian), start, end)

    def within(self, vr: bytes) -> "_Source":
        """How the items of an element are encoded; of an unknown one, implicitly (§6.2.2)."""
        return (
            _Source(self.data, self.text, implicit=True, little_endian=True)
            if vr == b"UN"
            else self
        )


_Found = dict[int, "tuple[int, int, bytes] | list[DataSet]"]
"""By tag: where a value begins and ends, with its VR where the file tells it; or its items."""


class DataSet:
    """A data set, or an item of a sequence, whose elements are found once one is asked for.

    Every method raises InvalidRequest where what is asked for is cut off, or nested too deep.
    """

    __slots__ = ("_above", "_found", "end", "source", "start")

    def __init__(self, source: _Source, start: int, end: int, above: "DataSet | None") -> None:
        """For this module."""
        self.source = source
        self.start = start
        self.end = end
        self._above = above
        self._found: _Found | None = None

    def __contains__(self, keyword: str) -> bool:
        tag, _ = _KNOWN[keyword]
        return tag in self._elements()

    def text(self, keyword: str) -> str:
        """The first value, without its padding."""
        tag, vr = _KNOWN[keyword]
        found = (self._elements() if self._found is None else self._found).get(tag)
        if found is None:
            return ""
        text = self._decoded(found, vr)
        if "\\" in text and vr not in _ONE_TEXT:
            return text.partition("\\")[0].strip(_PADDING)
        return text

    def texts(self, keyword: str) -> list[str]:
        """Each value that is not empty, without its padding."""
        tag, vr = _KNOWN[keyword]
        several = self._decoded(self._elements().get(tag, []), vr).split("\\")
        return [told for one in several if (told := one.strip(_PADDING))]

    def items(self, keyword: str) -> "list[DataSet]":
        """The items of a sequence."""
        tag, _ = _KNOWN[keyword]
        elements = self._elements()
        found = elements.get(tag)
        if not isinstance(found, tuple):
            return found or []
        at, end, vr = found
        if vr not in _SEQUENCES:
            return []
        elements[tag] = read = _read_items(self.source.within(vr), at, end, self, 0)[0]
        return read

    def first(self, keyword: str) -> "DataSet":
        """The first item of a sequence; one that holds nothing if there is none."""
        return next(iter(self.items(keyword)), NOTHING)

    def private(self, creator: str, element: int) -> str:
        """The address in an element of the block that `creator` has reserved in group 000D."""
        elements = self._elements()
        for block in _BLOCKS:
            if self._decoded(elements.get(_PRIVATE | block, []), "LO") == creator:
                return self._decoded(elements.get(_PRIVATE | block << 8 | element, []), "UR")
        return ""

    def _decoded(self, found: "tuple[int, int, bytes] | list[DataSet]", vr: str) -> str:
        if isinstance(found, list):
            return ""
        start, end, told_vr = found
        if told_vr in _NO_TEXT:
            return ""
        text = self.source.text[start:end]
        if not text.isascii() or "\x1b" in text:
            ends = _CODE_ENDS_OF_NAMES if vr == "PN" else _CODE_ENDS
            text = decode_bytes(text.encode("latin-1"), self._codecs(), ends)
        return text.strip(_PADDING)

    def _codecs(self) -> list[str]:
        """Of the character set that this item names, or else the one around it (PS3.5 §7.5.3)."""
        if (found := self._elements().get(_CHARACTER_SET)) is not None:
            return convert_encodings(self._decoded(found, "CS").split("\\"))
        return _DEFAULT_CODECS if self._above is None else self._above._codecs()

    def _elements(self) -> _Found:
        if self._found is None:
            self.find(0)
        assert self._found is not None
        return self._found

    def find(self, depth: int) -> int:
        """Find the elements; for this module. Returns where the item ends, delimited or not."""
        found: _Found = {}
        self._found = found
        source, at, end, kept = self.source, self.start, self.end, _KEPT
        data, implicit, vr = source.data, source.implicit, b""
        unpack = _HEADS[implicit, source.little_endian].unpack_from
        while at < end:
            if end - at < _HEAD_BYTES:
                raise _cut_off()
            if implicit:
                group, element, length = unpack(data, at)
                at += _HEAD_BYTES
            else:
                group, element, vr, length = unpack(data, at)
                at += _HEAD_BYTES
                if vr in _LONG:
                    length = source.number(at, 4)
                    at += 4
            if group == _DELIMITERS:
                return at
            tag = group << 16 | element
            if length == _UNDEFINED:
                items, at = _read_items(source.within(vr), at, end, self, depth + 1)
                if tag in kept:
                    found[tag] = items
            else:
                value_at, at = at, at + length
                if tag in kept:
                    found[tag] = (value_at, at, vr)
        if at > end:
            raise _cut_off()
        return at


def read_data_set(
    data: bytes, at: int, *, implicit: bool = False, little_endian: bool = True
) -> DataSet:
    """The data set from a byte to the end.

    Raises:
        InvalidRequest: it is cut off, or nested too deep.
    """
    source = _Source(data, data.decode("latin-1"), implicit, little_endian)
    data_set = DataSet(source, at, len(data), None)
    data_set.find(0)
    return data_set


def holding(items: list[DataSet], keyword: str) -> list[DataSet]:
    """Those that have an element, of items in their order; the others are hardly looked at.

    Raises:
        InvalidRequest: what is looked at is cut off, or nested too deep.
    """
    if not items:
        return []
    tag, _ = _KNOWN[keyword]
    source, end = items[0].source, items[-1].end
    named_at = source.find(tag, items[0].start, end)
    held: list[DataSet] = []
    for one in items:
        if one.source is source:
            if 0 <= named_at < one.start:  # between items, where it names nothing
                named_at = source.find(tag, one.start, end)
            if not 0 <= named_at < one.end:
                continue
            named_at = source.find(tag, one.end, end)
        if keyword in one:
            held.append(one)
    return held


def _read_items(
    source: _Source, at: int, end: int, above: DataSet, depth: int
) -> tuple[list[DataSet], int]:
    """The items of a sequence, and where it ends: at its delimiter, or at `end`."""
    if depth > DEPTH_MAX:
        raise InvalidRequest("the manifest is nested too deep")
    read: list[DataSet] = []
    data, unpack = source.data, _HEADS[True, source.little_endian].unpack_from
    while at < end:
        if end - at < _HEAD_BYTES:
            raise _cut_off()
        group, element, length = unpack(data, at)
        at += _HEAD_BYTES
        if group != _DELIMITERS:
            raise InvalidRequest("what should be an item of the manifest is none")
        if element != _ITEM:
            break
        is_delimited = length == _UNDEFINED
        item = DataSet(source, at, end if is_delimited else at + length, above)
        at = item.end = item.find(depth) if is_delimited else at + length
        if at > end:
            raise _cut_off()
        read.append(item)
    else:
        if depth:  # one of undefined length ends at its delimiter
            raise _cut_off()
    return read, at


@lru_cache(maxsize=256)
def _written(tag: int, little_endian: bool) -> bytes:
    return struct.pack("<HH" if little_endian else ">HH", tag >> 16, tag & 0xFFFF)


def _cut_off() -> InvalidRequest:
    return InvalidRequest("the manifest is cut off")


NOTHING: Final = DataSet(_Source(b"", "", implicit=True, little_endian=True), 0, 0, None)
