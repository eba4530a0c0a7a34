"""Pictures as browsers read them: JPEG, PNG, GIF and JPEG 2000."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway.pixels.grayscale import Shades

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
GIF: Final = "image/gif"
JP2: Final = "image/jp2"

PICTURES: Final = (JPEG, PNG, GIF, JP2)
"""Media types of pictures, the default first (PS3.18 Table 8.7.4-1)."""
LOSSY: Final = frozenset({JPEG, JP2})
"""Those in which a client may choose the quality."""
CARRY_ICC: Final = frozenset({JPEG, PNG})
"""Those that an ICC profile is written into."""

QUALITY: Final = 90
"""Of JPEG where a client does not choose: the steps of 8-bit gray are not seen."""

_ICC_PIECE: Final = 65_519  # of a profile in one segment
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_AVERAGE: Final = 3  # the filter that takes the mean of the pixels left and above
_RATE_AT_100: Final = 2.0  # of JPEG 2000, how many times smaller the picture gets


def encode(
    shades: Shades, kind: str, *, quality: int | None = None, icc: bytes | None = None
) -> bytes:
    """The picture in one of `PICTURES`."""
    if kind == PNG:
        return _png(shades, icc)
    if kind == JPEG:
        return _jpeg(shades, quality or QUALITY, icc)
    image = Image.fromarray(np.ascontiguousarray(shades))
    file = BytesIO()
    if kind == GIF:
        image.save(file, "GIF")
    else:
        rate = _RATE_AT_100 * 100 / (quality or QUALITY)
        image.save(file, "JPEG2000", quality_mode="rates", quality_layers=[rate], no_jp2=False)
    return file.getvalue()


def encode_animation(frames: Sequence[Shades], *, frame_ms: int) -> bytes:
    """Frames as a GIF that repeats."""
    images = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    file = BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=frame_ms, loop=0)
    return file.getvalue()


def _jpeg(shades: Shades, quality: int, icc: bytes | None) -> bytes:
    """A JPEG of the baseline process; its profile goes in segments (ICC.1:2010 §B.4)."""
    content = bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(shades), level=quality))
    if icc is None:
        return content
    pieces = [icc[at : at + _ICC_PIECE] for at in range(0, len(icc), _ICC_PIECE)]
    told = (b"ICC_PROFILE\0" + bytes((number, len(pieces))) for number in range(1, len(pieces) + 1))
    segments = (head + piece for head, piece in zip(told, pieces, strict=True))
    marked = (b"\xff\xe2" + struct.pack(">H", len(one) + 2) + one for one in segments)
    # After the start and the JFIF segment, which comes first.
    after = 4 + int.from_bytes(content[4:6], "big")
    return content[:after] + b"".join(marked) + content[after:]


def _png(shades: Shades, icc: bytes | None) -> bytes:
    """A PNG (ISO/IEC 15948), filtered by Average alone and packed by run lengths.

    As small as libpng makes it at its default level, by trying each filter on each line, in a
    quarter of the time: a medical image is smooth and noisy, and holds few repeats to search for.
    """
    height, width = shades.shape[:2]
    colours = 1 if shades.ndim == 2 else shades.shape[2]
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if colours == 1 else 2, 0, 0, 0)
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    lines = _filtered(shades.reshape(height, width * colours), colours)
    pixels = packer.compress(lines.data) + packer.flush()
    chunks = [_chunk(b"IHDR", header)]
    if icc is not None:
        chunks.append(_chunk(b"iCCP", b"ICC\0\0" + zlib.compress(icc)))
    chunks += [_chunk(b"IDAT", pixels), _chunk(b"IEND", b"")]
    return _PNG_SIGNATURE + b"".join(chunks)


def _filtered(lines: Shades, colours: int) -> NDArray[np.uint8]:
    """Each line after the number of its filter, as its differences from what is foretold."""
    height, width = lines.shape
    foretold = np.zeros((height, width), np.uint16)
    foretold[:, colours:] = lines[:, :-colours]
    foretold[1:] += lines[:-1]
    foretold >>= 1
    filtered = np.empty((height, width + 1), np.uint8)
    filtered[:, 0] = _AVERAGE
    np.subtract(lines, foretold.astype(np.uint8), out=filtered[:, 1:])
    return filtered


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
