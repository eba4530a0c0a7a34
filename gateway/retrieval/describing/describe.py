"""Describes an instance's file: its metadata as DICOM JSON, and where frames and values lie in it.

It runs in a worker process, once for each file; nothing of the file is read again to serve them.
"""

import zlib
from array import array
from pathlib import Path
from typing import Final

import orjson

from gateway.dicomweb.dicom_json import JsonDataSet, read_json
from gateway.dicomweb.encapsulation import FramesUnknown, frame_starts, read_fragments
from gateway.dicomweb.layout import BulkValue, Layout, Pixels
from gateway.errors import NotAcceptable
from gateway.pixels.syntaxes import DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, NATIVE
from gateway.retrieval.forms.part10 import map_file, rewrite
from gateway.retrieval.forms.reencode import HeaderBytes, Place, Reencoder
from indexer.contract.identifiers import Uid

BINARY_INLINE_BYTES_MAX: Final = 4096
"""Holds a palette of 2048 entries and most profiles of colour, and no vendor's private header."""
INLINE_BYTES_MAX: Final = 65_536
"""Of texts and numbers."""
BULK_VALUES_MAX: Final = 10_000
REWRITTEN: Final = (DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN)
"""Described as the file that they are in Explicit VR Little Endian."""
METADATA_BYTES_MAX: Final = 64 * 2**20
"""Of the JSON of one instance: some 20,000 frames that are described one by one."""

_BINARY: Final = frozenset("OB OD OF OL OV OW UN".split())
_NUMBERS_AND_TEXTS: Final = frozenset("DS FL FD IS LT SL SS ST SV UC UL US UT UV".split())
"""With the binary ones, what a BulkDataURI may stand for (PS3.18 Table F.2.3-1)."""
_PIXELS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXELS_PATHS: Final = tuple(f"{tag:08X}" for tag in _PIXELS)
_EXTENDED_OFFSETS: Final = "7FE00001"
_VIDEO: Final = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
_OTHER_SYNTAX: Final = "the pixels are not in the transfer syntax that the file names"
_COLOURS_SHARED: Final = ("YBR_FULL_422", "YBR_PARTIAL_422")

Described = tuple[bytes, bytes, bytes]
"""Metadata, deflated; the layout's record; where encapsulated frames begin. Plain values, for they
come from a process that hostile bytes may have taken over."""


def describe(path: Path, transfer_syntax: str, scratch: Path, size_bytes_max: int) -> Described:
    """Describe a Part 10 file. Blocks.

    Args:
        scratch: a path at which nothing is; what lies there afterwards is the caller's to remove.
        size_bytes_max: of a file that must be rewritten to be read.

    Raises:
        NotAcceptable: the file cannot be read, or its header is too large.
    """
    try:
        if transfer_syntax in REWRITTEN:
            rewrite(path, scratch, size_bytes_max)
            return _describe(scratch, transfer_syntax, rewritten=True)
        return _describe(path, transfer_syntax, rewritten=False)
    except (NotAcceptable, MemoryError):
        raise
    except ValueError as error:
        raise NotAcceptable(f"the instance's metadata cannot be given: {error}") from error
    except Exception as error:  # pydicom raises whatever its parts raise on bytes that are none
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise NotAcceptable("the instance's file cannot be read") from error


