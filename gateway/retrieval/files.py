"""Reads instances' files a chunk at a time, and never has the loop wait for the disk.

What the kernel holds in memory is opened and read at once: a hop to a thread and back costs more.
What it does not hold is left to a thread.
"""

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from gateway.dicomweb.conditions import ByteRange
from gateway.errors import StorageUnavailable
from gateway.retrieval.known_files import open_known

R = TypeVar("R")

CHUNK_BYTES: Final = 2**17
"""Read and sent at once: small enough to stay in the processor's cache on its way."""
THREADS: Final = 4
TOGETHER: Final = 16
"""Files opened at once for one reader, who has as many open before them."""
UNREADABLE: Final = "an instance's file cannot be read or written"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that stays readable even when it is removed."""

    size_bytes: int
    file: FileIO | BinaryIO


class FileReader:
    """Threads that read files. Whoever makes it closes it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="files")

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[OpenFile]:
        """Open a file; it is closed again on leaving.

        Raises:
            StorageUnavailable: the file is gone, or the disk fails.
        """
        name = str(path)
        number = open_known(name)
        if number is None:
            opened = await self._open(name)
        else:
            opened = _opened(FileIO(name, opener=lambda *_: number))
        with opened.file:
            yield opened

    async def chunks(self, opened: OpenFile, part: ByteRange | None = None) -> AsyncIterator[bytes]:
        """The file's bytes, or a part of them, once.

        Raises:
            StorageUnavailable: the disk fails, or the file is shorter than it was.
        """
        at, end = (0, opened.size_bytes) if part is None else (part.start, part.end)
        while at < end:
            wanted_bytes = min(CHUNK_BYTES, end - at)
            chunk = _read_at_once(opened.file, at, wanted_bytes)
            if chunk is None:
                chunk = await self.run(_read, opened.file, at, wanted_bytes)
            if not chunk:
                raise StorageUnavailable("an instance's file is shorter than it was")
            at += len(chunk)
            yield chunk

    async def each(self, paths: Iterable[str]) -> AsyncGenerator[OpenFile]:
        """Open files one after the other; each is closed when the next is asked for. Some are
        opened together, while those before them are read: a hop to a thread costs more than it.

        Raises:
            StorageUnavailable: a file is gone, or the disk fails.
        """
        left = iter(paths)
        ahead = self._submit(_open_all, list(islice(left, TOGETHER)))
        try:
            while opened := await self._settled(ahead):
                ahead = self._submit(_open_all, list(islice(left, TOGETHER)))
                with ExitStack() as stack:
                    for one in opened:
                        stack.enter_context(one.file)
                    for one in opened:
                        with one.file:
                            yield one
        finally:
            ahead.add_done_callback(_close_late)

    async def run(self, act: Callable[..., R], *args: object) -> R:
        """Run another blocking read, such as that of a header.

        Raises:
            StorageUnavailable: the disk fails.
        """
        try:
            return await self._submit(act, *args)
        except OSError as error:
            raise StorageUnavailable(UNREADABLE) from error

    def close(self) -> None:
        """Wait for reads that have begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _open(self, name: str) -> OpenFile:
        opening = self._submit(_open_all, [name])
        try:
            [opened] = await self._settled(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        return opened

    async def _settled(self, opening: asyncio.Future[R]) -> R:
        """What was opened, but not to the end of the wait if that is cancelled."""
        try:
            return await asyncio.shield(opening)
        except OSError as error:
            raise StorageUnavailable(UNREADABLE) from error

    def _submit(self, act: Callable[..., R], *args: object) -> asyncio.Future[R]:
        return asyncio.get_running_loop().run_in_executor(self._threads, act, *args)


def _opened(file: FileIO) -> OpenFile:
    return OpenFile(os.fstat(file.fileno()).st_size, file)


def _open_all(paths: list[str]) -> list[OpenFile]:
    opened: list[OpenFile] = []
    try:
        opened += (_opened(FileIO(path)) for path in paths)
    except OSError:
        for one in opened:
            one.file.close()
        raise
    return opened


def _read(file: FileIO | BinaryIO, at: int, wanted_bytes: int) -> bytes:
    return os.pread(file.fileno(), wanted_bytes, at)


def _read_at_once(file: FileIO | BinaryIO, at: int, wanted_bytes: int) -> bytes | None:
    """So much, or less, if the kernel has it in memory; None if the disk must be asked."""
    chunk = bytearray(wanted_bytes)
    try:
        size_bytes = os.preadv(file.fileno(), [chunk], at, os.RWF_NOWAIT)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:  # not every file system can tell
            return None
        raise StorageUnavailable(UNREADABLE) from error
    return bytes(memoryview(chunk)[:size_bytes])


def _close_late(opening: asyncio.Future[list[OpenFile]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        for one in opening.result():
            one.file.close()


async def to_the_end(work: Awaitable[R]) -> R:
    """Wait for `work` even when cancelled, and be cancelled only then: for what must not be left
    half done, such as the removal of a file."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # looked at, for there is nobody left to tell
        raise
