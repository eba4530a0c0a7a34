"""Gives instances in the transfer syntax that a client may have, without decoding a pixel.

The web forbids Implicit VR Little Endian and Explicit VR Big Endian (PS3.18 §8.7.3), and one who
names no transfer syntax gets Explicit VR Little Endian (PS3.18 §8.7.3.4). Rewriting runs in worker
processes and goes from file to file, so neither the loop nor the memory feels a large instance.
"""

import mmap
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from gateway.errors import NotAcceptable, StorageUnavailable, WorkerDied
from gateway.pixels.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
)
from gateway.processes.pool import WorkerPool
from gateway.retrieval.files import UNREADABLE, to_the_end
from gateway.retrieval.reencode import NotNative, Reencoder
from gateway.retrieval.sources.source import HeldInstance
from indexer.contract.identifiers import Uid

REWRITE_S_MAX: Final = 300.0
"""For one instance, once a worker has begun."""
_WRITE_BUFFER_BYTES: Final = 2**20
_INFLATE_BYTES: Final = 2**20  # inflated at a time
_PREFIX: Final = bytes(128) + b"DICM"  # PS3.10 §7.1; the preamble is no part of the instance
_PREFIX_BYTES: Final = len(_PREFIX)
_GROUP_LENGTH_BYTES: Final = 12  # the element that says how long the rest of group 0002 is
_TOO_LARGE: Final = "the instance is too large to be given in another transfer syntax"


class Transcoder:
    """Rewrites instances in worker processes.

    Args:
        workers: where it is done.
        new_spool: a fresh path at which nothing is yet.
        discard: removes what lies at such a path.
        size_bytes_max: size of the largest instance, before and after, that is rewritten.
    """

    def __init__(
        self,
        workers: WorkerPool,
        new_spool: Callable[[], Path],
        discard: Callable[[Path], Awaitable[None]],
        *,
        size_bytes_max: int,
    ) -> None:
        self._workers = workers
        self._new_spool = new_spool
        self._discard = discard
        self._size_bytes_max = size_bytes_max

    @asynccontextmanager
    async def given(self, held: HeldInstance, transfer_syntax: Uid) -> AsyncIterator[Path]:
        """The instance's file in a transfer syntax that `instance_form` chose.

        Raises:
            NotAcceptable: the instance is too large to be rewritten, or is not what its transfer
                syntax says. Another form of it may be had.
            Unavailable: too much work waits, or the disk is full or fails.
        """
        if transfer_syntax == held.transfer_syntax:
            yield held.path
            return
        target = self._new_spool()
        size_bytes_max = self._size_bytes_max
        try:
            try:
                await self._workers.run(
                    rewrite, held.path, target, size_bytes_max, within_s=REWRITE_S_MAX
                )
            except OSError as error:
                raise StorageUnavailable(UNREADABLE) from error
            except WorkerDied as error:
                raise NotAcceptable(f"the instance cannot be given so: {error}") from error
            yield target
        finally:
            await to_the_end(self._discard(target))


def rewrite(source: Path, target: Path, size_bytes_max: int) -> None:
    """Write the Part 10 file anew in Explicit VR Little Endian. Blocks.

    Raises:
        NotAcceptable: it is larger than `size_bytes_max`, or no native data set.
    """
    if source.stat().st_size > size_bytes_max:
        raise NotAcceptable(_TOO_LARGE)
    try:
        with target.open("wb", buffering=_WRITE_BUFFER_BYTES) as file:
            _rewrite(source, file, size_bytes_max)
    except NotNative as error:
        raise NotAcceptable(f"the instance cannot be given so: {error}") from error


def map_file(path: Path) -> tuple[FileMetaDataset, memoryview]:
    """Group 0002 of a Part 10 file, and its data set, of which only what is used is read."""
    meta = read_file_meta_info(path)
    data_set_at = _PREFIX_BYTES + _GROUP_LENGTH_BYTES + int(meta.FileMetaInformationGroupLength)
    with path.open("rb") as file:
        # Not closed by hand: an error on its way up still refers to parts of it.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return meta, memoryview(mapped)[data_set_at:]


def _rewrite(source: Path, target: BinaryIO, size_bytes_max: int) -> None:
    meta, data_set = map_file(source)
    stored = Uid(meta.TransferSyntaxUID)
    meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE_ENDIAN)
    target.write(_PREFIX)
    write_file_meta_info(DicomIO(target), meta, enforce_standard=False)
    if stored == DEFLATED_LITTLE_ENDIAN:
        _inflate(data_set, target, size_bytes_max)
        return
    Reencoder(data_set, target, big_endian=stored == EXPLICIT_BIG_ENDIAN).run()


def _inflate(source: memoryview, target: BinaryIO, size_bytes_max: int) -> None:
    """Inflate a data set (PS3.5 §A.5), of which a few kilobytes can hold gigabytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces = (source[at : at + _INFLATE_BYTES] for at in range(0, len(source), _INFLATE_BYTES))
    size_bytes = 0
    while not inflater.eof:
        deflated = inflater.unconsumed_tail or next(pieces, b"")
        try:
            inflated = inflater.decompress(deflated, _INFLATE_BYTES)
        except zlib.error as error:
            raise NotNative("the data set is not deflated") from error
        if not deflated and not inflated:
            raise NotNative("the deflated data set is cut short")
        size_bytes += len(inflated)
        if size_bytes > size_bytes_max:
            raise NotAcceptable(_TOO_LARGE)
        target.write(inflated)
