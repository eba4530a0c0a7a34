"""Where in an instance's file its frames and its bulk values lie: a frame is a range of bytes."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Self

import orjson

from gateway.errors import NotFound

START_BYTES: Final = 8
"""Of one place in `Pixels` that are encapsulated: little endian, without a sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkValue:
    """A value that stands apart from the metadata."""

    vr: str
    at: int
    """Bytes from the beginning of the file."""
    size_bytes: int
    fragmented: bool = False
    """It is a sequence of fragments (PS3.5 §A.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """The pixels of the data set itself, not those of an icon."""

    path: str
    """Of their bulk value."""
    frames: int
    """That are there whole."""
    claimed: int
    """That the data set says there are."""
    frame_bits: int = 0
    """Of a native frame. The frames of one bit a pixel follow each other without padding (PS3.5
    §8.1.1)."""
    split: bool = False
    """A frame may be in several fragments."""
    video: bool = False
    unknown: str = ""
    """Why no frame can be given, if none can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Of one instance's file; with `rewritten`, of the file that it is in Explicit VR Little Endian
    (see `Transcoder`), for big-endian and deflated values are none that can be sent."""

    bulk: Mapping[str, BulkValue] = field(default_factory=dict)
    pixels: Pixels | None = None
    rewritten: bool = False

    def encode(self) -> bytes:
        """A record for `decode`."""
        return orjson.dumps(self)

    @classmethod
    def decode(cls, record: bytes) -> Self:
        """The layout of a record."""
        told: dict[str, Any] = orjson.loads(record)
        pixels = told["pixels"]
        return cls(
            bulk={path: BulkValue(**value) for path, value in told["bulk"].items()},
            pixels=None if pixels is None else Pixels(**pixels),
            rewritten=told["rewritten"],
        )

    def shown_pixels(self) -> Pixels:
        """The pixels, of which there are some.

        Raises:
            NotFound: it has none.
        """
        if self.pixels is None:
            raise NotFound("the instance has no pixel data")
        return self.pixels

    def ensure_frames(self, numbers: list[int]) -> Pixels:
        """The pixels, which have all of these frames.

        Raises:
            NotFound: it has no such frame, or the file does not hold it.
        """
        pixels = self.shown_pixels()
        if pixels.unknown:
            raise NotFound(pixels.unknown)
        highest = max(numbers)
        if highest > pixels.claimed:
            raise NotFound(f"the instance has {pixels.claimed} frames")
        if highest > pixels.frames:
            raise NotFound(f"the file is cut short after frame {pixels.frames}")
        return pixels


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of a file."""

    at: int
    size_bytes: int


def native_range(layout: Layout, first: int, last: int) -> tuple[Range, int]:
    """The bytes that hold native frames `first` to `last`, and how many bits come before them."""
    pixels = layout.shown_pixels()
    value = layout.bulk[pixels.path]
    begins, ends = (first - 1) * pixels.frame_bits, last * pixels.frame_bits
    at = begins // 8
    return Range(value.at + at, -(-ends // 8) - at), begins % 8


def item_ranges(starts: bytes) -> list[Range]:
    """The bytes of encapsulated frames, with the heads of their items, from the places where they
    begin: those of the frames that follow each other, and that after the last."""
    edges = array("Q", starts)
    return [Range(at, end - at) for at, end in pairwise(edges)]
