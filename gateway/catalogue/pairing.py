"""Keeps a database together with the data folder whose objects its rows name.

`app` asks before the store is opened. Another database would name none of the folder's objects, so
that all would be swept away as left over.
"""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Final

from gateway.errors import StorageUnavailable
from gateway.storage.database import Database, Dialect, Transaction
from gateway.storage.queries import load_queries

SQLITE_FILE: Final = "gateway.sqlite"
PAIRED_FILE: Final = "database"
"""Holds the name that the folder's database on a server bears, too."""
ID_BYTES_MAX: Final = 64


class Pairing:
    """Says whether the folder is that of the database; a database in the folder itself is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_queries("gateway.catalogue", "pairing.sql", database.dialect)

    async def check(self, folder: Path) -> None:
        """Pair a new database with a new folder, and see that others are a pair.

        Raises:
            StorageUnavailable: they are not, or the folder cannot be written.
        """
        paired = folder / PAIRED_FILE
        if self._database.dialect is Dialect.SQLITE:
            if paired.exists():
                raise _mismatch("the rows of this folder are in a database on a server")
            return
        theirs = await self._database.read(self._paired_with)
        ours = await asyncio.to_thread(_read, paired)
        if theirs is None and not await asyncio.to_thread(_holds_something, folder):
            name = ours or secrets.token_hex(16)
            # First the file: a crash between the two leaves a folder that is still empty.
            await asyncio.to_thread(_write, paired, name)
            await self._database.write(lambda tx: tx.fetch(self._sql["pair"], folder_id=name))
        elif theirs is None:
            raise _mismatch("the database is new, and the folder is not")
        elif theirs != ours:
            raise _mismatch("the database is that of another folder")

    async def _paired_with(self, tx: Transaction) -> str | None:
        rows = await tx.fetch(self._sql["paired_with"])
        return str(rows[0]["folder_id"]) if rows else None


def _mismatch(what: str) -> StorageUnavailable:
    return StorageUnavailable(f"{what}: check GATEWAY_DATABASE_URL and GATEWAY_DATA_DIR")


def _holds_something(folder: Path) -> bool:
    return (folder / SQLITE_FILE).exists() or any((folder / "store" / "objects").glob("*/*"))


def _read(paired: Path) -> str | None:
    try:
        with paired.open("rb") as file:
            return file.read(ID_BYTES_MAX).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageUnavailable(f"cannot read {paired}: {error.strerror}") from error


def _write(paired: Path, name: str) -> None:
    try:
        with paired.open("w", encoding="ascii") as file:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())
        of_folder = os.open(paired.parent, os.O_RDONLY)
        try:
            os.fsync(of_folder)  # else a power cut may leave the database without its folder
        finally:
            os.close(of_folder)
    except OSError as error:
        raise StorageUnavailable(f"cannot write {paired}: {error.strerror}") from error
