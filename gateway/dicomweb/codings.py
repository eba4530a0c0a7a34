"""In which coding a client takes a body of text (RFC 9110 §12.5.3), and such a body in it."""

import re
import zlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

import brotli

from gateway.errors import NotAcceptable

SMALL_BYTES: Final = 1400
"""A body that fits into one packet is not made shorter."""
CODINGS_LENGTH_MAX: Final = 1024
"""Characters of an Accept-Encoding header; a longer one counts as none."""

_LEVEL_OF_NONE: Final = 0.0
_QUALITY: Final = re.compile(r"[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*", re.ASCII)
_GZIP_WBITS: Final = 31
"""To zlib: the window, with the head and the end of gzip."""


class Coding(StrEnum):
    """How a body is coded, by the name in Content-Encoding."""

    AS_IS = "identity"
    GZIP = "gzip"
    BR = "br"


OF_TEXTS: Final = (Coding.BR, Coding.GZIP, Coding.AS_IS)
"""What texts can be given in, the shortest first."""
_OLD_NAMES: Final = {"x-gzip": Coding.GZIP}


class Effort(StrEnum):
    """How much is spent on making a body shorter."""

    ONCE = "once"
    """On one that is given once."""
    KEPT = "kept"
    """On one that is kept, and given again."""


_LEVELS: Final = {
    # Of gzip and br; of either the two take about the same time for a study's metadata.
    Effort.ONCE: {Coding.GZIP: 1, Coding.BR: 2},
    Effort.KEPT: {Coding.GZIP: 6, Coding.BR: 5},
}


class Packer(Protocol):
    """Codes a body, piece by piece."""

    def add(self, content: bytes) -> bytes:
        """What of the coded body can be told by now; it may be nothing."""

    def end(self) -> bytes:
        """The rest of it."""


def choose_coding(accept_encoding: str, offered: Sequence[Coding]) -> Coding:
    """The coding that the client likes best; of those that it likes equally, the first.

    Whatever is not refused may come as it is, which is liked least where nothing is said of it.

    Raises:
        NotAcceptable: the client takes none of them.
    """
    liked = likings(accept_encoding)
    # `max` keeps the first of equals.
    best = max(offered, key=lambda coding: liked.get(coding, -1.0))
    if best not in liked:
        raise NotAcceptable(f"this is given as {', '.join(offered)}: see Accept-Encoding")
    return best


def likings(accept_encoding: str) -> dict[Coding, float]:
    """The codings that a client takes, each with how much it likes it."""
    if len(accept_encoding) > CODINGS_LENGTH_MAX:
        return {Coding.AS_IS: _LEVEL_OF_NONE}
    told: dict[str, float] = {}
    for one in accept_encoding.lower().split(","):
        name, quality = _read(one)
        told.setdefault(_OLD_NAMES.get(name, name), quality)
    anything = told.get("*")
    liked = {} if anything == _LEVEL_OF_NONE else {Coding.AS_IS: _LEVEL_OF_NONE}
    for coding in Coding:
        liking = told.get(coding, anything)
        if liking:
            liked[coding] = liking
        elif liking is not None:
            liked.pop(coding, None)
    return liked


def takes_as_is(accept_encoding: str) -> bool:
    """Whether the client takes a body that is not coded."""
    return Coding.AS_IS in likings(accept_encoding)


def packer(coding: Coding, effort: Effort) -> Packer:
    """What codes a body."""
    if coding is Coding.AS_IS:
        return _AsIs()
    level = _LEVELS[effort][coding]
    return _Gzip(level) if coding is Coding.GZIP else _Brotli(level)


def packed(content: bytes, coding: Coding, effort: Effort) -> bytes:
    """A body, coded."""
    one = packer(coding, effort)
    return one.add(content) + one.end()


class _AsIs:
    def add(self, content: bytes) -> bytes:
        return content

    def end(self) -> bytes:
        return b""


class _Gzip:
    def __init__(self, level: int) -> None:
        self._packing = zlib.compressobj(level, wbits=_GZIP_WBITS)

    def add(self, content: bytes) -> bytes:
        return self._packing.compress(content)

    def end(self) -> bytes:
        return self._packing.flush()


class _Brotli:
    def __init__(self, level: int) -> None:
        self._packing = brotli.Compressor(mode=brotli.MODE_TEXT, quality=level)

    def add(self, content: bytes) -> bytes:
        told: bytes = self._packing.process(content)
        return told

    def end(self) -> bytes:
        told: bytes = self._packing.finish()
        return told


def _read(text: str) -> tuple[str, float]:
    name, _, parameter = text.partition(";")
    if not parameter:
        return name.strip(), 1.0
    quality = _QUALITY.fullmatch(parameter)
    return name.strip(), float(quality[1]) if quality else _LEVEL_OF_NONE
