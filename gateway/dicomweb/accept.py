"""What a client takes: its Accept header and `accept` parameter, and which of several forms of a
resource they prefer (PS3.18 §8.7.5, §8.7.8; RFC 9110 §12.5.1).

Values that cannot be read or are not known are passed over. Where the standard would refuse a
request without an Accept header, it is served as if it took anything.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from gateway.errors import InvalidRequest, NotAcceptable
from indexer.contract.identifiers import Uid
from indexer.framing.media_types import read_media_type

ACCEPT_LENGTH_MAX: Final = 8192
"""Characters of an Accept header or `accept` parameter."""
RANGES_MAX: Final = 64
"""Media ranges that are looked at in one."""
ACCEPTED_KEPT: Final = 256
"""Of what was told last: a viewer says the same in each of its requests."""

MULTIPART: Final = "multipart/related"
OCTETS: Final = "application/octet-stream"
AS_STORED: Final = "*"
"""The transfer syntax of one who takes whatever an instance is held in (PS3.18 §8.7.3.5.2)."""

_DICOM_TYPES: Final = frozenset(
    "application/dicom application/dicom+json application/dicom+xml application/octet-stream"
    " image/dicom-rle image/x-dicom-rle image/jls image/x-jls image/jpx image/jphc".split()
)
_RENDERED_TYPES: Final = frozenset(
    "image/png image/gif text/html text/plain text/rtf application/pdf".split()
)
"""Of both, those that PS3.18 Tables 8.7.3-2 to 8.7.3-5 and 8.7.4-1 do not share."""

_COMMA_PARTED: Final = re.compile(r'(?:[^,"]|"[^"]*")+')
_TYPE: Final = re.compile(r"[!#$&^_.+a-z0-9*-]+/[!#$&^_.+a-z0-9*-]+")
_QUALITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_OUR_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "*"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How something leaves."""

    kind: str
    """Media type of each part, or of the body that has none."""
    multipart: bool = False
    transfer_syntax: Uid | None = None
    """None where the media type has no such parameter."""

    @property
    def part_type(self) -> str:
        """Content-Type of each part, or of the body that has none."""
        syntax = self.transfer_syntax
        return self.kind if syntax is None else f"{self.kind}; transfer-syntax={syntax}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A form that can be given, and how it is asked for."""

    form: Form
    names: frozenset[str] = frozenset()
    """Media types that name it beside its own."""
    answers: frozenset[str | None] | None = None
    """Transfer syntaxes that it is an answer to: None is that of one who names none. Without a set,
    the media type has no such parameter and what is said of one counts for nothing."""
    only_by_name: bool = False
    """Whether one who takes anything has not asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRange:
    """One value of an Accept header (RFC 9110 §12.5.1), names in lower case."""

    kind: str
    """Of the parts, where the range is of a body in parts; `*/*` where it does not say."""
    multipart: bool | None
    """Whether it is of a body in parts; None for one that takes either."""
    quality: float
    """From 0, by which the client refuses, to 1."""
    transfer_syntax: str | None = None
    charset: str = ""

    @property
    def specificity(self) -> tuple[int, int]:
        """Sorts `*/*` before `type/*`, these before what names a type, and likewise syntaxes."""
        syntax = {None: 0, AS_STORED: 1}.get(self.transfer_syntax, 2)
        if self.kind == "*/*":
            return (0 if self.multipart is None else 1, syntax)
        return (1 if self.kind.endswith("/*") else 2, syntax)

    def covers(self, offer: Offer) -> bool:
        """Whether the offer is one of what the range names."""
        if self.multipart not in (None, offer.form.multipart):
            return False
        if offer.answers is not None and self.transfer_syntax not in offer.answers:
            return False
        if self.charset not in ("", *_OUR_CHARSETS):
            return False
        if offer.only_by_name and "*" in self.kind:
            return False
        if self.kind == "*/*":
            return True
        names = {offer.form.kind.lower(), *offer.names}
        if self.kind.endswith("/*"):
            return any(name.startswith(self.kind[:-1]) for name in names)
        return self.kind in names


def parse_accept(text: str) -> list[MediaRange]:
    """The media ranges of an Accept header; unreadable ones are left out.

    Raises:
        InvalidRequest: the text is longer than `ACCEPT_LENGTH_MAX`.
    """
    if len(text) > ACCEPT_LENGTH_MAX:
        raise InvalidRequest(f"what is accepted is longer than {ACCEPT_LENGTH_MAX} characters")
    parts = _COMMA_PARTED.findall(text)[:RANGES_MAX]
    return [media for part in parts if (media := _parse_range(part)) is not None]


def _parse_range(text: str) -> MediaRange | None:
    kind, parameters = read_media_type(text)
    quality = parameters.get("q", "1")
    if not _TYPE.fullmatch(kind) or not _QUALITY.fullmatch(quality):
        return None
    multipart: bool | None = None if kind == "*/*" else False
    if kind in (MULTIPART, "multipart/*"):
        # Some write the parameters of the parts' type within its quotes.
        kind, inner = read_media_type(parameters.get("type", "*/*"))
        multipart, parameters = True, {**inner, **parameters}
        if not _TYPE.fullmatch(kind):
            return None
    return MediaRange(
        kind=kind,
        multipart=multipart,
        quality=float(quality),
        transfer_syntax=parameters.get("transfer-syntax"),
        charset=parameters.get("charset", "").lower(),
    )


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a client takes.

    Args:
        header: the Accept header; None where the request had none.
        parameter: the `accept` query parameter; None where there was none.

    Raises:
        InvalidRequest: one of the two is too long, or names DICOM and rendered types alike, of
            which one request may ask for one (PS3.18 §8.7.5).
    """

    header: str | None
    parameter: str | None = None
    _ranges: tuple[Sequence[MediaRange], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # In a query an unescaped plus reads as a blank, and no media type holds a blank.
        asked = re.sub(r"(?<=[a-z]) (?=[a-z])", "+", self.parameter or "")
        by_name = [media for media in parse_accept(asked) if "*" not in media.kind]  # §8.3.3.1
        by_header = parse_accept("*/*" if self.header is None else self.header)
        # Apart, for a link in a page asks for DICOM where its browser's header names what it shows.
        for ranges in (by_name, by_header):
            _ensure_unmixed(ranges)
        object.__setattr__(self, "_ranges", (by_name, by_header))

    @staticmethod
    def of(headers: Sequence[str], parameters: Sequence[str]) -> "Accepted":
        """What is told by all Accept headers and `accept` parameters of a request: each that comes
        again goes on where the one before ended (RFC 9110 §5.2).

        Raises:
            InvalidRequest: as of one.
        """
        return _accepted(*(", ".join(told) if told else None for told in (headers, parameters)))

    def choose(self, offers: Sequence[Offer], *, refusal: str) -> Form:
        """The form that the client prefers; of those that it likes equally, the first.

        The parameter is looked at first, the header where nothing of that can be given.

        Args:
            offers: what can be given, the default first.
            refusal: says what may be asked for.

        Raises:
            NotAcceptable: the client takes none of them.
        """
        for ranges in self._ranges:
            if (form := _preferred(ranges, offers)) is not None:
                return form
        raise NotAcceptable(refusal)


_accepted = lru_cache(ACCEPTED_KEPT)(Accepted)


def _preferred(ranges: Sequence[MediaRange], offers: Iterable[Offer]) -> Form | None:
    best, best_rank = None, (0.0, (0, 0))
    for offer in offers:
        covering = [media for media in ranges if media.covers(offer)]
        if not covering:
            continue
        # What names it most closely decides: */* does not take what is refused by its name.
        closest = max(covering, key=lambda media: (media.specificity, media.quality))
        rank = (closest.quality, closest.specificity)
        if closest.quality > 0 and rank > best_rank:
            best, best_rank = offer.form, rank
    return best


def _ensure_unmixed(ranges: Iterable[MediaRange]) -> None:
    named = {media.kind for media in ranges if media.quality > 0}
    if named & _DICOM_TYPES and named & _RENDERED_TYPES:
        raise InvalidRequest("one request may ask for DICOM or for rendered media types, not both")
