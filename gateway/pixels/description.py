"""What a data set says of its pixels (PS3.3 §C.7.6.3), checked before a byte of them is read."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom import Dataset

from gateway.errors import NotAcceptable
from gateway.pixels.attributes import UNREADABLE

FRAME_BYTES_MAX: Final = 256 * 2**20
"""Of one frame, decoded. A header of a few bytes may claim any size."""

MONOCHROME: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE: Final = "PALETTE COLOR"
YBR_FULL_422: Final = "YBR_FULL_422"

_FLOAT_PIXELS: Final = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_ONE_SAMPLE: Final = MONOCHROME | {PALETTE}
_THREE_SAMPLES: Final = frozenset(
    "RGB YBR_FULL YBR_FULL_422 YBR_PARTIAL_420 YBR_PARTIAL_422 YBR_RCT YBR_ICT".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDescription:
    """Of the pixels of one data set."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    by_plane: bool = False
    """Whether native pixels are colour by plane (PS3.3 §C.7.6.3.1.3)."""
    floating: bool = False
    frames: int = 1

    @property
    def samples_in_frame(self) -> int:
        """As they are decoded."""
        return self.rows * self.columns * self.samples

    @property
    def frame_bits(self) -> int:
        """Of a native frame; frames of one bit follow each other without padding (PS3.5 §8.1.1)."""
        bits = self.samples_in_frame * self.bits_allocated
        return bits * 2 // 3 if self.photometric == YBR_FULL_422 else bits

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """Of a decoded sample, with all bits that are allocated; a single bit gets a byte."""
        kind = "f" if self.floating else "i" if self.signed else "u"
        return np.dtype(f"<{kind}{max(self.bits_allocated // 8, 1)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a decoded frame."""
        colours = (self.samples,) if self.samples > 1 else ()
        return (self.rows, self.columns, *colours)


def describe_pixels(ds: Dataset) -> PixelDescription:
    """What the data set says of its pixels.

    Raises:
        NotAcceptable: it says what cannot be, or of a frame larger than `FRAME_BYTES_MAX`.
    """
    floating = next((bits for name, bits in _FLOAT_PIXELS.items() if name in ds), 0)
    bits_allocated = floating or _number(ds, "BitsAllocated")
    bits_stored = floating or _number(ds, "BitsStored", bits_allocated)
    described = PixelDescription(
        rows=_number(ds, "Rows"),
        columns=_number(ds, "Columns"),
        samples=_number(ds, "SamplesPerPixel", 1),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_allocated - 1 if floating else _number(ds, "HighBit", bits_stored - 1),
        signed=_number(ds, "PixelRepresentation", 0) == 1 and not floating,
        photometric=str(ds.get("PhotometricInterpretation") or "").strip(),
        by_plane=_number(ds, "PlanarConfiguration", 0) == 1,
        floating=bool(floating),
        frames=_number(ds, "NumberOfFrames", 1),
    )
    if (fault := _fault(described)) is not None:
        raise NotAcceptable(f"the pixels cannot be read: {fault}")
    return described


def _fault(told: PixelDescription) -> str | None:
    if not (told.rows > 0 and told.columns > 0 and told.frames > 0):
        return "the image has no rows, columns or frames"
    if told.samples != (1 if told.photometric in _ONE_SAMPLE else 3):
        return "the samples do not fit the photometric interpretation"
    if told.samples == 3 and told.photometric not in _THREE_SAMPLES:
        return "the photometric interpretation is not known"
    if told.bits_allocated not in (1, 8, 16, 32, *((64,) if told.floating else ())):
        return "so many bits allocated are not known"
    if not 0 < told.bits_stored <= told.high_bit + 1 <= told.bits_allocated:
        return "the bits stored are not within those allocated"
    if told.samples_in_frame * told.dtype.itemsize > FRAME_BYTES_MAX:
        return "a frame is larger than is decoded here"
    return None


def _number(ds: Dataset, keyword: str, otherwise: int | None = None) -> int:
    try:
        value = ds.get(keyword)
        if value is None or value == "":
            value = otherwise
        return int(value)
    except UNREADABLE:
        raise NotAcceptable(f"the pixels cannot be read: {keyword} is missing or wrong") from None
