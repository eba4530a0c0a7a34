"""Copies come and go, and their keeper is killed at moments that nobody chose."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.lifecycle import READERS_GRACE_MS, Janitor
from tests.support import copies_until_killed
from tests.support.copies_until_killed import ONE_BYTES, ROOM_BYTES, content
from tests.support.gateway_stores import Stores, stores_in

ROOT = Path(__file__).parents[3]


async def kill_after(folder: Path, kept: int, *, first: int) -> None:
    """Kill the program as soon as it has kept so many."""
    keeper = await asyncio.create_subprocess_exec(
        sys.executable,
        copies_until_killed.__file__,
        str(folder),
        str(first),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert keeper.stdout is not None
    async with asyncio.timeout(60):
        for _ in range(kept):
            assert await keeper.stdout.readline()
        keeper.send_signal(signal.SIGKILL)
        await keeper.wait()


async def copies_in(stores: Stores) -> dict[str, str]:
    """Study by key, of what the rows name."""
    rows = await stores.database.read(
        lambda tx: tx.fetch(
            "SELECT object_key, study_uid FROM instances WHERE object_key IS NOT NULL"
        )
    )
    return {str(row["object_key"]): str(row["study_uid"]) for row in rows}


@pytest.mark.parametrize("kept", [1, 13, 60, 201])
async def test_no_row_names_a_file_that_is_not_there_and_no_file_stays_without_a_row(
    tmp_path: Path, kept: int
) -> None:
    await kill_after(tmp_path, kept, first=0)
    await kill_after(tmp_path, kept, first=10**6)

    async with stores_in(tmp_path) as stores:
        stores.clock.now_ms = 10**13
        janitor = Janitor(stores.database, stores.discards, stores.objects, clock=stores.clock)
        damaged = [
            study
            for key, study in (await copies_in(stores)).items()
            if stores.objects.path(key).read_bytes() != content(study)
        ]
        await janitor.sweep(older_than_s=0.0)
        stores.clock.now_ms += READERS_GRACE_MS
        await janitor.tidy()
        named = await copies_in(stores)

    assert damaged == []
    assert {path.name for path in (tmp_path / "store/objects").glob("*/*")} == named.keys()
    assert len(named) * ONE_BYTES <= ROOM_BYTES
    assert list((tmp_path / "store/spool").iterdir()) == []
