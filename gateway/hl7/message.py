"""An HL7 version 2 message, from the bytes of a frame to the text of a component.

Reading never fails for want of a field: what is absent is the empty text, as HL7 means it. What
makes the bytes no message at all is refused by `decode`, with the place of the fault.
"""

import codecs
import contextlib
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import hl7  # type: ignore[import-untyped]

from gateway.hl7.faults import ErrorCode, RefusedMessage

CHARACTER_SETS: Final = {
    "ASCII": "ascii",
    "8859/1": "iso-8859-1",
    "8859/15": "iso-8859-15",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
}
"""Codecs by MSH-18 (HL7 table 0211, and the form without UNICODE that some senders write)."""

UNNAMED_CHARACTER_SETS: Final = ("utf-8", "iso-8859-1")
"""Tried in this order where MSH-18 is empty.

That means ASCII, yet senders that leave it empty write accents, in UTF-8 or in 8859/1, which is
what French messages fall back to. Text in 8859/1 with accents is all but never valid UTF-8.
"""

PARTS_MAX = 100_000
"""Segments, fields, repetitions, components: each costs some hundred bytes once parsed."""

HEADER_BYTES_MAX = 4096
"""An MSH segment is some hundred bytes long; beyond this, nothing of it is looked at."""

_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CHARACTER_SET_FIELD = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields of MSH as they stand, one character per byte, for whoever must answer.

    It is read before the character set is known, and from messages that are refused. An absent
    field, or a header that is none, reads as empty.
    """

    separator: str = "|"
    encoding: str = "^~\\&"
    fields: tuple[str, ...] = ()
    """MSH-3 and those after it."""

    def field(self, number: int) -> str:
        """MSH-`number`, from 3 on, in its own separators."""
        return self.fields[number - 3] if number - 3 < len(self.fields) else ""

    @property
    def escapes(self) -> dict[str, str]:
        """Each delimiter with the name of its escape sequence (HL7 2.5 §2.7.1)."""
        return dict(zip(self.separator + self.encoding, "FSRET", strict=False))


def read_header(message: bytes) -> Header:
    """The header of a message, or an empty one where the bytes start with none. Never raises."""
    text = _trimmed(message[:HEADER_BYTES_MAX]).decode("latin-1")
    line = re.split(r"[\r\n]", text, maxsplit=1)[0]
    if not line.startswith("MSH") or len(line) < 5:
        return Header()
    encoding, *fields = line[4:].split(line[3])
    delimiters = line[3] + encoding
    # A fifth encoding character marks cut values (HL7 2.7 §2.5.5.2).
    if len(encoding) not in (4, 5) or len(set(delimiters)) != len(delimiters):
        return Header()
    if any(one.isalnum() or not "!" <= one <= "~" for one in delimiters):
        return Header()
    return Header(
        separator=line[3],
        encoding=encoding,
        fields=tuple(_CONTROL.sub("", field) for field in fields),
    )


class Segment:
    """One segment; fields, repetitions, components and subcomponents count from 1."""

    def __init__(self, parsed: hl7.Segment, *, place: int, header: Header, codec: str) -> None:
        self._parsed = parsed
        self._place = place
        self._header = header
        self._codec = codec

    @property
    def name(self) -> str:
        """The three letters that name it."""
        return _leaf(self._parsed, (0,))

    def at(self, *path: int) -> str:
        """Where the field is, as an ERL (HL7 2.5 §2.A.28).

        Args:
            path: the field; its repetition; the component.
        """
        return "^".join([self.name, *map(str, (self._place, *path))])

    def repetitions(self, field: int) -> int:
        """How often the field is given; 0 where it is absent or empty."""
        if field >= len(self._parsed):
            return 0
        node = self._parsed[field]
        return len(node) if str(node) else 0

    def text(
        self, field: int, component: int = 1, subcomponent: int = 1, *, repetition: int = 1
    ) -> str:
        """The unescaped value, blanks around it cut; empty where it is absent or null.

        Raises:
            RefusedMessage: an escape sequence stands for no character.
        """
        path = (field, repetition - 1, component - 1, subcomponent - 1)
        value = _leaf(self._parsed, path)
        if value == '""':  # the null value (HL7 2.5 §2.5.3): known to be nothing
            return ""
        escape = self._header.encoding[2]
        if escape in value:
            try:
                value = _unescaped(value, header=self._header, codec=self._codec)
            except ValueError:
                raise RefusedMessage(
                    "an escape sequence is not known",
                    code=ErrorCode.DATA_TYPE,
                    location=self.at(field),
                ) from None
        return value.strip()


class Segments:
    """Segments in their order: a whole message, or those of it that belong together."""

    def __init__(self, segments: tuple[Segment, ...]) -> None:
        self._segments = segments

    @property
    def first(self) -> Segment:
        """The segment that they begin with."""
        return self._segments[0]

    def segments(self, name: str) -> list[Segment]:
        """All segments of this name, in their order."""
        return [segment for segment in self._segments if segment.name == name]

    def groups(self, opening: str) -> list["Segments"]:
        """Groups that each begin with a segment of this name; what stands before the first
        belongs to none."""
        groups: list[list[Segment]] = []
        for segment in self._segments:
            if segment.name == opening:
                groups.append([])
            if groups:
                groups[-1].append(segment)
        return [Segments(tuple(group)) for group in groups]


class Message(Segments):
    """A whole message that could be read. `digest` is the SHA-256 of its bytes, in hex."""

    def __init__(self, segments: tuple[Segment, ...], *, header: Header, digest: str) -> None:
        super().__init__(segments)
        self.header = header
        self.digest = digest

    @property
    def msh(self) -> Segment:
        """The header segment, which every message has."""
        return self.first


def decode(message: bytes) -> Message:
    """Read a message by the character set that its MSH-18 names.

    Segments end in CR, as the standard says, or in LF or CR LF, as files do.

    Raises:
        RefusedMessage: the bytes are no message.
    """
    header = read_header(message)
    if not header.fields:
        raise RefusedMessage(
            "the message does not start with a usable MSH segment",
            code=ErrorCode.SEGMENT_SEQUENCE,
            location="MSH^1",
        )
    text, codec = _decoded(message, header)
    parsed = hl7.parse("\r".join(_lines(text, header)))
    places: Counter[str] = Counter()
    segments = []
    for one in parsed:
        places[str(one[0])] += 1
        segments.append(Segment(one, place=places[str(one[0])], header=header, codec=codec))
    return Message(tuple(segments), header=header, digest=hashlib.sha256(message).hexdigest())


def _decoded(message: bytes, header: Header) -> tuple[str, str]:
    """The text, and the codec that it was written in."""
    trimmed = _trimmed(message)
    for codec in _codecs(header):
        # The codec's own message quotes the bytes that it met.
        with contextlib.suppress(UnicodeDecodeError):
            return trimmed.decode(codec), codec
    raise RefusedMessage(
        "the message is not written in the character set that MSH-18 names",
        code=ErrorCode.DATA_TYPE,
        location="MSH^1^18",
    )


def _codecs(header: Header) -> tuple[str, ...]:
    # Further repetitions name sets to switch to by escape sequence, which nobody does.
    named = header.field(_CHARACTER_SET_FIELD).split(header.encoding[1])[0].strip().upper()
    if not named:
        return UNNAMED_CHARACTER_SETS
    codec = CHARACTER_SETS.get(named)
    if codec is None:
        raise RefusedMessage(
            "the character set of MSH-18 is not supported: send UNICODE UTF-8, 8859/1 or 8859/15",
            code=ErrorCode.TABLE_VALUE_NOT_FOUND,
            location="MSH^1^18",
        )
    return (codec,)


def _trimmed(message: bytes) -> bytes:
    return message.removeprefix(codecs.BOM_UTF8).strip(b"\r\n\t ")


def _lines(text: str, header: Header) -> list[str]:
    """The segments as text, checked for what the parser must not meet."""
    delimiters = header.separator + header.encoding + "\r\n"
    if sum(text.count(one) for one in delimiters) > PARTS_MAX:
        raise RefusedMessage("the message has too many parts", code=ErrorCode.INTERNAL)
    lines = [line for line in text.replace("\n", "\r").split("\r") if line]
    for number, line in enumerate(lines, start=1):
        if _CONTROL.search(line):
            raise RefusedMessage(
                f"line {number} holds control characters", code=ErrorCode.DATA_TYPE
            )
        named = _SEGMENT_NAME.fullmatch(line[:3])
        if not named or line[3:4] not in ("", header.separator):
            raise RefusedMessage(
                f"line {number} is no segment: is there a line break inside a field?",
                code=ErrorCode.SEGMENT_SEQUENCE,
            )
        if number > 1 and line.startswith("MSH"):
            raise RefusedMessage(
                "a second MSH: send one message in each frame", code=ErrorCode.SEGMENT_SEQUENCE
            )
    return lines


def _leaf(node: object, path: tuple[int, ...]) -> str:
    """The text at a path of indices. Where the tree is shallower, what is there is the first part,
    and where it is deeper its first leaf is meant (HL7 2.5 §2.8.2)."""
    for index in path:
        if isinstance(node, str):
            if index > 0:
                return ""
        elif isinstance(node, list) and 0 <= index < len(node):
            node = node[index]
        else:
            return ""
    while isinstance(node, list):
        node = node[0] if node else ""
    return str(node)


def _unescaped(value: str, *, header: Header, codec: str) -> str:
    """The value with its escape sequences replaced (HL7 2.5 §2.7).

    The library can do this too, but it logs values that it cannot read, and those name patients.

    Raises:
        ValueError: one of them stands for no character.
    """
    escape = header.encoding[2]
    characters = {
        **{name: delimiter for delimiter, name in header.escapes.items()},
        # Highlighting and line breaks: no value that is read here has any.
        "H": "",
        "N": "",
        ".br": " ",
    }

    def replace(sequence: re.Match[str]) -> str:
        name = sequence[1]
        if name in characters:
            return characters[name]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", name):
            return _CONTROL.sub("", bytes.fromhex(name[1:]).decode(codec))
        raise ValueError("not an escape sequence")

    mark = re.escape(escape)
    return re.sub(f"{mark}([^{mark}]*){mark}", replace, value)
