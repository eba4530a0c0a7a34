"""The header of a data set, element by element, so that some of it can be said anew."""

import struct
from io import BytesIO
from itertools import pairwise
from typing import BinaryIO, Final, Self

from pydicom import Dataset
from pydicom.filereader import read_dataset

from gateway.retrieval.forms.reencode import HeaderBytes, Place, Reencoder

PIXELS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, double float, and other pixels."""
EXTENDED_OFFSETS: Final = 0x7FE00001

_PIXEL_GROUP: Final = 0x7FE0
_OVERLAY_GROUPS: Final = range(0x6000, 0x601F, 2)
_OVERLAY_BIT_POSITION: Final = 0x0102
_OVERLAY_DATA: Final = 0x3000


class Header:
    """What stands before the pixels of a data set, in Explicit VR Little Endian.

    Args:
        elements: of the top level, each with its tag, VR and length.
        apart: where the values of the pixels' group lie in the data set.
    """

    def __init__(self, elements: dict[int, bytes], apart: list[Place]) -> None:
        self._elements = elements
        self._apart = {place.tag: place for place in apart}

    @classmethod
    def read(cls, data_set: memoryview) -> Self:
        """The header of a data set in little endian, whose pixels may be encapsulated.

        Raises:
            ValueError: it cannot be read, or is larger than `HEADER_BYTES_MAX`.
        """
        written = HeaderBytes()
        places: list[tuple[int, int]] = []
        reading = Reencoder(
            data_set,
            written,
            # Not those of an icon, which stand within another element.
            sets_apart=lambda tag, _vr, _size: _is_pixels(tag) and places[-1][0] == tag,
            begins=lambda tag: places.append((tag, written.tell())),
        )
        reading.run()
        header, elements = written.getvalue(), dict[int, bytes]()
        for (tag, at), (_, end) in pairwise([*places, (0, len(header))]):
            # What comes after the pixels is padding, or a signature of other pixels.
            if tag >> 16 < _PIXEL_GROUP and end > at:
                elements[tag] = header[at:end]
        return cls(elements, reading.apart)

    @property
    def pixels(self) -> Place | None:
        """Where the pixels lie in the data set, if it has any."""
        return next((self._apart[tag] for tag in PIXELS if tag in self._apart), None)

    @property
    def extended_offsets(self) -> Place | None:
        """Where the Extended Offset Table lies, if there is one (PS3.5 §A.4)."""
        return self._apart.get(EXTENDED_OFFSETS)

    @property
    def has_overlay_in_pixels(self) -> bool:
        """Whether an overlay lies in bits of the pixels (retired, PS3.5 §8.1.2)."""
        groups = (group << 16 for group in _OVERLAY_GROUPS)
        return any(
            group | _OVERLAY_BIT_POSITION in self._elements
            and group | _OVERLAY_DATA not in self._elements
            for group in groups
        )

    def __contains__(self, tag: int) -> bool:
        return tag in self._elements

    def group(self, number: int) -> Dataset:
        """The elements of a group, as pydicom reads them."""
        told = b"".join(one for tag, one in self._elements.items() if tag >> 16 == number)
        return read_dataset(BytesIO(told), is_implicit_VR=False, is_little_endian=True)

    def put(self, tag: int, vr: str, value: bytes) -> None:
        """Say this in place of what is said under the tag, if anything; the VR is a short one."""
        padded = value + (b" " if vr in ("CS", "DS") else b"\0") * (len(value) % 2)
        head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode("ascii"), len(padded))
        self._elements[tag] = head + padded

    def write(self, target: BinaryIO) -> dict[int, int]:
        """Write all elements in order; returns where each of them ends."""
        ends = {}
        for tag in sorted(self._elements):
            target.write(self._elements[tag])
            ends[tag] = target.tell()
        return ends


def _is_pixels(tag: int) -> bool:
    return tag >> 16 == _PIXEL_GROUP
