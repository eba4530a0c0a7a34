"""Reads a folder or a zip archive that somebody brought, without trusting it.

Nothing is ever extracted to a name that the medium chose, so no name can lead out of it. Links
and devices are not followed, and what an archive holds is bounded before it is read.
"""

import os
import re
import stat
import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Final, Protocol, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from gateway.errors import InvalidRequest

DICOMDIR: Final = "DICOMDIR"
"""What a medium's table of contents is called (PS3.10 §8.6)."""
FILES_MAX: Final = 1_000_000
"""Files of one medium."""
DEPTH_MAX: Final = 32
"""Folders within folders."""
NAME_LENGTH_MAX: Final = 1024  # characters, from the root of the medium
HEAD_BYTES: Final = 64 * 1024
"""The first chunk of a file: enough to tell what it is."""
CHUNK_BYTES: Final = 1024 * 1024
RATIO_MAX: Final = 200
"""How many times its own size an archive may hold; images compress some 3 times, empty ones 100."""
RATIO_FREE_BYTES: Final = 2**30
"""What an archive may hold whatever its own size."""
DIRECTORY_BYTES_MAX: Final = 32 * 2**20
"""Table of contents of an archive: some 100 bytes a file, five times that in memory."""

_ENCRYPTED: Final = 0x1
_BREAKS: Final = (
    OSError, BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error,
)  # fmt: skip
"""What is raised over a damaged archive; NotImplementedError is a RuntimeError."""
_LINK: Final = "a link or a device"
_UNREADABLE: Final = "it cannot be read"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A file of a medium. `name` is its path from the root; it may name a patient."""

    name: str
    size_bytes: int
    mark: int
    """Changes with the content: time of the last change in nanoseconds, or a CRC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """What lies on a medium and is not read, and why."""

    name: str
    reason: str
    is_lost: bool = True
    """It may have held something; links and devices cannot."""


class MediaTree(Protocol):
    """The files of a medium. Its methods block: they are for threads."""

    def walk(self) -> Iterator[MediaFile | PassedOver]:
        """Everything that lies on it, in the order of the names.

        Raises:
            InvalidRequest: it holds more than is read.
        """

    def find(self, name: str) -> MediaFile | None:
        """The file of this name, upper and lower case alike, as media mix them."""

    def chunks(self, file: MediaFile) -> Generator[bytes]:
        """Its content: at most HEAD_BYTES, then CHUNK_BYTES at a time.

        Raises:
            InvalidRequest: it cannot be read, or is longer than it was said to be.
        """

    def close(self) -> None:
        """Let go of it."""


def open_medium(path: Path) -> MediaTree:
    """The medium at a path: that of its DICOMDIR, or of the folder or archive itself.

    Raises:
        InvalidRequest: there is no folder or zip archive, or one that cannot be opened safely.
    """
    folder = path.parent if path.name.upper() == DICOMDIR else path
    if folder.is_dir():
        return FolderTree(folder)
    try:
        return ZipTree.open(path)
    except InvalidRequest:
        raise
    except _BREAKS:
        raise InvalidRequest("not a folder or a zip archive that can be read") from None


def read_whole(tree: MediaTree, file: MediaFile, *, bytes_max: int) -> bytes:
    """A short file.

    Raises:
        InvalidRequest: it is longer than `bytes_max`, or cannot be read.
    """
    if file.size_bytes > bytes_max:
        raise InvalidRequest(f"longer than {bytes_max} bytes")
    return b"".join(tree.chunks(file))


class FolderTree:
    """A folder with all that lies below it, links apart."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def walk(self) -> Iterator[MediaFile | PassedOver]:
        """See `MediaTree`."""
        for number, found in enumerate(self._below(self._root, "", depth=1)):
            if number >= FILES_MAX:
                raise InvalidRequest(f"more than {FILES_MAX} files")
            yield found

    def find(self, name: str) -> MediaFile | None:
        """See `MediaTree`."""
        place, prefix = self._root, ""
        for part in name.split("/"):
            found = _named(place, part)
            if not found or (place / found).is_symlink():
                return None
            place, prefix = place / found, f"{prefix}{found}/"
        status = place.lstat()
        return _file(prefix[:-1], status) if stat.S_ISREG(status.st_mode) else None

    def chunks(self, file: MediaFile) -> Generator[bytes]:
        """See `MediaTree`."""
        with _readable():
            # Not blocking: what was a file may be a pipe by now, which nobody need ever write to.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._root / file.name, flags)
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidRequest("not a file")
            yield from _chunks(opened, file.size_bytes)

    def close(self) -> None:
        """See `MediaTree`."""

    def _below(self, folder: Path, prefix: str, *, depth: int) -> Iterator[MediaFile | PassedOver]:
        if depth > DEPTH_MAX:
            yield PassedOver(name=prefix, reason=f"more than {DEPTH_MAX} folders deep")
            return
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda one: one.name)
        except OSError:
            yield PassedOver(name=prefix, reason="a folder that cannot be read")
            return
        for entry in listed:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(folder / entry.name, f"{name}/", depth=depth + 1)
            else:
                yield _entry(entry, name)


class _ArchiveFile(BufferedReader):
    """An archive on the disk. Its table of contents is read at once, and nothing else as long is.

    Where it lies, and how long it is, an archive tells in several places that need not agree; so
    it is met where `ZipFile` asks for it.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """See `BufferedReader`; of the rest of the file, too, no more than such a table.

        Raises:
            InvalidRequest: more is asked for.
        """
        if size is None or size < 0:
            size = DIRECTORY_BYTES_MAX
        if size > DIRECTORY_BYTES_MAX:
            raise InvalidRequest(
                f"its table of contents is longer than {DIRECTORY_BYTES_MAX} bytes"
            )
        return super().read(size)


