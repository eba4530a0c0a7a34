"""Decodes one frame of each transfer syntax of `DECODED` to samples.

Samples are all the bits that are allocated, so that overlays and what else stands beside the bits
stored is kept where the transfer syntax keeps it. Colours are RGB wherever the transfer syntax
transforms them; those of a lossless one that does not stay as they are described.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import imagecodecs

from gateway.pixels import native, syntaxes
from gateway.pixels.description import YBR_FULL_422, PixelDescription
from gateway.pixels.heads import FrameHead, FrameUnreadable, read_j2k_head, read_jpeg_head

Samples = native.Samples

_OF_JPEG_2000: Final = frozenset({"YBR_RCT", "YBR_ICT"})
_TRANSFORMED: Final = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420"})
_BY_VALUE: Final = syntaxes.JPEG | syntaxes.JPEG_LS_ALL | syntaxes.JPEG_2000_ALL
"""What encodes the bits stored, and not whatever else is in a cell."""
_LOSSY_JPEG: Final = syntaxes.JPEG - {syntaxes.JPEG_LOSSLESS, syntaxes.JPEG_LOSSLESS_SV1}


def decoded_description(described: PixelDescription, syntax: str) -> PixelDescription:
    """What is to be said of frames that are decoded from the transfer syntax."""
    photometric = described.photometric
    if photometric in _OF_JPEG_2000 or (syntax in _LOSSY_JPEG and photometric in _TRANSFORMED):
        photometric = "RGB"
    elif photometric == YBR_FULL_422:
        photometric = "YBR_FULL"
    high_bit = described.bits_stored - 1 if syntax in _BY_VALUE else described.high_bit
    return replace(described, photometric=photometric, by_plane=False, high_bit=high_bit)


def decode_frame(
    frame: bytes, described: PixelDescription, syntax: str, *, skip_bits: int = 0
) -> Samples:
    """The samples of a frame, as `decoded_description` describes them, by row and column.

    Args:
        frame: native in little endian, or the fragments of a frame joined.
        described: what its data set says.
        skip_bits: before a native frame of one bit a pixel, within its first byte.

    Raises:
        FrameUnreadable: it cannot be decoded, or is no frame of what the data set describes.
    """
    if syntax in syntaxes.NATIVE:
        return native.unpack(frame, described, skip_bits=skip_bits)
    if syntax not in syntaxes.DECODED:
        raise FrameUnreadable("frames of this transfer syntax are not decoded")
    decode = _DECODERS[syntax]
    try:
        return decode(frame, described)
    except (ValueError, TypeError, RuntimeError, zlib.error) as error:
        if isinstance(error, FrameUnreadable):
            raise
        raise FrameUnreadable("a frame cannot be decoded") from error


def _jpeg(frame: bytes, described: PixelDescription) -> Samples:
    head = read_jpeg_head(frame)
    _check(head, described)
    if head.lossless or head.samples == 1:
        return _settled(imagecodecs.jpeg8_decode(frame), head, described)
    space = "YCBCR" if _is_transformed(head, described) else "RGB"
    decoded = imagecodecs.jpeg8_decode(frame, colorspace=space, outcolorspace="RGB")
    return _settled(decoded, head, described)


def _is_transformed(head: FrameHead, described: PixelDescription) -> bool:
    """The frame's own mark is believed before the data set."""
    if head.colour_transform is not None:
        return head.colour_transform == 1
    return head.subsampled or described.photometric != "RGB"


def _jpeg_ls(frame: bytes, described: PixelDescription) -> Samples:
    head = read_jpeg_head(frame)
    _check(head, described)
    return _settled(imagecodecs.jpegls_decode(frame), head, described)


def _jpeg_2000(frame: bytes, described: PixelDescription) -> Samples:
    head = read_j2k_head(frame)
    _check(head, described)
    return _settled(imagecodecs.jpeg2k_decode(frame, planar=False), head, described)


def _htj2k(frame: bytes, described: PixelDescription) -> Samples:
    # OpenJPH is faster and fills up what is missing; OpenJPEG refuses it.
    if not frame.rstrip(b"\0").endswith(_J2K_END):
        return _jpeg_2000(frame, described)
    head = read_j2k_head(frame)
    _check(head, described)
    return _settled(imagecodecs.htj2k_decode(frame, planar=False), head, described)


def _rle(frame: bytes, described: PixelDescription) -> Samples:
    """One segment for each byte of each colour, the highest byte first (PS3.5 Annex G)."""
    cell_bytes = max(described.bits_allocated // 8, 1)
    if frame[:4] != struct.pack("<I", described.samples * cell_bytes):
        raise FrameUnreadable("a frame has not one segment for each byte of its samples")
    joined = bytes(imagecodecs.dicomrle_decode(frame, f"<u{cell_bytes}"))
    if described.bits_allocated == 1:
        return native.unpack(joined, described)
    # Some name colours shared by pairs of pixels, which no byte of RLE is.
    return native.unpack(joined, replace(described, by_plane=True, photometric=""))


def _deflated(frame: bytes, described: PixelDescription) -> Samples:
    size_bytes = -(-described.frame_bits // 8)
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, size_bytes)
    return native.unpack(inflated, described)


def _check(head: FrameHead, described: PixelDescription) -> None:
    told = (described.rows, described.columns, described.samples)
    if (head.rows, head.columns, head.samples) != told:
        raise FrameUnreadable("a frame is not of the size that its data set says")
    if head.precision > described.bits_allocated:
        raise FrameUnreadable("a frame has more bits than its data set allocates")


def _settled(decoded: Samples, head: FrameHead, described: PixelDescription) -> Samples:
    """Samples in the cells of the data set, which also says whether they have a sign: codestreams
    of some modalities say otherwise, and hold the same bits."""
    if decoded.shape != described.shape:
        raise FrameUnreadable("a frame is not of the size that its data set says")
    dtype = described.dtype
    cell_bits = dtype.itemsize * 8
    samples = decoded.astype(dtype, copy=False)  # a sign is spread, or cut to the cell
    if described.signed and not head.signed and head.precision < cell_bits:
        above = cell_bits - head.precision
        return (samples << above) >> above
    if head.signed and not described.signed and head.precision < cell_bits:
        return samples & ((1 << head.precision) - 1)
    return samples


_J2K_END: Final = b"\xff\xd9"
_DECODERS: Final[dict[str, Callable[[bytes, PixelDescription], Samples]]] = {
    **dict.fromkeys(syntaxes.JPEG, _jpeg),
    **dict.fromkeys(syntaxes.JPEG_LS_ALL, _jpeg_ls),
    **dict.fromkeys(syntaxes.JPEG_2000_ALL - syntaxes.HTJ2K_ALL, _jpeg_2000),
    **dict.fromkeys(syntaxes.HTJ2K_ALL, _htj2k),
    syntaxes.RLE: _rle,
    syntaxes.DEFLATED_FRAMES: _deflated,
}
