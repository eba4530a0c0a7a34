"""A program that keeps files and rows for ever, and prints each once it is acknowledged.

Run as `python keep_until_killed.py FOLDER FIRST`. Eight callers number what they keep from FIRST.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from gateway.storage.database import Transaction
from gateway.storage.lock import FolderLock
from gateway.storage.objects import ObjectStore
from gateway.storage.sqlite import SqliteDatabase

CREATE = "CREATE TABLE IF NOT EXISTS kept (number INTEGER PRIMARY KEY, object_key TEXT NOT NULL)"
INSERT = "INSERT INTO kept (number, object_key) VALUES (:number, :key)"
CALLERS = 8


def content(number: int) -> bytes:
    """What the file of this number holds."""
    return f"object {number}\n".encode() * 1000


async def main(folder: Path, first: int) -> None:
    with FolderLock(folder):
        store = ObjectStore.open(folder)
        database = await SqliteDatabase.open(folder / "rows.sqlite")
        await database.write(lambda tx: tx.fetch(CREATE))
        numbers = itertools.count(first)

        async def keep() -> None:
            for number in numbers:
                spooled = store.new_spool()
                spooled.write_bytes(content(number))
                key = await store.keep(spooled)

                async def add(tx: Transaction, number: int = number, key: str = key) -> None:
                    await tx.fetch(INSERT, number=number, key=key)

                await database.write(add)
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(CALLERS):
                tasks.create_task(keep())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
