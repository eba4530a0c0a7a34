"""Remembers which files of a medium were taken in, so that an import that is resumed skips them.

A file is known by the digest of its head, its size and its mark: a name may come again on another
medium, and what the head holds (the identifiers of the instance) does not. Losing the journal, or
the end of it, costs time only: an instance that comes again changes nothing.
"""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gateway.errors import StorageUnavailable
from gateway.media.tree import MediaFile

KEY_BYTES: Final = 16


class ImportJournal:
    """The files of one medium that are in; kept in a file while entered.

    Args:
        folder: made if it is not there.
        medium: what names the medium, such as its path; kept as a digest.

    Raises:
        StorageUnavailable: on entry and by `add`, if the disk does not take it.
    """

    def __init__(self, folder: Path, medium: str) -> None:
        digest = hashlib.sha256(medium.encode(errors="surrogateescape")).hexdigest()
        self._path = folder / f"{digest[:32]}.journal"

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._file = self._path.open("a+b", buffering=0)
            self._file.seek(0)
            known = self._file.read()
            whole = len(known) - len(known) % KEY_BYTES
            self._file.truncate(whole)  # a crash may have cut the last key
        except OSError as error:
            raise StorageUnavailable("the journal of imports cannot be read or written") from error
        self._keys = {known[at : at + KEY_BYTES] for at in range(0, whole, KEY_BYTES)}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def key(self, file: MediaFile, head: bytes) -> bytes:
        """What a file is known by."""
        told = f"{file.size_bytes}|{file.mark}|".encode()
        return hashlib.sha256(told + head).digest()[:KEY_BYTES]

    def knows(self, key: bytes) -> bool:
        """Whether the file was added before."""
        return key in self._keys

    def add(self, key: bytes) -> None:
        """Remember a file that is durable by now."""
        try:
            self._file.write(key)
        except OSError as error:
            raise StorageUnavailable("the journal of imports cannot be written") from error
        self._keys.add(key)
