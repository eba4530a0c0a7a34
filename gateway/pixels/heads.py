"""Reads what a compressed frame says of itself, before anything is allocated for it."""

import struct
from dataclasses import dataclass, replace
from typing import Final

from gateway.errors import NotAcceptable

_J2K_START: Final = b"\xff\x4f\xff\x51"
_J2K_START_WITHIN_BYTES: Final = 2**16
"""A codestream may stand in the boxes of a JP2 file, which DICOM forbids and some write."""
_SIZ: Final = struct.Struct(">HHIIIIIIIIH")

_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_LOSSLESS_HEADERS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_APP14: Final = 0xEE
_START_OF_SCAN: Final = 0xDA
_END: Final = b"\xff\xd9"


class FrameUnreadable(NotAcceptable):
    """A frame is not what its transfer syntax and its data set say that it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHead:
    """What a codestream says of its picture."""

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool = False
    lossless: bool = False
    """Of JPEG: whether it is by prediction, without a transformation."""
    subsampled: bool = False
    colour_transform: int | None = None
    """Adobe's mark: 0 for RGB, 1 for YCbCr; None where there is no mark."""


def read_jpeg_head(frame: bytes) -> FrameHead:
    """The head of a JPEG or JPEG-LS codestream (ITU-T T.81 §B.2, T.87 §C.2), which is whole.

    Raises:
        FrameUnreadable: there is none, or it is cut short.
    """
    transform: int | None = None
    head: FrameHead | None = None
    at = frame.find(b"\xff\xd8") + 2
    if at < 2:
        raise FrameUnreadable("a frame is no JPEG codestream")
    try:
        while True:
            at, marker = _next_marker(frame, at)
            if marker in _STANDALONE:
                continue
            (length,) = struct.unpack_from(">H", frame, at)
            if marker in _FRAME_HEADERS:
                head = _read_sof(frame, at + 2, marker)
            elif marker == _APP14 and frame[at + 2 : at + 7] == b"Adobe" and length >= 14:
                transform = frame[at + 13]
            elif marker == _START_OF_SCAN:
                break
            at += max(length, 2)
    except (struct.error, IndexError):
        raise FrameUnreadable("a frame's head is cut short") from None
    # A decoder fills up with grey what is missing; entropy-coded data never holds the mark.
    if head is None or frame.find(_END, at) < 0:
        raise FrameUnreadable("a frame is cut short")
    return replace(head, colour_transform=transform)


def read_j2k_head(frame: bytes) -> FrameHead:
    """The head of a JPEG 2000 codestream (ITU-T T.800 §A.5.1).

    Raises:
        FrameUnreadable: there is none.
    """
    at = frame.find(_J2K_START, 0, _J2K_START_WITHIN_BYTES)
    if at < 0 or len(frame) < at + 4 + _SIZ.size + 1:
        raise FrameUnreadable("a frame is no JPEG 2000 codestream")
    _, _, width, height, left, top, *_, samples = _SIZ.unpack_from(frame, at + 4)
    told = frame[at + 4 + _SIZ.size]
    return FrameHead(
        rows=height - top,
        columns=width - left,
        samples=samples,
        precision=(told & 0x7F) + 1,
        signed=told >> 7 == 1,
    )


def _next_marker(frame: bytes, at: int) -> tuple[int, int]:
    """Where the segment of the next marker begins, and the marker; filling is passed over."""
    if frame[at] != 0xFF:
        raise FrameUnreadable("a frame's head is none of JPEG")
    while frame[at] == 0xFF:
        at += 1
    return at + 1, frame[at]


def _read_sof(frame: bytes, at: int, marker: int) -> FrameHead:
    precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, at)
    factors = {frame[at + 7 + 3 * number] for number in range(samples)}
    return FrameHead(
        rows=rows,
        columns=columns,
        samples=samples,
        precision=precision,
        lossless=marker in _LOSSLESS_HEADERS,
        subsampled=len(factors) > 1,
    )
