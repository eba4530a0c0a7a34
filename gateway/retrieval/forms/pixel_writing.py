"""Writes pixels as the last element of a data set in Explicit VR Little Endian."""

import struct
from array import array
from collections.abc import Iterable
from typing import BinaryIO, Final

from gateway.errors import NotAcceptable
from gateway.pixels import native
from gateway.pixels.description import PixelDescription
from gateway.pixels.native import Samples

LENGTH_MAX: Final = 0xFFFFFFFE
"""Of a native value; what is more has no length (PS3.5 §7.1.2)."""
OFFSET_MAX: Final = 0xFFFFFFFF
"""Of the Basic Offset Table; where a frame may lie behind it, the extended one is written."""

_PIXEL_DATA: Final = 0x7FE00010
_EXTENDED_OFFSETS: Final = 0x7FE00001
_EXTENDED_LENGTHS: Final = 0x7FE00002
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = (0xFFFE, 0xE000)
_SEQUENCE_END: Final = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def write_native(
    target: BinaryIO, frames: Iterable[Samples], described: PixelDescription, *, size_bytes_max: int
) -> None:
    """Write frames one after the other; those of one bit without padding (PS3.5 §8.1.1).

    Raises:
        NotAcceptable: they are more than `size_bytes_max`, or than an element holds.
    """
    size_bytes = -(-described.frame_bits * described.frames // 8)
    size_bytes += size_bytes % 2
    if size_bytes > min(LENGTH_MAX, size_bytes_max):
        raise NotAcceptable("the pixels are too large to be given uncompressed")
    _write_head(target, _PIXEL_DATA, "OW" if described.bits_allocated > 8 else "OB", size_bytes)
    ends_at = target.tell() + size_bytes
    rest, rest_bits = b"", 0
    for samples in frames:
        if described.bits_allocated > 1:
            target.write(native.pack(samples))
            continue
        packed, taken = native.pack_bits(samples, rest, rest_bits)
        whole = len(packed) - (1 if taken else 0)
        target.write(packed[:whole])
        rest, rest_bits = packed[whole:], taken
    target.write(rest)
    target.write(b"\0" * (ends_at - target.tell()))


def write_encapsulated(
    target: BinaryIO,
    frames: Iterable[bytes],
    described: PixelDescription,
    *,
    size_bytes_max: int,
    offset_max: int = OFFSET_MAX,
) -> int:
    """Write each frame as a fragment, with the table that leads to them (PS3.5 §A.4).

    Args:
        described: how many frames there are, and how large they can be.
        offset_max: highest offset of the Basic Offset Table.

    Returns:
        the bytes of all frames.

    Raises:
        NotAcceptable: they are more than `size_bytes_max`.
    """
    count = described.frames
    frame_bytes_max = described.frame_bits // 8 * 3 // 2 + 4096  # of noise, which grows
    extended = count * frame_bytes_max > offset_max
    table = array("Q" if extended else "I", bytes(count * (8 if extended else 4)))
    lengths = array("Q")
    if extended:
        _write_head(target, _EXTENDED_OFFSETS, "OV", len(table) * 8)
        table_at = target.tell()
        target.write(table.tobytes())
        _write_head(target, _EXTENDED_LENGTHS, "OV", len(table) * 8)
        lengths_at = target.tell()
        target.write(table.tobytes())
    _write_head(target, _PIXEL_DATA, "OB", _UNDEFINED)
    target.write(struct.pack("<HHI", *_ITEM, 0 if extended else len(table) * 4))
    if not extended:
        table_at = target.tell()
        target.write(table.tobytes())
    begins_at = target.tell()
    for number, frame in enumerate(frames):
        if target.tell() + len(frame) > size_bytes_max:
            raise NotAcceptable("the pixels are too large to be given so")
        table[number] = target.tell() - begins_at
        lengths.append(len(frame))
        target.write(struct.pack("<HHI", *_ITEM, len(frame)))
        target.write(frame)
    target.write(_SEQUENCE_END)
    ends_at = target.tell()
    _write_at(target, table_at, table.tobytes())
    if extended:
        _write_at(target, lengths_at, lengths.tobytes())
    target.seek(ends_at)
    return sum(lengths)


def _write_at(target: BinaryIO, at: int, content: bytes) -> None:
    target.seek(at)
    target.write(content)


def _write_head(target: BinaryIO, tag: int, vr: str, length: int) -> None:
    target.write(struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode("ascii"), 0, length))
