"""The pixels of a data set, frame by frame."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from gateway.dicomweb.encapsulation import (
    ITEM_HEAD_BYTES,
    FramesUnknown,
    frame_starts,
    read_fragments,
)
from gateway.errors import NotAcceptable
from gateway.pixels import syntaxes
from gateway.pixels.decode import decode_frame
from gateway.pixels.description import PixelDescription
from gateway.pixels.native import Samples
from indexer.contract.identifiers import Uid

_CUT_SHORT: Final = "the instance's file is cut short"
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPixels:
    """Of a data set in little endian."""

    value: memoryview
    """Of the element that holds them: native, or their fragments."""
    described: PixelDescription
    syntax: Uid
    extended_offsets: bytes = b""
    """Value of the Extended Offset Table, if there is one."""

    def frames(self) -> Iterator[Samples]:
        """Each frame, decoded.

        Raises:
            NotAcceptable: one cannot be decoded, or not all are there.
        """
        described, syntax = self.described, self.syntax
        if syntax not in syntaxes.NATIVE:
            for begins, ends in pairwise(self._edges()):
                yield decode_frame(join_fragments(self.value[begins:ends]), described, syntax)
            return
        bits = described.frame_bits
        if len(self.value) * 8 < bits * described.frames:
            raise NotAcceptable(_CUT_SHORT)
        for begins in range(0, bits * described.frames, bits):
            frame = bytes(self.value[begins // 8 : -(-(begins + bits) // 8)])
            yield decode_frame(frame, described, syntax, skip_bits=begins % 8)

    def _edges(self) -> list[int]:
        """Where each frame begins, and where the last one ends."""
        try:
            starts = frame_starts(
                read_fragments(self.value),
                self.value,
                frames=self.described.frames,
                syntax=self.syntax,
                extended=self.extended_offsets,
            )
        except FramesUnknown as error:
            raise NotAcceptable(str(error)) from error
        if len(starts) != self.described.frames + 1:
            raise NotAcceptable(_CUT_SHORT)
        return list(starts)


def join_fragments(items: memoryview) -> bytes:
    """What the fragments hold that follow each other here, each with its head (PS3.5 §A.4)."""
    contents, at = [], 0
    while at + ITEM_HEAD_BYTES <= len(items):
        (length,) = _LENGTH.unpack_from(items, at + 4)
        at += ITEM_HEAD_BYTES
        contents.append(items[at : at + length])
        at += length
    return b"".join(contents)
