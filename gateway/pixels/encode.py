"""Encodes one frame in each transfer syntax of `ENCODED`.

What a transfer syntax cannot hold, by its own rules (PS3.5 §8.2) or by those of its codec here, is
refused: a picture is given as it is, or in another form, and never as another picture.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import imagecodecs
import jpeg_ls
import numpy as np

from gateway.errors import NotAcceptable
from gateway.pixels import native, syntaxes
from gateway.pixels.description import MONOCHROME, PALETTE, PixelDescription
from gateway.pixels.native import Samples
from indexer.contract.identifiers import Uid

JPEG_QUALITY: Final = 90
"""Of JPEG baseline, in percent."""
NEAR: Final = 2
"""By how much a sample of near-lossless JPEG-LS may differ."""
_LOWEST_RESOLUTION_MAX: Final = 64  # rows and columns
_BY_RESOLUTION: Final = 1  # of the tile parts, as OpenJPH numbers them

_COLOURS: Final = frozenset({"RGB", "YBR_FULL"})
_TRANSFORMED_TO: Final = {
    syntaxes.JPEG_BASELINE: "YBR_FULL_422",
    **dict.fromkeys(syntaxes.JPEG_2000_ALL, "YBR_RCT"),
}
"""What RGB becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holds:
    """What a transfer syntax holds."""

    photometric: frozenset[str] = MONOCHROME | _COLOURS | {PALETTE}
    bits_allocated: frozenset[int] = frozenset({8, 16})
    bits_stored_min: int = 1
    signed: bool = True


_HOLDS: Final = {
    syntaxes.JPEG_BASELINE: _Holds(
        photometric=MONOCHROME | _COLOURS,
        bits_allocated=frozenset({8}),
        bits_stored_min=8,
        signed=False,
    ),
    syntaxes.JPEG_LS: _Holds(bits_stored_min=2),
    # Near-lossless takes a range of samples that is wider than what it may lose.
    syntaxes.JPEG_LS_NEAR: _Holds(photometric=MONOCHROME | _COLOURS, bits_stored_min=4),
    **dict.fromkeys(
        (syntaxes.JPEG_2000_LOSSLESS, syntaxes.HTJ2K_LOSSLESS, syntaxes.HTJ2K_LOSSLESS_RPCL),
        _Holds(),
    ),
    # What may lose some is of no use to an index into a palette (PS3.5 Table 8.2.4-1).
    **dict.fromkeys(
        (syntaxes.JPEG_2000, syntaxes.HTJ2K), _Holds(photometric=MONOCHROME | _COLOURS)
    ),
    syntaxes.RLE: _Holds(),
}


def encoded_description(described: PixelDescription, syntax: str) -> PixelDescription:
    """What is to be said of frames that are encoded so.

    Args:
        described: the frames, by `decoded_description`.

    Raises:
        NotAcceptable: the transfer syntax cannot hold them.
    """
    if syntax == syntaxes.EXPLICIT_LITTLE_ENDIAN:
        return described
    if (fault := _fault(described, _HOLDS[Uid(syntax)])) is not None:
        raise NotAcceptable(f"the transfer syntax cannot hold {fault}")
    if syntax == syntaxes.RLE:
        return described
    photometric = described.photometric
    if photometric == "RGB" or (syntax == syntaxes.JPEG_BASELINE and described.samples == 3):
        photometric = _TRANSFORMED_TO.get(Uid(syntax), photometric)
    return replace(described, photometric=photometric, high_bit=described.bits_stored - 1)


def encode_frame(samples: Samples, described: PixelDescription, syntax: str) -> bytes:
    """The frame, of an even number of bytes.

    Args:
        samples: by row and column.
        described: the samples, by `decoded_description`; what `encoded_description` refuses is
            not to be asked for.

    Raises:
        NotAcceptable: the codec does not take it.
    """
    if syntax == syntaxes.EXPLICIT_LITTLE_ENDIAN:
        encoded = native.pack(samples)
    elif syntax == syntaxes.RLE:
        encoded = _rle(samples)
    else:
        try:
            encoded = _ENCODERS[Uid(syntax)](_values(samples, described), described)
        except RuntimeError as error:  # as of JPEG-LS, which writes no frame of a few pixels here
            raise NotAcceptable("a frame cannot be encoded so") from error
    return encoded + b"\0" * (len(encoded) % 2)


def _fault(described: PixelDescription, holds: _Holds) -> str | None:
    if described.floating:
        return "floating point pixels"
    if described.photometric not in holds.photometric:
        return f"{described.photometric}"
    if described.bits_allocated not in holds.bits_allocated:
        return f"{described.bits_allocated} bits allocated"
    if described.bits_stored < holds.bits_stored_min:
        return f"{described.bits_stored} bits stored"
    if described.signed and not (holds.signed and described.photometric in MONOCHROME):
        return "signed pixels of this kind"
    return None


