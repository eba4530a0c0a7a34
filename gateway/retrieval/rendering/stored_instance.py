"""A stored instance as a worker reads it: its header, and one frame at a time."""

import mmap
import os
from array import array
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import dcmread

from gateway.dicomweb.encapsulation import (
    ITEM_HEAD_BYTES,
    Fragments,
    FramesUnknown,
    frame_starts,
    read_fragments,
)
from gateway.errors import NotAcceptable, NotFound
from gateway.pixels.appearance import Appearance, appearance_of
from gateway.pixels.attributes import text, whole
from gateway.pixels.decode import decode_frame, decoded_description
from gateway.pixels.description import PixelDescription, describe_pixels
from gateway.pixels.grayscale import Stored
from gateway.pixels.palette import rgb_of_ybr
from gateway.pixels.presentation import PRESENTATIONS
from gateway.pixels.samples import bits_stored
from gateway.pixels.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    EXPLICIT_BIG_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    NATIVE,
)
from gateway.retrieval.rendering.forms import media_types
from indexer.contract.identifiers import Uid

VALUE_BYTES_MAX: Final = 2**20
"""Of a value of the header; longer ones, such as documents, are read when they are asked for."""
KEPT_BYTES_MAX: Final = 2**20
"""Of headers in their files that a worker keeps: some three hundred of slices. The frames of an
object are asked for one after the other, and a slice again in another window."""

_WORDS: Final = {"OW": 2, "OF": 4, "OD": 8}
"""Bytes that are swapped together in big endian (PS3.5 §7.3)."""


