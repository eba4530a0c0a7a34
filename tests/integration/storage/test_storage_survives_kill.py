"""What was acknowledged is there after SIGKILL, at moments that nobody chose."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from gateway.errors import StorageUnavailable
from gateway.storage.lock import FolderLock
from gateway.storage.objects import ObjectStore
from gateway.storage.sqlite import SqliteDatabase
from tests.support import keep_until_killed

ROOT = Path(__file__).parents[3]
WAIT_S_MAX = 30


async def start(folder: Path, *, first: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        keep_until_killed.__file__,
        str(folder),
        str(first),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


async def kill_after(keeper: asyncio.subprocess.Process, acknowledged: int) -> list[int]:
    """Kill the program as soon as it has acknowledged so many; returns all that it did."""
    assert keeper.stdout is not None
    async with asyncio.timeout(WAIT_S_MAX):
        read = [await keeper.stdout.readline() for _ in range(acknowledged)]
        keeper.send_signal(signal.SIGKILL)
        read += (await keeper.stdout.read()).splitlines(keepends=True)
        await keeper.wait()
    return [int(line) for line in read if line.endswith(b"\n")]


async def kept_objects(database: SqliteDatabase) -> dict[int, str]:
    rows = await database.read(lambda tx: tx.fetch("SELECT number, object_key FROM kept"))
    return {int(row["number"] or 0): str(row["object_key"]) for row in rows}


@pytest.mark.parametrize("acknowledged", [1, 7, 50, 333])
async def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path, acknowledged: int) -> None:
    told = await kill_after(await start(tmp_path, first=0), acknowledged)
    told += await kill_after(await start(tmp_path, first=10**6), acknowledged)

    store = ObjectStore.open(tmp_path)
    database = await SqliteDatabase.open(tmp_path / "rows.sqlite")
    kept = await kept_objects(database)
    damaged = [
        number
        for number, key in kept.items()
        if store.path(key).read_bytes() != keep_until_killed.content(number)
    ]
    assert set(told) <= kept.keys()
    assert damaged == []
    assert await database.read(lambda tx: tx.fetch("PRAGMA integrity_check")) == [
        {"integrity_check": "ok"}
    ]
    await database.close()
    store.close()


async def test_files_whose_row_was_never_written_are_swept(tmp_path: Path) -> None:
    await kill_after(await start(tmp_path, first=0), 100)
    store = ObjectStore.open(tmp_path)
    database = await SqliteDatabase.open(tmp_path / "rows.sqlite")
    kept = set((await kept_objects(database)).values())
    spooled = store.new_spool()
    spooled.write_bytes(b"kept, and its row never written")
    await store.keep(spooled)

    async def referenced(keys: list[str]) -> set[str]:
        return kept.intersection(keys)

    await store.sweep(referenced, older_than_s=0, now_s=time.time() + 1)

    assert {path.name for path in (tmp_path / "objects").glob("*/*")} == kept
    await database.close()
    store.close()


async def test_a_folder_in_use_is_refused_until_its_process_dies(tmp_path: Path) -> None:
    keeper = await start(tmp_path, first=0)
    assert keeper.stdout is not None
    await keeper.stdout.readline()

    with pytest.raises(StorageUnavailable, match=f"process {keeper.pid} uses .*: stop it"):
        FolderLock(tmp_path).__enter__()
    await kill_after(keeper, 1)

    with FolderLock(tmp_path):
        pass


def test_a_folder_is_held_against_its_own_process_too(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(StorageUnavailable):
        FolderLock(tmp_path).__enter__()

    with FolderLock(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="cannot use"):
        FolderLock(tmp_path / "absent").__enter__()
