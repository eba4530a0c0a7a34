"""When, and which part of it, a client wants what it asks for (RFC 9110 §13, §14).

Tags are strong: what has the same tag has the same bytes. There are no dates, for when a resource
changed last is not known of each of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from gateway.errors import PreconditionFailed, RangeNotSatisfiable

CONDITION_LENGTH_MAX: Final = 4096
"""Characters of such a header that are looked at; a longer one counts as none."""

_TAG_BYTES: Final = 16
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII)


def tag_of(told: Iterable[str]) -> str:
    """The tag of what is given by these texts alone, such as the keys of its files and its form."""
    digest = blake2b(digest_size=_TAG_BYTES)
    for text in told:
        digest.update(text.encode())
        digest.update(b"\0")
    return f'"{digest.hexdigest()}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """Bytes of a whole, of which there is one at least."""

    start: int
    end: int
    """The first that is none of them."""
    of: int
    """Size of the whole."""

    @property
    def size_bytes(self) -> int:
        """How many they are."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """Content-Range of a body that is these."""
        return f"bytes {self.start}-{self.end - 1}/{self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Headers as they came; empty where there was none."""

    if_match: str = ""
    if_none_match: str = ""
    if_range: str = ""
    range: str = ""

    def is_had(self, tag: str) -> bool:
        """Whether the client has what the tag is of, so that the answer is 304.

        Raises:
            PreconditionFailed: it wants something else than what there is now.
        """
        if self.if_match and not _names(self.if_match, tag, weakly=False):
            raise PreconditionFailed("what is there now is none of what If-Match names")
        return bool(self.if_none_match) and _names(self.if_none_match, tag, weakly=True)

    def part_of(self, size_bytes: int, tag: str) -> ByteRange | None:
        """The part that is wanted of so many bytes; None for the whole.

        A Range of another unit, of several parts or that cannot be read is passed over (§14.2), and
        so is one of what was there before (If-Range, §13.1.5).

        Raises:
            RangeNotSatisfiable: none of it is there.
        """
        asked = _RANGE.fullmatch(self.range)
        if asked is None or (self.if_range and self.if_range != tag):
            return None
        first, last = asked.groups()
        if not first and not last:
            return None
        if not first:
            start, end = max(0, size_bytes - int(last)), size_bytes
        else:
            start, end = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
            if last and int(last) < int(first):
                return None
        if start >= size_bytes:
            raise RangeNotSatisfiable("the range begins after the end", size_bytes=size_bytes)
        return ByteRange(start=start, end=end, of=size_bytes)


def _names(header: str, tag: str, *, weakly: bool) -> bool:
    if len(header) > CONDITION_LENGTH_MAX:
        return False
    if header.strip() == "*":
        return True
    named = _TAG.findall(header)
    return tag in ({one.removeprefix("W/") for one in named} if weakly else named)
