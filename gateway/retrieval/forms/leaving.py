"""Readies an instance's file to leave the centre: what of it changes, and how long it is then."""

import errno
import logging
import mmap
import os
import zlib
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.dicomweb.conditions import ByteRange
from gateway.errors import NotAcceptable
from gateway.retrieval.files import OpenFile
from gateway.retrieval.forms.coercion import Splice, name_by_ins
from indexer.contract.identifiers import Ins, Uid

log = logging.getLogger(__name__)

_PREFIX_BYTES: Final = 128 + 4  # PS3.10 §7.1
_GROUP_LENGTH_BYTES: Final = 12
_READ_BYTES: Final = 2**20
_UNCHANGED: Final = Splice(at=0, until=0, new=b"")


class KnownPatients(Protocol):
    """What the catalogue tells of whom a study is of."""

    async def ins(self, study: Uid) -> Ins | None:
        """By which INS the study's pointer names its patient; None while it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A file as it leaves: that which is stored, but for one run of bytes."""

    opened: OpenFile
    splice: Splice = _UNCHANGED

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self.splice.size_bytes(self.opened.size_bytes)

    @property
    def pieces(self) -> list[ByteRange | bytes]:
        """What it is made of, in order: parts of the stored file, and new bytes."""
        whole_bytes = self.opened.size_bytes
        if not self.splice.new:
            return [ByteRange(start=0, end=whole_bytes, of=whole_bytes)]
        # There is a preamble before it; nothing may come after it.
        before = ByteRange(start=0, end=self.splice.at, of=whole_bytes)
        after = ByteRange(start=self.splice.until, end=whole_bytes, of=whole_bytes)
        return [before, self.splice.new, *([after] if after.size_bytes else [])]


def ready(opened: OpenFile, ins: Ins | None) -> Leaving:
    """The file as it leaves; blocks.

    One whose header cannot be walked leaves as it is stored: its study is not held back for it.

    Args:
        opened: in Explicit VR Little Endian, or compressed.
        ins: by which its patient is to be named; None leaves it as it is.
    """
    if ins is None:
        return Leaving(opened=opened)
    # Not closed by hand: an error on its way up still refers to parts of it.
    mapped = memoryview(mmap.mmap(opened.file.fileno(), 0, access=mmap.ACCESS_READ))
    group_at = _PREFIX_BYTES + _GROUP_LENGTH_BYTES
    data_set_at = group_at + int.from_bytes(mapped[group_at - 4 : group_at], "little")
    try:
        return Leaving(opened=opened, splice=name_by_ins(mapped, data_set_at, ins))
    except NotAcceptable as error:
        log.warning("instance_not_named_by_ins", extra={"reason": str(error)})
        return Leaving(opened=opened)


def crc32_of(leaving: Leaving) -> int:
    """The CRC of its bytes, as zip archives have it; blocks."""
    splice, descriptor = leaving.splice, leaving.opened.file.fileno()
    crc = _crc32(0, descriptor, 0, splice.at)
    crc = zlib.crc32(splice.new, crc)
    return _crc32(crc, descriptor, splice.until, leaving.opened.size_bytes)


def _crc32(crc: int, descriptor: int, at: int, until: int) -> int:
    # Read, not mapped: what is mapped counts as this process's memory, a study's worth of it.
    while at < until:
        chunk = os.pread(descriptor, min(_READ_BYTES, until - at), at)
        if not chunk:
            raise OSError(errno.EIO, "the file is shorter than it was")
        crc, at = zlib.crc32(chunk, crc), at + len(chunk)
    return crc