class StoredInstance:
    """The header of a Part 10 file, and its frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = str(path)
        with path.open("rb") as file:
            self.header = dcmread(file, stop_before_pixels=True, defer_size=VALUE_BYTES_MAX)
            self.pixels_at = file.tell()
        self.syntax = Uid(self.header.file_meta.TransferSyntaxUID)
        self._looks: dict[int, Appearance] = {}

    @cached_property
    def described(self) -> PixelDescription:
        """What the header says of the pixels.

        Raises:
            NotAcceptable: it says what cannot be.
        """
        if self.syntax == DEFLATED_LITTLE_ENDIAN:  # which hides what kind of pixels there are
            return describe_pixels(dcmread(self.path))
        return describe_pixels(self.header)

    @cached_property
    def media_types(self) -> tuple[str, ...]:
        """What it can be given in, the default first.

        Raises:
            NotAcceptable: nothing of it can be rendered.
        """
        return media_types(self.header, self.syntax)

    @cached_property
    def is_presentation(self) -> bool:
        """Whether it says how others are shown, and has no picture of its own."""
        return text(self.header, "SOPClassUID") in PRESENTATIONS

    @property
    def representative(self) -> int:
        """The frame, counted from 1, that stands for all (PS3.3 §C.7.6.6)."""
        chosen = whole(self.header, "RepresentativeFrameNumber", 1)
        return chosen if 1 <= chosen <= self.described.frames else 1

    def appearance(self, frame: int) -> Appearance:
        """How a frame, counted from 1, looks by its own header."""
        # Without functional groups all frames look alike.
        key = frame if "SharedFunctionalGroupsSequence" in self.header else 0
        if key not in self._looks:
            big_endian = self.syntax == EXPLICIT_BIG_ENDIAN
            self._looks = {key: appearance_of(self.header, frame - 1, big_endian=big_endian)}
        return self._looks[key]

    def samples(self, frame: int) -> Stored:
        """The bits stored of a frame, counted from 1; of colours, RGB.

        Raises:
            NotFound: there is no such frame.
            NotAcceptable: they cannot be decoded.
        """
        if not 1 <= frame <= self.described.frames:
            raise NotFound(f"the instance has {self.described.frames} frames")
        if self.syntax in NATIVE:
            content, skip_bits = self._native(frame)
        else:
            content, skip_bits = self._encapsulated(frame), 0
        samples = decode_frame(content, self.described, self.syntax, skip_bits=skip_bits)
        told = decoded_description(self.described, self.syntax)
        settled = bits_stored(samples, told)
        return rgb_of_ybr(settled) if told.photometric.startswith("YBR") else settled

    def _native(self, frame: int) -> tuple[bytes, int]:
        bits = self.described.frame_bits
        begins, ends = (frame - 1) * bits, frame * bits
        content = self._bytes(begins // 8, -(-ends // 8))
        if self.syntax == EXPLICIT_BIG_ENDIAN and (word := _WORDS.get(self._vr)):
            if len(content) % word == 0 and begins % (8 * word) == 0:
                content = np.frombuffer(content, f">u{word}").astype(f"<u{word}").tobytes()
            else:
                raise NotAcceptable("a frame does not end where a word of its pixels does")
        return content, begins % 8

    def _bytes(self, start: int, end: int) -> bytes:
        """Some of the value of native pixels."""
        if self.syntax == DEFLATED_LITTLE_ENDIAN:
            return bytes(dcmread(self.path).PixelData[start:end])
        number = os.open(self._name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(number, end - start, self.pixels_value_at + start)
        finally:
            os.close(number)

    def _encapsulated(self, frame: int) -> bytes:
        starts = self._starts
        if frame >= len(starts):
            raise NotAcceptable(f"the file is cut short after frame {len(starts) - 1}")
        start, end = starts[frame - 1], starts[frame]
        content, at, items = self._bytes(start, end), 0, []
        while at + ITEM_HEAD_BYTES <= len(content):
            length = int.from_bytes(content[at + 4 : at + ITEM_HEAD_BYTES], "little")
            items.append(content[at + ITEM_HEAD_BYTES : at + ITEM_HEAD_BYTES + length])
            at += ITEM_HEAD_BYTES + length
        return b"".join(items)

    @cached_property
    def fragments(self) -> Fragments:
        """Of encapsulated pixels.

        Raises:
            ValueError: they hold something else.
        """
        return read_fragments(self._mapped())

    @cached_property
    def _starts(self) -> "array[int]":
        extended = self.header.get("ExtendedOffsetTable") or b""
        try:
            return frame_starts(
                self.fragments,
                self._mapped(),
                frames=self.described.frames,
                syntax=self.syntax,
                extended=extended,
            )
        except FramesUnknown as error:
            raise NotAcceptable(str(error)) from None

    @cached_property
    def _vr(self) -> str:
        with self.path.open("rb") as file:
            file.seek(self.pixels_at + 4)  # after the tag
            return file.read(2).decode("latin-1")

    @property
    def pixels_value_at(self) -> int:
        """Where the value of the pixels begins, after tag, representation and length."""
        return self.pixels_at + (8 if self.syntax == IMPLICIT_LITTLE_ENDIAN else 12)

    def _mapped(self) -> memoryview:
        """The value of the pixels, and whatever follows it. Not kept: a file that was removed would
        keep its room on the disk."""
        with self.path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return memoryview(mapped)[self.pixels_value_at :]


class _Kept:
    """The instances that were asked for last, as many as `KEPT_BYTES_MAX` lets be."""

    def __init__(self) -> None:
        self._instances: dict[tuple[str, int, int, int], StoredInstance] = {}
        self._bytes = 0

    def open(self, name: str) -> StoredInstance:
        told = os.stat(name)  # noqa: PTH116 - a path costs more to make than its file to find
        key = (name, told.st_ino, told.st_mtime_ns, told.st_size)
        found = self._instances.pop(key, None)
        if found is None:
            found = StoredInstance(Path(name))
            self._bytes += found.pixels_at
        self._instances[key] = found
        while self._bytes > KEPT_BYTES_MAX and len(self._instances) > 1:
            self._bytes -= self._instances.pop(next(iter(self._instances))).pixels_at
        return found


_kept: Final = _Kept()


def open_stored(name: str) -> StoredInstance:
    """The file's header, as it was if the file is still the same."""
    return _kept.open(name)
