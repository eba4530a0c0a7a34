"""Reads instances' files off the loop, a chunk at a time."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from gateway.errors import StorageUnavailable

R = TypeVar("R")

CHUNK_BYTES: Final = 2**20
"""Read at once. Most instances are smaller, and so cost one hop to a thread."""
THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file whose first chunk has been read."""

    size_bytes: int
    first: bytes
    file: BinaryIO


class FileReader:
    """Threads that read files. Whoever makes it closes it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="files")

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[OpenFile]:
        """Open a file and read its first chunk. It can be read on even when it is discarded.

        Raises:
            StorageUnavailable: the file is gone, or the disk fails.
        """
        opening = self._submit(_open, path)
        try:
            opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        except OSError as error:
            raise StorageUnavailable("an instance's file cannot be read") from error
        with opened.file:
            yield opened

    async def chunks(self, opened: OpenFile) -> AsyncIterator[bytes]:
        """The file's bytes, once.

        Raises:
            StorageUnavailable: the disk fails, or the file is shorter than it was.
        """
        yield opened.first
        left_bytes = opened.size_bytes - len(opened.first)
        while left_bytes:
            # At an offset: a cancelled read that still runs does not move what comes after it.
            at = opened.size_bytes - left_bytes
            try:
                chunk = await self.run(_read, opened.file, at)
            except OSError as error:
                raise StorageUnavailable("an instance's file cannot be read") from error
            if not chunk:
                raise StorageUnavailable("an instance's file is shorter than it was")
            left_bytes -= len(chunk)
            yield chunk

    async def run(self, act: Callable[..., R], *args: object) -> R:
        """Run another blocking read, such as that of a header."""
        return await self._submit(act, *args)

    def close(self) -> None:
        """Wait for reads that have begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _submit(self, act: Callable[..., R], *args: object) -> asyncio.Future[R]:
        return asyncio.get_running_loop().run_in_executor(self._threads, act, *args)


def _open(path: Path) -> OpenFile:
    file = path.open("rb", buffering=0)
    try:
        size_bytes = os.fstat(file.fileno()).st_size
        return OpenFile(size_bytes, os.pread(file.fileno(), CHUNK_BYTES, 0), file)
    except BaseException:
        file.close()
        raise


def _read(file: BinaryIO, at: int) -> bytes:
    return os.pread(file.fileno(), CHUNK_BYTES, at)


def _close_late(opening: asyncio.Future[OpenFile]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().file.close()
