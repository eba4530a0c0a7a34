"""Lookup tables of an image: modality, VOI and palette (PS3.3 §C.11.1, §C.11.2, §C.7.6.3.1.5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

ENTRIES_MAX: Final = 65536
"""Of one table: its descriptor holds 16 bits, and 0 stands for all of them."""

_SIGN: Final = 0x8000
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2  # opcodes of segments, PS3.3 §C.7.9.2


class BadTable(ValueError):
    """A table contradicts its descriptor."""


@dataclass(frozen=True, slots=True)
class LookupTable:
    """What stored values become. Two are equal that say the same, so it can be a key."""

    first: int
    """The value that the first entry is for; what lies below gets the first entry, too."""
    entries: NDArray[np.uint16] = field(compare=False)
    bits: int
    content: bytes = field(repr=False)
    """The entries as bytes, which unlike an array can be compared and hashed."""

    def at(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The entries for these values."""
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        found: NDArray[np.uint16] = self.entries.take(places.astype(np.intp))
        return found.astype(np.float64)

    @property
    def top(self) -> int:
        """The largest entry that there may be."""
        return int(2**self.bits - 1)


def make_table(
    descriptor: Sequence[int], data: bytes | Sequence[int] | int, *, signed: bool, big_endian: bool
) -> LookupTable:
    """The table of a LUT Descriptor and its LUT Data.

    Args:
        signed: whether what the table is looked up with may be negative.
        big_endian: of `data`, where it is bytes.

    Raises:
        BadTable: the descriptor is none, or there are fewer entries than it says.
    """
    count, first, bits = read_descriptor(descriptor, signed=signed)
    entries = _entries(data, count, bits, big_endian=big_endian)
    if len(entries) < count:
        raise BadTable(f"a lookup table of {count} entries holds {len(entries)}")
    return table_of(first, entries[:count], bits)


def table_of(first: int, entries: NDArray[np.uint16], bits: int) -> LookupTable:
    """A table whose entries may fit in fewer bits than are declared, as old writers have it."""
    largest = int(entries.max(initial=0))
    if bits > 8 and 0 < largest < 256:
        bits = 8
    entries = np.ascontiguousarray(entries)
    return LookupTable(first, entries, max(bits, largest.bit_length()), entries.tobytes())


def read_descriptor(descriptor: Sequence[int], *, signed: bool) -> tuple[int, int, int]:
    """Number of entries, first value mapped, bits of an entry.

    Raises:
        BadTable: there are not three values, or the bits are not 8 to 16.
    """
    if len(descriptor) != 3:
        raise BadTable("a lookup table's descriptor does not hold three values")
    count, first, bits = (int(value) & 0xFFFF for value in descriptor)
    if not 8 <= bits <= 16:
        raise BadTable(f"a lookup table has entries of {bits} bits")
    if signed and first & _SIGN:
        first -= 2 * _SIGN
    return count or ENTRIES_MAX, first, bits


def _entries(
    data: bytes | Sequence[int] | int, count: int, bits: int, *, big_endian: bool
) -> NDArray[np.uint16]:
    if isinstance(data, bytes):
        if bits == 8 and len(data) in (count, count + 1):  # one byte an entry, perhaps padded
            return np.frombuffer(data, np.uint8).astype(np.uint16)
        whole = data[: len(data) // 2 * 2]
        return np.frombuffer(whole, ">u2" if big_endian else "<u2").astype(np.uint16)
    values = [data] if isinstance(data, int) else list(data)
    return (np.asarray(values, np.int64) & 0xFFFF).astype(np.uint16)


def expand_segments(data: bytes, count: int, *, bits: int, big_endian: bool) -> NDArray[np.uint16]:
    """The entries of a segmented palette (PS3.3 §C.7.9.2).

    Raises:
        BadTable: a segment is cut short, unknown or refers to nothing, or the segments together
            are fewer than `count` entries.
    """
    kind = np.dtype("u1" if bits == 8 else ">u2" if big_endian else "<u2")
    words = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)
    entries: list[int] = []
    try:
        _expand(words.tolist(), entries, count, width=kind.itemsize)
    except IndexError as error:
        raise BadTable("a segmented palette is cut short") from error
    if len(entries) < count:
        raise BadTable(f"a segmented palette of {count} entries holds {len(entries)}")
    return np.asarray(entries[:count], np.uint16)


def _expand(words: list[int], entries: list[int], count: int, *, width: int) -> None:
    at = 0
    while at < len(words) and len(entries) < count:
        if words[at] != _INDIRECT:
            at = _segment(words, at, entries)
            continue
        copied, offset_at = words[at + 1], at + 2
        at = offset_at + 4 // width
        offset = sum(word << 8 * width * place for place, word in enumerate(words[offset_at:at]))
        source = offset // width
        for _ in range(copied):
            if len(entries) >= count:
                return
            source = _segment(words, source, entries)


def _segment(words: list[int], at: int, entries: list[int]) -> int:
    """Add what the segment at this place stands for; where the next one begins."""
    opcode, length = words[at], words[at + 1]
    if opcode == _DISCRETE:
        end = at + 2 + length
        if end > len(words):
            raise IndexError
        entries += words[at + 2 : end]
        return end
    if opcode != _LINEAR:
        raise BadTable(f"a segmented palette has a segment of kind {opcode}")
    if not entries:
        raise BadTable("a segmented palette begins with a line that comes from nowhere")
    begin, end_value = entries[-1], words[at + 2]
    steps = range(1, length + 1)
    entries += [begin + round((end_value - begin) * step / length) for step in steps]
    return at + 3