class ZipTree:
    """A zip archive. Archives within it are not opened."""

    def __init__(self, file: "_ArchiveFile") -> None:
        """For `open`."""
        self._file = file
        self._archive = ZipFile(file)
        self._members: dict[str, ZipInfo] = {}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an archive.

        Raises:
            InvalidRequest: it holds more than its own size can honestly hold, or too many files.
            OSError, BadZipFile: it is none.
        """
        file = _ArchiveFile(path.open("rb", buffering=0))
        try:
            tree = cls(file)
            tree._list()
        except BaseException:
            file.close()
            raise
        return tree

    def walk(self) -> Iterator[MediaFile | PassedOver]:
        """See `MediaTree`."""
        for member in sorted(self._archive.infolist(), key=lambda one: one.filename):
            if member.is_dir():
                continue
            name, reason = member.filename, _unreadable(member)
            if not reason and self._members[name.upper()] is not member:
                reason = "its name comes twice"
            if reason:
                yield PassedOver(name=name, reason=reason, is_lost=reason != _LINK)
            else:
                yield _member(member)

    def find(self, name: str) -> MediaFile | None:
        """See `MediaTree`."""
        member = self._members.get(name.upper())
        return None if member is None else _member(member)

    def chunks(self, file: MediaFile) -> Generator[bytes]:
        """See `MediaTree`."""
        with _readable(), self._archive.open(self._members[file.name.upper()]) as opened:
            yield from _chunks(opened, file.size_bytes)

    def close(self) -> None:
        """See `MediaTree`."""
        self._archive.close()
        self._file.close()

    def _list(self) -> None:
        members = self._archive.infolist()
        if len(members) > FILES_MAX:
            raise InvalidRequest(f"more than {FILES_MAX} files")
        total_bytes = sum(one.file_size for one in members)
        archive_bytes = self._file.seek(0, os.SEEK_END)
        if total_bytes > max(RATIO_FREE_BYTES, RATIO_MAX * archive_bytes):
            raise InvalidRequest(f"the archive holds more than {RATIO_MAX} times its own size")
        for one in members:
            if not one.is_dir() and not _unreadable(one):
                self._members.setdefault(one.filename.upper(), one)


def _named(folder: Path, name: str) -> str:
    """What an entry of the folder is called, in whatever case; empty where there is none."""
    if name in {"", ".", ".."}:
        return ""
    # A folder may hold a hundred thousand, and few names are in another case than they are told.
    if os.path.lexists(folder / name):
        return name
    with _readable(), os.scandir(folder) as entries:
        return min((one.name for one in entries if one.name.upper() == name.upper()), default="")


def _entry(entry: os.DirEntry[str], name: str) -> MediaFile | PassedOver:
    """What lies in a folder and is no folder."""
    try:
        if entry.is_file(follow_symlinks=False):
            return _file(name, entry.stat(follow_symlinks=False))
    except OSError:  # it was there when the folder was listed
        return PassedOver(name=name, reason=_UNREADABLE)
    return PassedOver(name=name, reason=_LINK, is_lost=False)


def _file(name: str, status: os.stat_result) -> MediaFile:
    return MediaFile(name=name, size_bytes=status.st_size, mark=status.st_mtime_ns)


def _member(member: ZipInfo) -> MediaFile:
    return MediaFile(name=member.filename, size_bytes=member.file_size, mark=member.CRC)


def _unreadable(member: ZipInfo) -> str:
    """Why a member is not read; empty where it is."""
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    parts = name.split("/")
    if _UNSAFE.search(name) or len(name) > NAME_LENGTH_MAX or {"", ".", ".."}.intersection(parts):
        return "its name leads elsewhere"
    if len(parts) > DEPTH_MAX:
        return f"more than {DEPTH_MAX} folders deep"
    if kind not in (0, stat.S_IFREG):
        return _LINK
    if member.flag_bits & _ENCRYPTED:
        return "encrypted"
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "compressed by a method that is not read"
    return ""


def _chunks(opened: IO[bytes], size_bytes: int) -> Iterator[bytes]:
    """What is read, which must be as much as was told before."""
    left, wanted = size_bytes, HEAD_BYTES
    with _readable():
        while chunk := opened.read(wanted):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
            wanted = CHUNK_BYTES
    if left:
        raise InvalidRequest("its size is not what it was said to be")


@contextmanager
def _readable() -> Iterator[None]:
    """Have what breaks on damaged media be ours. A damaged name must not reach a message."""
    try:
        yield
    except InvalidRequest:
        raise
    except _BREAKS:
        raise InvalidRequest(_UNREADABLE) from None
