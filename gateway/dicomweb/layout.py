"""Where in an instance's file its frames and its bulk values lie: a frame is a range of bytes."""

from array import array
from collections.abc import Mapping, Sequence
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
    native: bool = False
    """They follow each other as they are."""
    frame_bits: int = 0
    """Of a native frame. The frames of one bit a pixel follow each other without padding (PS3.5
    §8.1.1)."""
    split: bool = False
    """A frame may be in several fragments."""
    video: bool = False
    unknown: str = ""
    """Why no frame can be given, if none can."""

    @property
    def is_one_item(self) -> bool:
        """Whether all of them are one item of bulk data: native ones, a video, or a single frame
        (PS3.18 §8.7.3.3)."""
        return self.native or self.video or self.claimed == 1


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

    def ensure_frames(self, numbers: Sequence[int]) -> Pixels:
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


def native_range(layout: Layout, number: int) -> tuple[Range, int]:
    """The bytes that hold a native frame, and how many of their first bits are another's."""
    pixels = layout.shown_pixels()
    begins, ends = (number - 1) * pixels.frame_bits, number * pixels.frame_bits
    at = begins // 8
    return Range(layout.bulk[pixels.path].at + at, -(-ends // 8) - at), begins % 8


def item_ranges(starts: bytes) -> list[Range]:
    """The bytes of encapsulated frames, with the heads of their items, from the places where they
    begin: those of the frames that follow each other, and that after the last."""
    edges = array("Q", starts)
    return [Range(at, end - at) for at, end in pairwise(edges)]
