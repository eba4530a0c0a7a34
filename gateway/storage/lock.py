"""One process per data folder.

`app` holds the lock from before the first store is opened until after the last is closed.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.errors import StorageUnavailable

LOCK_FILE = "lock"
PID_BYTES_MAX = 32


class FolderLock:
    """Holds a folder for this process while entered; the kernel lets go if the process dies.

    The lock belongs to the open file, which a forked child would share and keep beyond our death:
    pools of processes are to be spawned.

    Raises:
        StorageUnavailable: on entry, if another process holds the folder, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageUnavailable(f"cannot use {self._folder}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, PID_BYTES_MAX).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StorageUnavailable(
                f"process {holder or 'unknown'} uses {self._folder}: stop it if it serves, else "
                "let it end; a second program needs another data folder"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The file stays: were it removed, two processes could each lock a file of that name.
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
