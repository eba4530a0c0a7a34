"""What of a file bulk data is made of: frames, pixels and single values (PS3.18 §8.7.3.3).

Bytes are given as they lie in the file. Only the heads of fragments are left out, and frames whose
pixels are bits and do not end with a byte are shifted.
"""

import os
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from gateway.dicomweb.conditions import ByteRange
from gateway.dicomweb.encapsulation import ITEM_HEAD_BYTES
from gateway.dicomweb.layout import BulkValue, Range, item_ranges, native_range
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN
from gateway.retrieval.describing.known import DescribedInstance
from gateway.retrieval.files import FileReader, OpenFile
from gateway.retrieval.forms.recompress import FramePlace
from gateway.retrieval.forms.transcode import Transcoder
from indexer.contract.identifiers import Uid

_HEAD: Final = struct.Struct("<HHI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of bulk data."""

    ranges: tuple[Range, ...]
    """Of the file, to be given one after the other."""
    bits: tuple[tuple[int, int], ...] = ()
    """Of each range, how many bits are left out and how many are then given, where that is no whole
    number of bytes; the given ones follow each other without padding."""

    @property
    def size_bytes(self) -> int:
        """How long it is as it is given."""
        if self.bits:
            return -(-sum(count for _, count in self.bits) // 8)
        return sum(one.size_bytes for one in self.ranges)

    def within(self, part: ByteRange) -> list[Range]:
        """What of the file a part of the item is; it has no bits."""
        found, before = [], 0
        for one in self.ranges:
            start, end = max(part.start - before, 0), min(part.end - before, one.size_bytes)
            if start < end:
                found.append(Range(one.at + start, end - start))
            before += one.size_bytes
        return found


class BulkReader:
    """Reads bulk data of instances that are at hand."""

    def __init__(self, transcoder: Transcoder, files: FileReader) -> None:
        self._transcoder = transcoder
        self.files = files

    @asynccontextmanager
    async def opened(self, instance: DescribedInstance) -> AsyncIterator[OpenFile]:
        """The file in which the instance's layout holds.

        Raises:
            NotAcceptable: it cannot be rewritten, and is not given otherwise.
            StorageUnavailable: the file is gone, or the disk fails.
        """
        held, rewritten = instance.held, instance.layout.rewritten
        syntax = EXPLICIT_LITTLE_ENDIAN if rewritten else held.transfer_syntax
        async with AsyncExitStack() as stack:
            given = await stack.enter_async_context(self._transcoder.given(held, syntax))
            yield await stack.enter_async_context(self.files.open(given.path))

    async def frames(
        self, opened: OpenFile, instance: DescribedInstance, numbers: Sequence[int]
    ) -> list[Item]:
        """Each frame an item; frames of bits that do not end with a byte are one item together.

        Raises:
            NotFound: the instance has no such frame, or its file does not hold it.
            StorageUnavailable: the disk fails.
        """
        pixels = instance.layout.ensure_frames(numbers)
        if not pixels.native:
            places = item_ranges(instance.starts)
            first = min(numbers)
            return [
                await self._frame(opened, places[number - first], split=pixels.split)
                for number in numbers
            ]
        placed = [native_range(instance.layout, number) for number in numbers]
        if pixels.frame_bits % 8:
            ranges = tuple(place for place, _ in placed)
            return [
                Item(ranges=ranges, bits=tuple((skip, pixels.frame_bits) for _, skip in placed))
            ]
        return [Item(ranges=(place,)) for place, _ in placed]

    async def pixels(self, opened: OpenFile, instance: DescribedInstance) -> list[Item]:
        """All pixels: native ones, and a video, as one item, else an item for each frame. The
        places of all frames must have been asked for.

        Raises:
            NotFound: there are none, or the file does not tell where its frames are.
            StorageUnavailable: the disk fails.
        """
        pixels = instance.layout.shown_pixels()
        value = instance.layout.bulk[pixels.path]
        if pixels.native or pixels.video:
            return [await self.value(opened, value)]
        return await self.every_frame(opened, instance)

    async def every_frame(self, opened: OpenFile, instance: DescribedInstance) -> list[Item]:
        """All pixels, as `frames`.

        Raises:
            NotFound, StorageUnavailable: as `pixels`.
        """
        frames = range(1, instance.layout.shown_pixels().claimed + 1)
        return await self.frames(opened, instance, frames)

    @asynccontextmanager
    async def transcoded(
        self, opened: OpenFile, items: Sequence[Item], transfer_syntax: Uid, *, joined: bool
    ) -> AsyncIterator[tuple[OpenFile, list[Item]]]:
        """Another file with the same frames in another transfer syntax, and where they are there.

        Args:
            items: of frames, in their order.
            joined: whether all of them become one item, as native pixels do.

        Raises:
            NotAcceptable: one cannot be decoded, or the transfer syntax cannot hold them.
            Unavailable: too much work waits, or the disk is full or fails.
        """
        source = Path(opened.file.name)
        places, bits = _places(items)
        async with AsyncExitStack() as stack:
            frames = self._transcoder.frames(source, places, transfer_syntax)
            path, sizes = await stack.enter_async_context(frames)
            ends = list(accumulate(sizes))
            ranges = tuple(Range(end - size, size) for end, size in zip(ends, sizes, strict=True))
            if bits:
                found = [Item(ranges=ranges, bits=tuple((0, count) for count in bits))]
            elif joined:
                found = [Item(ranges=ranges)]
            else:
                found = [Item(ranges=(one,)) for one in ranges]
            yield await stack.enter_async_context(self.files.open(path)), found

    async def value(self, opened: OpenFile, value: BulkValue) -> Item:
        """A value that stands apart, as one item.

        Raises:
            StorageUnavailable: the disk fails.
        """
        whole = Range(value.at, value.size_bytes)
        if not value.fragmented:
            return Item(ranges=(whole,))
        items = await self.files.run(_fragments, opened, whole)
        return Item(ranges=tuple(items[1:]))  # the first is the offset table

    async def shifted(self, opened: OpenFile, item: Item, part: ByteRange) -> AsyncIterator[bytes]:
        """A part of an item of bits.

        Raises:
            StorageUnavailable: the disk fails.
        """
        at = 0
        async for chunk in _without_gaps(self._bits(opened, item)):
            inside = chunk[max(part.start - at, 0) : max(part.end - at, 0)]
            at += len(chunk)
            if inside:
                yield inside
            if at >= part.end:
                return

    async def _frame(self, opened: OpenFile, place: Range, *, split: bool) -> Item:
        if split:
            return Item(ranges=tuple(await self.files.run(_fragments, opened, place)))
        content = Range(place.at + ITEM_HEAD_BYTES, place.size_bytes - ITEM_HEAD_BYTES)
        return Item(ranges=(content,))

    async def _bits(self, opened: OpenFile, item: Item) -> AsyncIterator[tuple[int, int, bytes]]:
        """Chunks, with how many of their bits come before those that count, and how many do."""
        for place, (skip, left) in zip(item.ranges, item.bits, strict=True):
            async for chunk in self.files.chunks(opened, part_of(opened, place)):
                count = min(left, len(chunk) * 8 - skip)
                yield skip, count, chunk
                skip, left = 0, left - count


def _places(items: Sequence[Item]) -> tuple[Sequence[FramePlace], list[int]]:
    """Where the frames of items are, and how many bits each has if they are items of bits."""
    if len(items) == 1 and items[0].bits:
        told = list(zip(items[0].ranges, items[0].bits, strict=True))
        places = [(skip, ((one.at, one.size_bytes),)) for one, (skip, _) in told]
        return places, [count for _, (_, count) in told]
    ranges = [tuple((one.at, one.size_bytes) for one in item.ranges) for item in items]
    return [(0, one) for one in ranges], []


def part_of(opened: OpenFile, place: Range) -> ByteRange:
    """Of a file, as it is read."""
    return ByteRange(start=place.at, end=place.at + place.size_bytes, of=opened.size_bytes)


def _fragments(opened: OpenFile, items: Range) -> list[Range]:
    """The contents of items that follow each other, up to their end or a delimiter. Blocks."""
    found, at = [], items.at
    while at + ITEM_HEAD_BYTES <= items.at + items.size_bytes:
        group, element, length = _HEAD.unpack(os.pread(opened.file.fileno(), ITEM_HEAD_BYTES, at))
        if (group, element) != (0xFFFE, 0xE000):
            break
        found.append(Range(at + ITEM_HEAD_BYTES, length))
        at += ITEM_HEAD_BYTES + length
    return found


async def _without_gaps(pieces: AsyncIterator[tuple[int, int, bytes]]) -> AsyncIterator[bytes]:
    """Bits without gaps between them; the first of a byte is its least (PS3.5 §8.1.1)."""
    rest, rest_bits = 0, 0
    async for skip, count, chunk in pieces:
        bits = int.from_bytes(chunk, "little") >> skip & (1 << count) - 1
        rest |= bits << rest_bits
        whole, rest_bits = divmod(rest_bits + count, 8)
        if whole:
            yield (rest & (1 << whole * 8) - 1).to_bytes(whole, "little")
            rest >>= whole * 8
    if rest_bits:
        yield rest.to_bytes(1, "little")
