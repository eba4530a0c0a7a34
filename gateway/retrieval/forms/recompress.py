"""Writes an instance anew with its pixels in another transfer syntax, frame by frame.

It runs in a worker process: the source is mapped, one frame at a time is decoded, and the target is
written as it comes, so that an object of any number of frames takes the memory of one of them.

The instance keeps its UID, for it is what was asked for under it. That its pixels lost something on
the way is said in its Lossy Image Compression (PS3.3 §C.7.6.1.1.5).
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydicom import Dataset

from gateway.errors import NotAcceptable
from gateway.pixels import native, syntaxes
from gateway.pixels.decode import decode_frame, decoded_description
from gateway.pixels.description import PixelDescription, describe_pixels
from gateway.pixels.encode import encode_frame, encoded_description
from gateway.retrieval.forms.header import Header
from gateway.retrieval.forms.part10 import (
    TOO_LARGE,
    WRITE_BUFFER_BYTES,
    map_file,
    rewrite,
    write_head,
)
from gateway.retrieval.forms.pixel_writing import write_encapsulated, write_native
from gateway.retrieval.forms.reencode import NotNative
from gateway.retrieval.forms.stored_pixels import StoredPixels
from indexer.contract.identifiers import Uid

FramePlace = tuple[int, tuple[tuple[int, int], ...]]
"""Of a frame in its file: how many bits of its first byte are another's, and the ranges that it is
made of, each where it begins and how long it is."""

_DESCRIPTIONS_MAX: Final = 8
_IMAGE_GROUP: Final = 0x0028
_PHOTOMETRIC: Final = 0x00280004
_PLANAR: Final = 0x00280006
_HIGH_BIT: Final = 0x00280102
_IDENTIFYING_GROUP: Final = 0x0008
_IMAGE_TYPE: Final = 0x00080008
_FUNCTIONAL_GROUPS: Final = 0x52009229
"""Shared by all frames of an image whose frames tell of themselves (PS3.3 §C.7.6.16)."""
_LOSSY: Final = 0x00282110
_LOSSY_RATIO: Final = 0x00282112
_LOSSY_METHOD: Final = 0x00282114
_RATIO_CHARACTERS: Final = 8
_RATIO_MAX: Final = 99999.99

_METHODS: Final = {
    **dict.fromkeys(
        (
            syntaxes.JPEG_BASELINE,
            syntaxes.JPEG_EXTENDED,
            syntaxes.JPEG_SPECTRAL_SELECTION,
            syntaxes.JPEG_FULL_PROGRESSION,
        ),
        "ISO_10918_1",
    ),
    syntaxes.JPEG_LS_NEAR: "ISO_14495_1",
}
"""Of what always loses some of the picture."""
_OVERLAY_KEPT: Final = frozenset({syntaxes.EXPLICIT_LITTLE_ENDIAN, syntaxes.RLE})


def transcode(
    source: Path, target: Path, scratch: Path, transfer_syntax: str, size_bytes_max: int
) -> str:
    """Write the Part 10 file anew in one of `ENCODED`.

    Args:
        scratch: a path at which nothing is; what lies there afterwards is the caller's to remove.
        size_bytes_max: of the source, and of the target.

    Returns:
        the transfer syntax of the target: what has no pixels is written uncompressed.

    Raises:
        NotAcceptable: the file cannot be read, or cannot be given so.
    """
    with _refusing_what_is_unreadable():
        return str(_transcode(source, target, scratch, Uid(transfer_syntax), size_bytes_max))


def transcode_frames(
    source: Path,
    target: Path,
    places: Sequence[FramePlace],
    transfer_syntax: str,
    size_bytes_max: int,
) -> list[int]:
    """Write frames of a Part 10 file, which is in little endian, one after the other in one of
    `ENCODED`.

    Returns:
        the bytes of each.

    Raises:
        NotAcceptable: one cannot be read, or cannot be given so.
    """
    with _refusing_what_is_unreadable():
        told = source.stat()
        stored, described, has_overlay = _described(source, told.st_ino, told.st_mtime_ns)
        decoded = decoded_description(described, stored)
        _encoded(decoded, Uid(transfer_syntax), has_overlay=has_overlay)
        if described.frame_bits % 8 and len(places) > 1 and stored not in syntaxes.NATIVE:
            raise NotAcceptable("frames of bits that end within a byte are given one by one")
        sizes: list[int] = []
        with source.open("rb") as file, target.open("wb", WRITE_BUFFER_BYTES) as written:
            for skip_bits, ranges in places:
                frame = b"".join(os.pread(file.fileno(), size, at) for at, size in ranges)
                samples = decode_frame(frame, described, stored, skip_bits=skip_bits)
                if described.bits_allocated == 1:
                    frame, _ = native.pack_bits(samples, b"", 0)
                else:
                    frame = encode_frame(samples, decoded, transfer_syntax)
                if sum(sizes) + len(frame) > size_bytes_max:
                    raise NotAcceptable("the frames are too large to be given so at once")
                sizes.append(written.write(frame))
        return sizes


@lru_cache(_DESCRIPTIONS_MAX)
def _described(path: Path, _inode: int, _mtime_ns: int) -> tuple[Uid, PixelDescription, bool]:
    """The transfer syntax of the file, its pixels, and whether an overlay is among them; kept, for
    the frames of an object are asked for one after the other."""
    meta, data_set = map_file(path)
    header = Header.read(data_set)
    pixels = _pixels(header, data_set, Uid(meta.TransferSyntaxUID))
    if pixels is None:
        raise NotAcceptable("the instance has no pixels")
    return pixels.syntax, pixels.described, header.has_overlay_in_pixels


def _encoded(decoded: PixelDescription, asked: Uid, *, has_overlay: bool) -> PixelDescription:
    """What is to be said of the pixels as they are asked for.

    Raises:
        NotAcceptable: the transfer syntax cannot hold them.
    """
    if has_overlay and asked not in _OVERLAY_KEPT:
        raise NotAcceptable("the transfer syntax cannot hold an overlay within the pixels")
    return encoded_description(decoded, asked)


@contextmanager
def _refusing_what_is_unreadable() -> Iterator[None]:
    try:
        yield
    except (NotAcceptable, MemoryError):
        raise
    except NotNative as error:
        raise NotAcceptable(f"the instance cannot be given so: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise NotAcceptable("the instance's file cannot be read") from error
    except Exception as error:  # pydicom raises whatever its parts raise on bytes that are none
        raise NotAcceptable("the instance cannot be given so: it cannot be read") from error


def _transcode(source: Path, target: Path, scratch: Path, asked: Uid, size_bytes_max: int) -> Uid:
    if source.stat().st_size > size_bytes_max:
        raise NotAcceptable(TOO_LARGE)
    meta, data_set = map_file(source)
    stored = Uid(meta.TransferSyntaxUID)
    if stored in syntaxes.NATIVE:
        if asked == syntaxes.EXPLICIT_LITTLE_ENDIAN:
            rewrite(source, target, size_bytes_max)
            return asked
        if stored != syntaxes.EXPLICIT_LITTLE_ENDIAN:
            rewrite(source, scratch, size_bytes_max)
            meta, data_set = map_file(scratch)
            stored = syntaxes.EXPLICIT_LITTLE_ENDIAN
    header = Header.read(data_set)
    pixels = _pixels(header, data_set, stored)
    given = syntaxes.EXPLICIT_LITTLE_ENDIAN if pixels is None else asked
    with target.open("w+b", buffering=WRITE_BUFFER_BYTES) as file:
        write_head(file, meta, given)
        if pixels is None:
            header.write(file)
            return given
        decoded = decoded_description(pixels.described, stored)
        encoded = _encoded(decoded, asked, has_overlay=header.has_overlay_in_pixels)
        _describe(header, pixels.described, encoded)
        _tell_former_loss(header, pixels)
        if asked in _METHODS:
            # How much smaller the pixels are is known when they are written; here is its place.
            _add_loss(header, _METHODS[asked], " " * _RATIO_CHARACTERS)
            _tell_derived(header)
        ends = header.write(file)
        if asked == syntaxes.EXPLICIT_LITTLE_ENDIAN:
            write_native(file, pixels.frames(), encoded, size_bytes_max=size_bytes_max)
            return given
        frames = (encode_frame(samples, decoded, asked) for samples in pixels.frames())
        size_bytes = write_encapsulated(file, frames, encoded, size_bytes_max=size_bytes_max)
        if asked in _METHODS:
            file.seek(ends[_LOSSY_RATIO] - _RATIO_CHARACTERS)
            native_bytes = decoded.frame_bits // 8 * decoded.frames
            file.write(_ratio(native_bytes, size_bytes).encode("ascii").ljust(_RATIO_CHARACTERS))
    return given


def _pixels(header: Header, data_set: memoryview, stored: Uid) -> StoredPixels | None:
    place = header.pixels
    if place is None:
        return None
    told = header.group(_IMAGE_GROUP)
    told.add_new(place.tag, "OB", b"")  # which tag it is says whether they are of floating point
    offsets, extended = header.extended_offsets, b""
    if offsets is not None:
        extended = bytes(data_set[offsets.at : offsets.at + offsets.size_bytes])
    return StoredPixels(
        value=data_set[place.at : place.at + place.size_bytes],
        described=describe_pixels(told),
        syntax=stored,
        extended_offsets=extended,
    )


def _describe(header: Header, stored: PixelDescription, given: PixelDescription) -> None:
    """Say what has become of the pixels."""
    if given.photometric != stored.photometric:
        header.put(_PHOTOMETRIC, "CS", given.photometric.encode("ascii"))
    if given.by_plane != stored.by_plane:
        header.put(_PLANAR, "US", struct.pack("<H", given.by_plane))
    if given.high_bit != stored.high_bit:
        header.put(_HIGH_BIT, "US", struct.pack("<H", given.high_bit))


def _tell_former_loss(header: Header, pixels: StoredPixels) -> None:
    """What was stored with a loss has it for good, and some modalities do not say so."""
    method = _METHODS.get(pixels.syntax)
    if method is None or _texts(header.group(_IMAGE_GROUP), _LOSSY) == ["01"]:
        return
    native_bytes = pixels.described.frame_bits // 8 * pixels.described.frames
    _add_loss(header, method, _ratio(native_bytes, len(pixels.value)))


def _add_loss(header: Header, method: str, ratio: str) -> None:
    told = header.group(_IMAGE_GROUP)
    header.put(_LOSSY, "CS", b"01")
    for tag, vr, one in ((_LOSSY_RATIO, "DS", ratio), (_LOSSY_METHOD, "CS", method)):
        header.put(tag, vr, "\\".join([*_texts(told, tag), one]).encode("ascii"))


def _tell_derived(header: Header) -> None:
    """A compressed version of another image is derived (PS3.3 §C.7.6.1.1.5).

    Not so where frames tell their types: much of what a frame that was acquired tells may not be
    told of a derived one (PS3.3 §C.8.13.5, for one), and is true of this one all the same.
    """
    if _FUNCTIONAL_GROUPS in header:
        return
    told = _texts(header.group(_IDENTIFYING_GROUP), _IMAGE_TYPE)
    if told:
        header.put(_IMAGE_TYPE, "CS", "\\".join(["DERIVED", *told[1:]]).encode("ascii", "replace"))


def _texts(told: Dataset, tag: int) -> list[str]:
    if tag not in told or not told[tag].value:
        return []
    value = told[tag].value
    return [str(one) for one in value] if told[tag].VM > 1 else [str(value)]


def _ratio(native_bytes: int, encoded_bytes: int) -> str:
    return f"{min(native_bytes / max(encoded_bytes, 1), _RATIO_MAX):.2f}"
