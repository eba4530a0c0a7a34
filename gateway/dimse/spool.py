"""Writes an arriving data set to disk as the Part 10 file that it will be (PS3.10 §7.1).

Bytes are gathered in memory and handed to a thread a mebibyte at a time, so that a slow disk holds
back its own peer, which is not read meanwhile, and nobody else. The last of them are written by
whoever goes on with the file on a thread of its own: a hop to one costs more than writing them.
"""

import asyncio
import hashlib
import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Final, Protocol

from gateway.errors import Unavailable
from gateway.model.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

log = logging.getLogger(__name__)

FLUSH_BYTES = 1024 * 1024
FLUSH_FRAGMENTS = 256  # a fragment of one byte costs some hundred in memory

_PREAMBLE = bytes(128) + b"DICM"
_SHORT = Struct("<HH2sH")
_LONG = Struct("<HH2sHI")


def file_header(*, sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Preamble and file meta information, as PS3.10 Table 7.1-1 has them."""
    meta = _LONG.pack(2, 0x0001, b"OB", 0, 2) + b"\0\1"
    for element, value_representation, text, pad in (
        (0x0002, b"UI", sop_class, b"\0"),
        (0x0003, b"UI", sop_instance, b"\0"),
        (0x0010, b"UI", transfer_syntax, b"\0"),
        (0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
        (0x0013, b"SH", IMPLEMENTATION_VERSION, b" "),
    ):
        value = text.encode("ascii")
        value += pad * (len(value) % 2)
        meta += _SHORT.pack(2, element, value_representation, len(value)) + value
    return _PREAMBLE + _SHORT.pack(2, 0, b"UL", 4) + len(meta).to_bytes(4, "little") + meta


NO_ROOM: Final = "the data set is too long, or there is no room for it"


class NoRoom(Unavailable):
    """The data set is longer than may be taken, or the disk refused it."""

    def __init__(self) -> None:
        super().__init__(NO_ROOM)


class Sink(Protocol):
    """Takes a data set as it arrives."""

    async def write(self, data: memoryview) -> None:
        """Add bytes.

        Raises:
            NoRoom: it cannot take them, nor any that follow.
        """


class MemorySink:
    """A short data set, kept in memory."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._data = bytearray()

    @property
    def data(self) -> bytes:
        """What was written."""
        return bytes(self._data)

    async def write(self, data: memoryview) -> None:
        """Add bytes (see `Sink`)."""
        if len(self._data) + len(data) > self._bytes_max:
            raise NoRoom
        self._data += data


class SpoolFile:
    """One data set on its way to disk. One task writes it; it may be discarded at any moment.

    It is not synced: who keeps the file makes it durable.
    """

    def __init__(self, path: Path, header: bytes, executor: Executor, *, bytes_max: int) -> None:
        self.path = path
        self.size_bytes = 0
        self._bytes_max = bytes_max
        self._executor = executor
        self._hash = hashlib.sha256()
        self._header = memoryview(header)
        """Before the data set, until it is written."""
        self._pending: deque[memoryview] = deque()
        self._pending_bytes = 0
        # A thread may still be writing when the task that waits for it is cancelled.
        self._lock = Lock()
        self._is_discarded = False
        self._is_made = False

    @property
    def digest_sha256(self) -> str:
        """SHA-256 of the data set in lower-case hex, once it is written to its end."""
        return self._hash.hexdigest()

    @property
    def in_memory(self) -> tuple[memoryview, ...]:
        """All of the file, where nothing of it was written yet; () where some was."""
        return () if self._is_made else (self._header, *self._pending)

    async def write(self, data: memoryview) -> None:
        """Add bytes of the data set (see `Sink`)."""
        self.size_bytes += len(data)
        if self.size_bytes > self._bytes_max:
            raise NoRoom
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= FLUSH_BYTES or len(self._pending) >= FLUSH_FRAGMENTS:
            await self._flush()

    async def finish(self) -> None:
        """Write what is left, if anything is: the file is whole.

        Raises:
            NoRoom: the disk refused it.
        """
        if self._pending or not self._is_made:
            await self._flush()

    def end(self) -> str:
        """The same, on the thread of the caller; the digest.

        Raises:
            OSError: the disk refused it.
        """
        self._write_out()
        return self.digest_sha256

    def discard(self) -> None:
        """Remove the file if it is still there; nothing is written any more."""
        with self._lock:
            self._is_discarded = True
            if self._is_made:  # never a file of somebody else's
                self.path.unlink(missing_ok=True)

    def _write_out(self) -> None:
        with self._lock:
            pieces = [self._pending.popleft() for _ in range(len(self._pending))]
            if self._is_discarded or not (pieces or self._header):
                return
            # Opened for each mebibyte, not held: nothing is left open whatever ends the message.
            new = 0 if self._is_made else os.O_CREAT | os.O_EXCL
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | new, 0o666)
            try:
                self._is_made = True
                _write_all(descriptor, [self._header, *pieces])
            finally:
                os.close(descriptor)
            self._header = memoryview(b"")
            for piece in pieces:
                self._hash.update(piece)

    async def _flush(self) -> None:
        self._pending_bytes = 0
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._executor, self._write_out)
        except OSError as error:
            log.warning("spool_failed", extra={"errno": error.errno})
            raise NoRoom from error


def write_files(contents: Mapping[Path, Sequence[memoryview]]) -> None:
    """Write files of pieces that stayed in memory; blocks.

    Raises:
        OSError: the disk refuses one; then none of them is there.
    """
    try:
        for path, pieces in contents.items():
            with path.open("xb", buffering=0) as file:
                _write_all(file.fileno(), list(pieces))
    except OSError:
        for path in contents:
            path.unlink(missing_ok=True)
        raise


def _write_all(descriptor: int, pieces: list[memoryview]) -> None:
    """Write the pieces one after the other, without putting them together first."""
    while pieces:
        written = os.writev(descriptor, pieces)
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        if written:
            pieces[0] = pieces[0][written:]
