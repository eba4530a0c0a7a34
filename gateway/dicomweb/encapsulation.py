"""Finds the frames of encapsulated pixels (PS3.5 §A.4): which fragments each one is made of.

Offset tables are a help and no promise: writers leave them empty, count from elsewhere, or write
them for another object. One is followed where frames do not show themselves where they begin, and
only if each of its entries leads to a fragment.
"""

import struct
from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from indexer.contract.identifiers import Uid

FRAGMENTS_MAX: Final = 1_000_000
"""Of one object: an hour of a frame each 4 ms."""
ITEM_HEAD_BYTES: Final = 8  # tag and length

_HEAD: Final = struct.Struct("<HHI")
_ITEM: Final = (0xFFFE, 0xE000)
_SEQUENCE_END: Final = (0xFFFE, 0xE0DD)
_RLE: Final = Uid("1.2.840.10008.1.2.5")
_JPEG_MARKS: Final = (b"\xff\xd8\xff",)  # and JPEG-LS
_JPEG_2000_MARKS: Final = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")  # a codestream, and in boxes
_JPEG_XL_MARKS: Final = (b"\0\0\0\x0cJXL ",)
_MARKS: Final = {
    **dict.fromkeys("90 91 92 93 201 202 203".split(), _JPEG_2000_MARKS),
    **dict.fromkeys("110 111 112".split(), _JPEG_XL_MARKS),
}
"""By the last number of the transfer syntax; the others are JPEG."""


class FramesUnknown(ValueError):
    """Nothing tells where one frame ends and the next begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragments:
    """What follows the Basic Offset Table. Places are bytes from the beginning of the pixels."""

    table: bytes
    starts: "array[int]"
    """Of each fragment's item; after them where the last one ends."""
    delimited: bool
    """False where the file ends before the delimiter; what is cut through is left out."""
    clean: bool
    """The file does not end within a fragment."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.starts) - 1


def end_of_fragments(source: memoryview, at: int) -> int:
    """Where what follows the fragments begins; past the source's end if they are cut short.

    Raises:
        ValueError: they hold something else than items, or are more than `FRAGMENTS_MAX`.
    """
    *_, end = _items(source, at)
    return end


def read_fragments(source: memoryview) -> Fragments:
    """The fragments of pixels that begin with the source.

    Raises:
        ValueError: as `end_of_fragments`.
    """
    edges = _items(source, 0)
    inside = [edge for edge in edges if edge <= len(source)]
    delimited = len(inside) == len(edges)
    if delimited:
        inside.pop()  # it lies behind the delimiter; the one before it is where that begins
    if len(inside) < 2:
        return Fragments(table=b"", starts=array("Q", [0]), delimited=False, clean=False)
    return Fragments(
        table=bytes(source[ITEM_HEAD_BYTES : inside[1]]),
        starts=array("Q", inside[1:]),
        delimited=delimited,
        clean=delimited or inside[-1] == len(source),
    )


def _items(source: memoryview, at: int) -> list[int]:
    """Where each item begins, where the delimiter does, and where that ends."""
    edges = [at]
    while at + ITEM_HEAD_BYTES <= len(source):
        group, element, length = _HEAD.unpack_from(source, at)
        if (group, element) == _SEQUENCE_END:
            return [*edges, at + ITEM_HEAD_BYTES]
        if (group, element) != _ITEM:
            raise ValueError("encapsulated pixels hold something else than items")
        at += ITEM_HEAD_BYTES + length
        edges.append(at)
        if len(edges) > FRAGMENTS_MAX + 2:
            raise ValueError(f"encapsulated pixels are in more than {FRAGMENTS_MAX} fragments")
    return [*edges, len(source) + 1] if at <= len(source) else edges


def frame_starts(
    fragments: Fragments,
    source: memoryview,
    *,
    frames: int,
    syntax: Uid,
    extended: bytes = b"",
) -> "array[int]":
    """Where the first item of each frame begins, and after them where the last frame ends.

    Of an object that is cut short these are the frames that are there whole.

    Args:
        source: the pixels.
        frames: how many the data set says there are.
        extended: value of the Extended Offset Table (7FE0,0001), which some have.

    Raises:
        FramesUnknown: the fragments are not one a frame, no table is right, and the frames do not
            show where they begin.
    """
    starts, end = fragments.starts, fragments.starts[-1:]
    if frames == 1:
        is_there = fragments.delimited or (fragments.clean and fragments.count == 1)
        return starts[:1] + end if is_there and fragments.count else starts[:1]
    if fragments.delimited and fragments.count == frames:
        return starts
    firsts = _by_marks(fragments, source, syntax)
    if len(firsts) == frames and (
        fragments.delimited or (fragments.clean and fragments.count == frames)
    ):
        return firsts + end
    for table in (_offsets("Q", extended), _offsets("I", fragments.table)):
        if (edges := _by_table(table, fragments, frames)) is not None:
            return edges
    if not fragments.delimited and len(firsts) <= frames:
        return firsts or starts[:1]  # of the last one nobody knows whether it is there whole
    raise FramesUnknown("the file does not tell where one frame ends and the next begins")


def _offsets(code: str, table: bytes) -> list[int]:
    size_bytes = struct.calcsize(code)
    count = len(table) // size_bytes
    return list(struct.unpack_from(f"<{count}{code}", table))


def _by_table(table: list[int], fragments: Fragments, frames: int) -> "array[int] | None":
    """The edges of the frames, if the table is right."""
    if len(table) != frames or table[0] != 0:
        return None
    first, end = fragments.starts[0], fragments.starts[-1]
    edges = [first + offset for offset in table]
    if fragments.delimited:
        edges.append(end)
    if any(after <= before for before, after in pairwise(edges)):
        return None
    # Where the end is cut off, so may be what the table leads to.
    edges = [edge for edge in edges if edge <= end or fragments.delimited]
    known = set(fragments.starts)
    return array("Q", edges) if all(edge in known for edge in edges) else None


def _by_marks(fragments: Fragments, source: memoryview, syntax: Uid) -> "array[int]":
    """The fragments that look like the beginning of a frame; of RLE each is one (PS3.5 §A.4.2)."""
    begins = fragments.starts[:-1]
    if syntax == _RLE:
        return begins
    marks = _MARKS.get(syntax.rpartition(".")[2], _JPEG_MARKS)
    heads = (bytes(source[start + ITEM_HEAD_BYTES :][:8]) for start in begins)
    return array(
        "Q", (at for at, head in zip(begins, heads, strict=True) if head.startswith(marks))
    )
