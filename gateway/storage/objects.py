"""Files that must outlive a crash: instances, kept on the local disk under opaque names.

`app` opens one store in the data folder. A file is written in the store's spool, and `keep` makes
it durable under a key; what is in the spool when the program stops was never acknowledged.
"""

import asyncio
import errno
import logging
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore
from typing import ParamSpec, Self, TypeVar

from gateway.errors import StorageUnavailable

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4
WAITING_MAX = 1024
"""Calls that may wait for a thread; more are turned away."""
SOON_BYTES_MAX = 16 * 2**20
"""Size of a file that is durable soon enough for a commit to wait for it."""
SWEEP_BATCH_MAX = 500
"""Keys that `sweep` asks about at once."""

_KEY = re.compile(r"[0-9a-f]{32}")
_FOLDERS = tuple(f"{number:02x}" for number in range(256))


@dataclass(frozen=True, slots=True)
class Placed:
    """An object that lies at its place, and is on its way to the disk."""

    key: str
    secured: Future[None]
    """Done once file and name are durable; fails, with the file gone, where the disk does not take
    them."""


class ObjectStore:
    """Durable files by opaque key. Made by `open`; whoever opens it closes it."""

    def __init__(self, folder: Path, free_bytes_min: int) -> None:
        """For `open`, which prepares the folder."""
        self._free_bytes_min = free_bytes_min
        self._spool = folder / "spool"
        self._objects = folder / "objects"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")
        self._room = Semaphore(WAITING_MAX)

    @classmethod
    def open(cls, folder: Path, *, free_bytes_min: int = 0) -> Self:
        """Open the store, or make it, and empty its spool. The caller holds the folder's lock.

        Args:
            free_bytes_min: of the disk, below which nothing more is kept.

        Raises:
            StorageUnavailable: the folder cannot be written.
        """
        store = cls(folder, free_bytes_min)
        try:
            store._prepare()
        except OSError as error:
            store.close()
            raise _unavailable(error) from error
        return store

    def new_spool(self) -> Path:
        """A fresh path in the spool, at which nothing is yet."""
        return self._spool / secrets.token_hex(16)

    async def keep(self, spooled: Path) -> str:
        """Make a spooled file durable and return its key. The spooled path is void afterwards.

        Raises:
            StorageUnavailable: the disk is full, short of room or fails. The file is gone from the
                spool too.
        """
        _, placed = await self.look_and_place(spooled, lambda _spooled: (None, True))
        assert placed is not None
        await self.secured(placed)
        return placed.key

    async def look_and_place(
        self, spooled: Path, look: Callable[[Path], tuple[R, bool]]
    ) -> tuple[R, Placed | None]:
        """Look at a spooled file, and begin to keep it: a hop to a thread costs more than a look.

        Args:
            look: runs on a thread; what it finds, and whether the file is kept. Where it raises, or
                the file is not kept, that is still in the spool.

        Returns:
            What it found, and the object, which is not durable yet.

        Raises:
            StorageUnavailable: as `keep`.
        """
        self._check_spooled(spooled)
        key, loop = secrets.token_hex(16), asyncio.get_running_loop()
        looked: asyncio.Future[tuple[R, bool]] = loop.create_future()

        def act() -> None:
            try:
                found, is_kept = look(spooled)
                if is_kept:
                    self._place(spooled, self.path(key))
            except BaseException as error:
                loop.call_soon_threadsafe(_fail, looked, error)
                return
            loop.call_soon_threadsafe(_tell, looked, (found, is_kept))
            if is_kept:
                self._secure(self.path(key))

        secured = self._submit(act)
        try:
            found, is_kept = await looked
        except OSError as error:
            raise _unavailable(error) from error
        return found, Placed(key, secured) if is_kept else None

    async def secured(self, placed: Placed) -> None:
        """Wait until an object is durable.

        Raises:
            StorageUnavailable: the disk does not take it.
        """
        try:
            await asyncio.wrap_future(placed.secured)
        except OSError as error:
            raise _unavailable(error) from error

    async def keep_also(self, spooled: Sequence[Path]) -> list[str]:
        """Keep files that stay in the spool, too, for those who are about to read them; the keys.

        After a crash of the machine an object may be gone: that is for what can be had again.

        Raises:
            StorageUnavailable: as `keep`, but the files stay in the spool, and none is kept.
        """
        for path in spooled:
            self._check_spooled(path)
        keys = [secrets.token_hex(16) for _ in spooled]
        await self._call(self._keep_also, spooled, [self.path(key) for key in keys])
        return keys

    def spare_bytes(self) -> int:
        """How much more the disk takes; below 0, nothing more is kept.

        Raises:
            StorageUnavailable: the disk fails.
        """
        try:
            return self._spare_bytes()
        except OSError as error:
            raise _unavailable(error) from error

    def path(self, key: str) -> Path:
        """Where an object lies. It may be discarded at any time, but not from under its reader.

        Raises:
            ValueError: the key is none of this store's.
        """
        if not _KEY.fullmatch(key):
            raise ValueError("not an object's key")
        return self._objects / key[:2] / key

    async def whole(self, sizes: Mapping[str, int]) -> set[str]:
        """Which of these objects lie there still, and have so many bytes at least.

        Raises:
            StorageUnavailable: too many files are waiting.
        """
        return await self._call(
            lambda: {key for key, size in sizes.items() if _is_whole(self.path(key), size)}
        )

    async def discard(self, keys: Iterable[str]) -> None:
        """Remove objects, if they are there; to be called once no row names them.

        Raises:
            StorageUnavailable: the disk fails.
        """
        await self._call(_unlink, [self.path(key) for key in keys])

    async def discard_spool(self, *spooled: Path) -> None:
        """Remove spooled files, those that are there.

        Raises:
            StorageUnavailable: the disk fails.
        """
        for path in spooled:
            self._check_spooled(path)
        await self._call(_unlink, list(spooled))

    async def sweep(
        self,
        referenced: Callable[[list[str]], Awaitable[set[str]]],
        *,
        older_than_s: float,
        now_s: float,
    ) -> int:
        """Remove objects that no row names, left where a crash came between file and row.

        Args:
            referenced: which of up to `SWEEP_BATCH_MAX` keys a row names.
            older_than_s: seconds since `keep` before which an object's row may still be on its
                way; must be longer than any transaction waits.
            now_s: seconds since the epoch.

        Returns:
            How many objects were removed.

        Raises:
            StorageUnavailable: the disk fails.
        """
        removed = 0
        for folder in _FOLDERS:
            old = await self._call(self._kept_before, folder, now_s - older_than_s)
            for start in range(0, len(old), SWEEP_BATCH_MAX):
                batch = old[start : start + SWEEP_BATCH_MAX]
                named = await referenced(batch)
                orphans = [key for key in batch if key not in named]
                await self.discard(orphans)
                removed += len(orphans)
        if removed:
            log.warning("objects_swept", extra={"objects": removed})
        return removed

    def close(self) -> None:
        """Finish what was begun; the store then refuses calls."""
        self._threads.shutdown(wait=True)

    def _prepare(self) -> None:
        folder = self._objects.parent
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            _sync(folder.parent)
        self._objects.mkdir(mode=0o700, exist_ok=True)
        self._spool.mkdir(mode=0o700, exist_ok=True)
        # All at once: a folder made by one `keep` could be used by another before it is durable.
        for name in _FOLDERS:
            (self._objects / name).mkdir(mode=0o700, exist_ok=True)
        _sync(self._objects)
        _sync(folder)
        _unlink(list(self._spool.iterdir()))

    def _check_spooled(self, path: Path) -> None:
        if path.parent != self._spool:
            raise ValueError("not a path of this spool")

    def _spare_bytes(self) -> int:
        disk = os.statvfs(self._spool)
        return disk.f_bavail * disk.f_frsize - self._free_bytes_min

    def _ensure_spare(self) -> None:
        if self._free_bytes_min and self._spare_bytes() < 0:
            raise OSError(errno.ENOSPC, "the disk is short of room")

    def _keep_also(self, spooled: Sequence[Path], kept: Sequence[Path]) -> None:
        self._ensure_spare()
        try:
            for from_path, to_path in zip(spooled, kept, strict=True):
                os.link(from_path, to_path)
                _sync(to_path)
        except OSError:
            _unlink(kept)
            raise

    def _place(self, spooled: Path, kept: Path) -> None:
        # Renamed before it is synced: a journal then takes file and name at once, and has nothing
        # left to do for the folder. A file of which a crash left the name alone has no row.
        try:
            self._ensure_spare()
            spooled.rename(kept)
        except OSError:
            _unlink([spooled])
            raise

    def _secure(self, kept: Path) -> None:
        try:
            _sync(kept, touch=True)
            _sync(kept.parent)
        except OSError:
            # After a failed fsync the kernel takes the lost pages for written, so that a second
            # try on the same file would succeed and lie.
            _unlink([kept])
            raise

    def _kept_before(self, folder: str, time_s: float) -> list[str]:
        with os.scandir(self._objects / folder) as entries:
            return [
                entry.name
                for entry in entries
                if _KEY.fullmatch(entry.name) and entry.stat().st_mtime < time_s
            ]

    async def _call(self, act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a blocking act on a thread of the store, with its errors made ours."""
        try:
            return await asyncio.wrap_future(self._submit(act, *args, **kwargs))
        except OSError as error:
            raise _unavailable(error) from error

    def _submit(self, act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if not self._room.acquire(blocking=False):
            raise StorageUnavailable("too many files are waiting", retry_after_s=1.0)
        try:
            running = self._threads.submit(act, *args, **kwargs)
        except RuntimeError as error:
            self._room.release()
            raise StorageUnavailable("the object store is closed") from error
        running.add_done_callback(lambda _running: self._room.release())
        return running


def _tell(looked: asyncio.Future[R], found: R) -> None:
    if not looked.done():  # nobody waits for it where it is cancelled
        looked.set_result(found)


def _fail(looked: asyncio.Future[R], error: BaseException) -> None:
    if not looked.done():
        looked.set_exception(error)


def _sync(path: Path, *, touch: bool = False) -> None:
    """Have a file, or a folder's list of names, reach the disk.

    Args:
        touch: set the file's time to now, from which `sweep` counts.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if touch:
            os.utime(descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(path: Path, size_bytes: int) -> bool:
    try:
        is_whole = path.stat().st_size >= size_bytes
    except OSError:  # whatever it is, it cannot be read
        is_whole = False
    if not is_whole:
        log.error("object_not_there", extra={"object": path.name})
    return is_whole


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _unavailable(error: OSError) -> StorageUnavailable:
    # The kernel's word alone: the full text names the file.
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return StorageUnavailable(f"the disk does not take or give the file: {name}")