def _values(samples: Samples, described: PixelDescription) -> Samples:
    """The bits stored alone, with their sign."""
    cell_bits = samples.dtype.itemsize * 8
    above = cell_bits - described.high_bit - 1
    if described.bits_stored == cell_bits:
        return samples
    return (samples << above) >> (cell_bits - described.bits_stored)


def _jpeg_baseline(values: Samples, described: PixelDescription) -> bytes:
    if described.samples == 1:
        return bytes(imagecodecs.jpeg8_encode(values, level=JPEG_QUALITY))
    space = "YCBCR" if described.photometric == "YBR_FULL" else "RGB"
    return bytes(
        imagecodecs.jpeg8_encode(
            values, level=JPEG_QUALITY, colorspace=space, outcolorspace="YCBCR", subsampling="422"
        )
    )


def _jpeg_ls(values: Samples, described: PixelDescription) -> bytes:
    return _charls(values, described, 0)


def _jpeg_ls_near(values: Samples, described: PixelDescription) -> bytes:
    near = NEAR
    if described.signed:
        # Samples are coded without their sign: what crosses the end of its range would come back at
        # the other end.
        highest = (1 << (described.bits_stored - 1)) - 1
        if int(values.max()) > highest - NEAR or int(values.min()) < NEAR - highest - 1:
            near = 0
    return _charls(values, described, near)


def _charls(values: Samples, described: PixelDescription, near: int) -> bytes:
    bits = described.bits_stored
    unsigned = values.view(f"u{values.dtype.itemsize}")
    if bits < values.dtype.itemsize * 8:
        unsigned = unsigned & ((1 << bits) - 1)
    encoded = jpeg_ls.encode_pixel_data(
        native.pack(unsigned.astype(np.uint8 if bits <= 8 else np.uint16, copy=False)),
        lossy_error=near,
        rows=described.rows,
        columns=described.columns,
        samples_per_pixel=described.samples,
        bits_stored=bits,
        planar_configuration=0,
    )
    return bytes(encoded)


def _jpeg_2000(values: Samples, described: PixelDescription) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            values,
            codecformat="j2k",
            reversible=True,
            mct=described.photometric == "RGB",
            bitspersample=described.bits_stored,
        )
    )


def _htj2k(values: Samples, described: PixelDescription) -> bytes:
    is_rgb = described.photometric == "RGB"
    return bytes(imagecodecs.htj2k_encode(values, reversible=True, rgb=is_rgb))


def _htj2k_rpcl(values: Samples, described: PixelDescription) -> bytes:
    """Each resolution in a part of its own that a table leads to (PS3.5 §8.2.14): a viewer may
    take the lowest first."""
    decompositions = 0
    while max(described.rows, described.columns) >> decompositions > _LOWEST_RESOLUTION_MAX:
        decompositions += 1
    return bytes(
        imagecodecs.htj2k_encode(
            values,
            reversible=True,
            rgb=described.photometric == "RGB",
            resolutions=decompositions,
            tlm=True,
            tilepart=_BY_RESOLUTION,
        )
    )


def _rle(samples: Samples) -> bytes:
    """One segment for each byte of each colour, the highest byte first (PS3.5 Annex G)."""
    by_plane = samples[np.newaxis] if samples.ndim == 2 else np.moveaxis(samples, -1, 0)
    segments = []
    for plane in by_plane:
        cells = np.ascontiguousarray(plane)
        octets = cells.view(np.uint8).reshape(*cells.shape, cells.dtype.itemsize)
        for number in reversed(range(cells.dtype.itemsize)):
            # `copy`, for numpy counts a single column as contiguous whatever its stride.
            runs = imagecodecs.packbits_encode(octets[:, :, number].copy())
            segments.append(runs + b"\0" * (len(runs) % 2))
    offsets, at = [], _RLE_HEAD_BYTES
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    head = struct.pack(f"<{len(offsets) + 1}I", len(segments), *offsets)
    return head.ljust(_RLE_HEAD_BYTES, b"\0") + b"".join(segments)


_RLE_HEAD_BYTES: Final = 64
_ENCODERS: Final[dict[Uid, Callable[[Samples, PixelDescription], bytes]]] = {
    syntaxes.JPEG_BASELINE: _jpeg_baseline,
    syntaxes.JPEG_LS: _jpeg_ls,
    syntaxes.JPEG_LS_NEAR: _jpeg_ls_near,
    syntaxes.JPEG_2000_LOSSLESS: _jpeg_2000,
    syntaxes.JPEG_2000: _jpeg_2000,
    syntaxes.HTJ2K_LOSSLESS: _htj2k,
    syntaxes.HTJ2K_LOSSLESS_RPCL: _htj2k_rpcl,
    syntaxes.HTJ2K: _htj2k,
}