def _describe(path: Path, transfer_syntax: str, *, rewritten: bool) -> Described:
    _, data_set = map_file(path)
    data_set_at = path.stat().st_size - len(data_set)
    header = HeaderBytes()
    reading = Reencoder(data_set, header, sets_apart=_stands_apart)
    reading.run()
    if len(reading.apart) > BULK_VALUES_MAX:
        raise NotAcceptable(f"the instance has more than {BULK_VALUES_MAX} values of bulk data")
    told = read_json(header.getvalue(), {place.path: _uri(place.path) for place in reading.apart})
    extended, starts = b"", array("Q")
    pixels: Pixels | None = None
    for place in reading.apart:
        value = data_set[place.at : place.at + place.size_bytes]
        if place.path == _EXTENDED_OFFSETS:
            extended = bytes(value)
        elif place.path in _PIXELS_PATHS and pixels is None:
            if place.fragmented is (transfer_syntax in NATIVE):
                pixels = Pixels(path=place.path, frames=0, claimed=1, unknown=_OTHER_SYNTAX)
            elif place.fragmented:
                found = _encapsulated(told, place, value, Uid(transfer_syntax), extended)
                pixels, starts = found
                starts = array("Q", (data_set_at + place.at + start for start in starts))
            else:
                pixels = _native(told, place)
    bulk = {
        place.path: BulkValue(
            vr=place.vr,
            at=data_set_at + place.at,
            size_bytes=place.size_bytes,
            fragmented=place.fragmented,
        )
        for place in reading.apart
    }
    layout = Layout(bulk=bulk, pixels=pixels, rewritten=rewritten)
    metadata = orjson.dumps(told)
    if len(metadata) > METADATA_BYTES_MAX:
        raise NotAcceptable(f"the instance's metadata is larger than {METADATA_BYTES_MAX} bytes")
    return zlib.compress(metadata), layout.encode(), starts.tobytes()


def _stands_apart(tag: int, vr: str, size_bytes: int) -> bool:
    if tag in _PIXELS or tag >> 16 == 0x7FE0 or not size_bytes:
        return size_bytes > 0
    if vr in _BINARY:
        return size_bytes > BINARY_INLINE_BYTES_MAX
    return vr in _NUMBERS_AND_TEXTS and size_bytes > INLINE_BYTES_MAX


def _uri(path: str) -> str:
    return f"bulkdata/{path}"


def _native(told: JsonDataSet, place: Place) -> Pixels:
    claimed = max(1, _number(told, "00280008", default=1))
    pixel_bits = _number(told, "00280100") * _number(told, "00280002", default=1)
    frame_bits = _number(told, "00280010") * _number(told, "00280011") * pixel_bits
    value_bits = place.size_bytes * 8
    if _text(told, "00280004") in _COLOURS_SHARED and value_bits < claimed * frame_bits:
        frame_bits = frame_bits * 2 // 3  # two pixels share their colour, PS3.3 §C.7.6.3.1.2
    unknown = "" if frame_bits > 0 else "the file does not tell how large a frame is"
    frames = min(claimed, value_bits // frame_bits) if frame_bits > 0 else 0
    return Pixels(
        path=place.path,
        frames=frames,
        claimed=claimed,
        native=True,
        frame_bits=frame_bits,
        unknown=unknown,
    )


def _encapsulated(
    told: JsonDataSet, place: Place, value: memoryview, syntax: Uid, extended: bytes
) -> "tuple[Pixels, array[int]]":
    claimed = max(1, _number(told, "00280008", default=1))
    starts = array("Q")
    unknown, split = "", False
    video = syntax.startswith(_VIDEO)
    fragments = read_fragments(value)
    if video:
        unknown = "a video is given as a whole: ask for its pixel data"
    else:
        try:
            starts = frame_starts(
                fragments, value, frames=claimed, syntax=syntax, extended=extended
            )
            split = fragments.count != claimed
        except FramesUnknown as error:
            unknown = str(error)
    pixels = Pixels(
        path=place.path,
        frames=max(0, len(starts) - 1),
        claimed=claimed,
        split=split,
        video=video,
        unknown=unknown,
    )
    return pixels, starts


def _number(told: JsonDataSet, path: str, *, default: int = 0) -> int:
    """The first value of an attribute; `default` where there is none that counts something."""
    found = _first(told, path)
    return found if isinstance(found, int) and found > 0 else default


def _text(told: JsonDataSet, path: str) -> str:
    found = _first(told, path)
    return found if isinstance(found, str) else ""


def _first(told: JsonDataSet, path: str) -> object:
    values = told.get(path, {}).get("Value") or [None]
    return values[0]
