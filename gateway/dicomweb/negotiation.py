"""Chooses the form in which a client gets what it asked for (PS3.18 §8.7).

What a client takes comes in the `accept` query parameter, which is looked at first, and in the
Accept header. Values that cannot be read or are not known are passed over (PS3.18 §8.7.8). Where
the standard would refuse a request without an Accept header, it is served as if it took anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import InvalidRequest, NotAcceptable
from indexer.contract.identifiers import Uid
from indexer.framing.media_types import read_media_type

IMPLICIT_LITTLE_ENDIAN: Final = Uid("1.2.840.10008.1.2")
EXPLICIT_LITTLE_ENDIAN: Final = Uid("1.2.840.10008.1.2.1")
DEFLATED_LITTLE_ENDIAN: Final = Uid("1.2.840.10008.1.2.1.99")
EXPLICIT_BIG_ENDIAN: Final = Uid("1.2.840.10008.1.2.2")

FORBIDDEN_ON_THE_WEB: Final = frozenset({IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN})
"""Never sent, not even to one who names them (PS3.18 §8.7.3)."""

RE_ENCODED: Final = FORBIDDEN_ON_THE_WEB | {EXPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN}
"""What is given in Explicit VR Little Endian without touching a pixel."""

DICOM: Final = "application/dicom"
JSON_TYPES: Final = ("application/dicom+json", "application/json")
DICOM_XML: Final = "application/dicom+xml"
"""Of a part; what is told of several data sets has as many parts."""
XML_TYPES: Final = ("application/dicom+xml", "application/xml", "text/xml")

ACCEPT_LENGTH_MAX: Final = 8192
"""Characters of an Accept header or `accept` parameter."""
RANGES_MAX: Final = 64
"""Media ranges that are looked at in one."""

_COMMA_PARTED: Final = re.compile(r'(?:[^,"]|"[^"]*")+')
_TYPE: Final = re.compile(r"[!#$&^_.+a-z0-9*-]+/[!#$&^_.+a-z0-9*-]+")
_QUALITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRange:
    """One value of an Accept header (RFC 9110 §12.5.1), names in lower case."""

    kind: str
    parameters: Mapping[str, str]
    quality: float
    """In (0, 1]; what a client refuses with 0 is not kept."""

    @property
    def specificity(self) -> tuple[int, int]:
        """Sorts `*/*` before `type/*` before a type, and that before a type with parameters."""
        wildcards = self.kind.count("*")
        return (-wildcards, len(self.parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceForm:
    """How an instance leaves."""

    multipart: bool
    transfer_syntax: Uid


def parse_accept(text: str) -> list[MediaRange]:
    """The media ranges of an Accept header, the most wanted first; unreadable ones are left out.

    Raises:
        InvalidRequest: the text is longer than `ACCEPT_LENGTH_MAX`.
    """
    if len(text) > ACCEPT_LENGTH_MAX:
        raise InvalidRequest(f"what is accepted is longer than {ACCEPT_LENGTH_MAX} characters")
    ranges = []
    for part in _COMMA_PARTED.findall(text)[:RANGES_MAX]:
        if (media := _parse_range(part)) is not None:
            ranges.append(media)
    return sorted(ranges, key=lambda media: (media.quality, media.specificity), reverse=True)


def _parse_range(text: str) -> MediaRange | None:
    kind, parameters = read_media_type(text)
    quality = parameters.pop("q", "1")
    if not _TYPE.fullmatch(kind) or not _QUALITY.fullmatch(quality) or not float(quality):
        return None
    return MediaRange(kind=kind, parameters=parameters, quality=float(quality))


class Accepted:
    """What a client takes.

    Args:
        header: the Accept header; None where the request had none.
        parameter: the `accept` query parameter; None where there was none.

    Raises:
        InvalidRequest: one of the two is too long.
    """

    def __init__(self, header: str | None, parameter: str | None = None) -> None:
        # In a query an unescaped plus reads as a blank, and no media type holds a blank.
        asked = re.sub(r"(?<=[a-z]) (?=[a-z])", "+", parameter or "")
        ranges = parse_accept(asked)
        self._asked = [media for media in ranges if "*" not in media.kind]  # PS3.18 §8.3.3.1
        self._accepted = parse_accept("*/*" if header is None else header)

    def instance_form(self, stored: Uid, *, single: bool) -> InstanceForm:
        """How an instance that is stored in this transfer syntax is given (PS3.18 §8.7.3, §8.7.8).

        Args:
            stored: transfer syntax of the file.
            single: whether the resource is one instance, the only case for a body without parts.

        Raises:
            NotAcceptable: the client takes no form that can be given without decompression.
        """
        takes_instances = False
        for media in (*self._asked, *self._accepted):
            multipart = _asks_for_instances(media, single=single)
            if multipart is None:
                continue
            takes_instances = True
            syntax = _given_as(stored, media.parameters.get("transfer-syntax"))
            if syntax is not None:
                return InstanceForm(multipart=multipart, transfer_syntax=syntax)
        if takes_instances:
            raise NotAcceptable(
                f"the instance is held in transfer syntax {stored} and is not transcoded: accept"
                ' multipart/related; type="application/dicom"; transfer-syntax=*'
            )
        raise NotAcceptable('instances are given as multipart/related; type="application/dicom"')

    def json_type(self) -> str:
        """The content type of search results (PS3.18 §10.6.3).

        Raises:
            NotAcceptable: the client takes no JSON.
        """
        for media in (*self._asked, *self._accepted):
            if media.kind in JSON_TYPES:
                return media.kind
            if media.kind in ("*/*", "application/*"):
                return JSON_TYPES[0]
        raise NotAcceptable("this resource is given as application/dicom+json")

    def one_of(self, *given: str) -> str:
        """The type to give of those that can be given, the default first.

        Raises:
            NotAcceptable: the client takes none of them.
        """
        for media in (*self._asked, *self._accepted):
            for kind in given:
                if media.kind in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
                    return kind
        raise NotAcceptable(f"this resource is given as {' or '.join(given)}")

    def model_type(self) -> str:
        """How data sets without pixels are given (PS3.18 §10.4.3, §10.6.3): one of `JSON_TYPES`
        for an array, or `DICOM_XML` for parts of that type.

        Raises:
            NotAcceptable: the client takes neither.
        """
        for media in (*self._asked, *self._accepted):
            if media.kind in JSON_TYPES:
                return media.kind
            if media.kind in ("multipart/related", "multipart/*"):
                if media.parameters.get("type", DICOM_XML).lower() == DICOM_XML:
                    return DICOM_XML
            elif media.kind in ("*/*", "application/*"):
                return JSON_TYPES[0]
        raise NotAcceptable(
            f'this resource is given as {JSON_TYPES[0]} or as multipart/related; type="{DICOM_XML}"'
        )

    def report_type(self) -> str:
        """The content type of the answer to a Store transaction: JSON or XML (PS3.18 §10.5.3).

        Raises:
            NotAcceptable: the client takes neither.
        """
        for media in (*self._asked, *self._accepted):
            if media.kind in JSON_TYPES + XML_TYPES:
                return media.kind
            if media.kind in ("*/*", "application/*"):
                return JSON_TYPES[0]
        raise NotAcceptable("what was stored is told as application/dicom+json or +xml")


def _asks_for_instances(media: MediaRange, *, single: bool) -> bool | None:
    """True for parts, False for the instance alone, None where the range means something else."""
    if media.kind in ("multipart/related", "multipart/*"):
        part_type = media.parameters.get("type", DICOM).lower()
        return True if part_type in (DICOM, "*/*", "application/*") else None
    if media.kind == "*/*":
        return True
    if media.kind in (DICOM, "application/*"):
        return False if single else None
    return None


def _given_as(stored: Uid, asked: str | None) -> Uid | None:
    """The transfer syntax to send; None where the client cannot have this one.

    Without a word from the client it is Explicit VR Little Endian (PS3.18 §8.7.3.4).
    """
    wanted = EXPLICIT_LITTLE_ENDIAN if asked is None else asked
    if wanted in ("*", stored) and stored not in FORBIDDEN_ON_THE_WEB:
        return stored
    if wanted in ("*", EXPLICIT_LITTLE_ENDIAN) and stored in RE_ENCODED:
        return EXPLICIT_LITTLE_ENDIAN
    return None
