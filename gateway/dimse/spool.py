"""Writes an arriving data set to disk as the Part 10 file that it will be (PS3.10 §7.1).

Bytes are gathered in memory and handed to a thread a mebibyte at a time, so that a slow disk holds
back its own peer, which is not read meanwhile, and nobody else.
"""

import asyncio
import hashlib
from concurrent.futures import Executor
from pathlib import Path
from struct import Struct
from threading import Lock

from gateway.dimse.negotiation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

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


class SpoolFile:
    """One data set on its way to disk. One task writes it; any may discard it at any moment.

    It is not synced: who keeps the file makes it durable.
    """

    def __init__(self, path: Path, header: bytes, executor: Executor) -> None:
        self.path = path
        self.size_bytes = 0
        self._executor = executor
        self._hash = hashlib.sha256()
        self._header = header
        self._pending: list[memoryview] = []
        self._pending_bytes = 0
        # Held by the thread that writes: a descriptor closed under it may be another file's next.
        self._lock = Lock()
        self._discarded = False

    async def write(self, data: memoryview) -> None:
        """Add bytes of the data set.

        Raises:
            OSError: the disk refused.
        """
        self._pending.append(data)
        self._pending_bytes += len(data)
        self.size_bytes += len(data)
        if self._pending_bytes >= FLUSH_BYTES or len(self._pending) >= FLUSH_FRAGMENTS:
            await self._flush()

    async def finish(self) -> str:
        """Write what is left; SHA-256 of the data set in lower-case hex.

        Raises:
            OSError: the disk refused.
        """
        await self._flush()
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Remove the file if it is still there."""
        with self._lock:
            self._discarded = True
            self._pending.clear()
            self.path.unlink(missing_ok=True)

    async def _flush(self) -> None:
        data, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        await asyncio.get_running_loop().run_in_executor(self._executor, self._append, data)

    def _append(self, data: bytes) -> None:
        with self._lock:
            if self._discarded:
                return
            self._hash.update(data)
            with self.path.open("ab" if self._header == b"" else "xb") as file:
                file.write(self._header + data if self._header else data)
            self._header = b""
