"""Writes files into a folder or a zip archive, the same bytes for the same files.

Nothing is there under its name before it is whole, and nothing is left of what is broken off; what
a crash left has the name of what is not finished.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from gateway.errors import Conflict

UNFINISHED: Final = ".part"
"""What the name ends with while it is written."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold; another would differ


class MediaWriter(Protocol):
    """Takes files; what it wrote is there once it is left without an error.

    Raises:
        Conflict: on entry, if something is there already.
        OSError: the disk does not take it.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def add(self, name: str, data: bytes) -> None:
        """Write one file; folders of its name are made."""


def writer_to(path: Path) -> MediaWriter:
    """A writer to an archive where the name ends in .zip, else to a folder."""
    return ZipWriter(path) if path.suffix.lower() == ".zip" else FolderWriter(path)


class _Writer:
    """What both have in common: the name that is taken at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(path.name + UNFINISHED)

    def _check(self) -> None:
        for path in (self._path, self._unfinished):
            if path.exists():
                raise Conflict(f"{path.name} is there already: name another, or remove it")

    def _finish(self) -> None:
        self._unfinished.rename(self._path)
        _sync(self._path.parent)


class FolderWriter(_Writer):
    """Writes a folder, for its owner alone."""

    def __enter__(self) -> Self:
        self._check()
        self._unfinished.mkdir(mode=0o700)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish()
        else:
            shutil.rmtree(self._unfinished, ignore_errors=True)

    def add(self, name: str, data: bytes) -> None:
        """See `MediaWriter`."""
        path = self._unfinished / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


class ZipWriter(_Writer):
    """Writes a zip archive, for its owner alone."""

    def __enter__(self) -> Self:
        self._check()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._unfinished, flags, 0o600), "w+b")
        self._archive = ZipFile(self._file, "w", ZIP_DEFLATED)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                if error is not None:
                    with suppress(OSError):  # most likely the one that broke it off
                        self._archive.close()
                    return
                self._archive.close()
                self._file.flush()
                os.fsync(self._file.fileno())
            self._finish()
        finally:
            self._unfinished.unlink(missing_ok=True)

    def add(self, name: str, data: bytes) -> None:
        """See `MediaWriter`."""
        info = ZipInfo(name, _EPOCH)
        info.compress_type = ZIP_DEFLATED
        info.external_attr = 0o100600 << 16
        self._archive.writestr(info, data)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
