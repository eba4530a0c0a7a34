"""Native pixels (PS3.5 §8.1.1, §8.2): unpacked into samples, and packed again."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.pixels.description import YBR_FULL_422, PixelDescription
from gateway.pixels.heads import FrameUnreadable

Samples = NDArray[Any]


def unpack(frame: bytes, described: PixelDescription, *, skip_bits: int = 0) -> Samples:
    """The samples of a native frame in little endian, colour by pixel.

    Args:
        frame: at least its bytes; what follows them is padding.
        skip_bits: before a frame of one bit a pixel, within its first byte.

    Raises:
        FrameUnreadable: it is shorter than its data set says.
    """
    if len(frame) * 8 < described.frame_bits + skip_bits:
        raise FrameUnreadable("a frame is shorter than its rows and columns")
    count = described.samples_in_frame
    if described.bits_allocated == 1:
        packed = np.frombuffer(frame, np.uint8)
        bits = np.unpackbits(packed, bitorder="little", count=skip_bits + count)
        return bits[skip_bits:].reshape(described.shape)
    if described.photometric == YBR_FULL_422:
        return _spread(frame, described)
    samples = np.frombuffer(frame, described.dtype, count)
    if described.by_plane and described.samples > 1:
        by_plane = samples.reshape(described.samples, described.rows, described.columns)
        return np.ascontiguousarray(np.moveaxis(by_plane, 0, -1))
    return samples.reshape(described.shape)


def _spread(frame: bytes, described: PixelDescription) -> Samples:
    """Each pair of pixels gets the colour that it shares (PS3.3 §C.7.6.3.1.2)."""
    if described.bits_allocated != 8 or described.columns % 2:
        raise FrameUnreadable("shared colours are of pairs of pixels, with 8 bits")
    pairs = np.frombuffer(frame, np.uint8, described.rows * described.columns * 2).reshape(-1, 4)
    spread = pairs[:, (0, 2, 3, 1, 2, 3)]
    return spread.reshape(described.shape)


def pack(samples: Samples) -> bytes:
    """The bytes of samples in little endian; of single bits, see `pack_bits`."""
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def pack_bits(samples: Samples, before: bytes, skip_bits: int) -> tuple[bytes, int]:
    """The bytes of samples of one bit, after the bits of an unfinished byte.

    Args:
        before: that byte; empty if there is none.
        skip_bits: how many of its bits are taken.

    Returns:
        the bytes, and how many bits of the last are taken, 0 for all.
    """
    bits = samples.reshape(-1).astype(np.uint8)
    if skip_bits:
        taken = np.unpackbits(np.frombuffer(before, np.uint8), bitorder="little", count=skip_bits)
        bits = np.concatenate((taken, bits))
    return np.packbits(bits, bitorder="little").tobytes(), len(bits) % 8
