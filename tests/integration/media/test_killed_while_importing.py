"""An import that is killed, at moments that nobody chose, and run again: nothing lost or twice."""

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path
from subprocess import DEVNULL, Popen

from gateway.media.journal import KEY_BYTES
from tests.support.commands import gateway_command
from tests.support.gateway_stores import Stores, stores_in
from tests.support.manifests import STUDY as LISTED
from tests.support.media import a_folder, a_pointer, an_archive
from tests.support.retrieval import a_slice
from tests.support.studies import SERIES
from tests.support.web_doors import file_of

FILES = 150
KILLED_AT = (1, 40, 100)
"""Files in the journal."""
WITHIN_S = 60.0


def kill_import(medium: Path, data_dir: Path, *, at: int) -> None:
    """Begin an import, and kill it once so many files are in."""
    command = [sys.executable, "-m", "gateway", "import", str(medium)]
    env = {**os.environ, "GATEWAY_DATA_DIR": str(data_dir)}
    given_up_at = time.monotonic() + WITHIN_S
    with Popen(command, env=env, stdout=DEVNULL, stderr=DEVNULL) as program:
        while sum(one.stat().st_size for one in data_dir.glob("imports/*")) < at * KEY_BYTES:
            assert program.poll() is None, "it ended before it was killed"
            assert time.monotonic() < given_up_at, "it takes nothing in"
        program.kill()


def data_set_of(file: bytes) -> bytes:
    """What follows the file meta information, whose length its first element tells."""
    return file[144 + int.from_bytes(file[140:144], "little") :]


async def kept(stores: Stores) -> dict[str, bytes]:
    """The data set of each instance that is held, by its UID."""
    images = (await stores.snapshot()).images
    stored = {one.description.instance: one.stored for one in images}
    return {
        uid: stores.objects.path(one.key).read_bytes()[-one.size_bytes :]
        for uid, one in stored.items()
        if one is not None
    }


async def test_what_was_taken_stays_and_the_rest_comes_with_the_next_try(tmp_path: Path) -> None:
    files = {f"{SERIES}.{one}": file_of(a_slice(one)) for one in range(1, FILES + 1)}
    medium = a_folder(tmp_path / "medium", {**files, **an_archive(a_pointer())})
    data_dir = tmp_path / "gateway"

    for at in KILLED_AT:
        await asyncio.to_thread(kill_import, medium, data_dir, at=at)
    settings = {"GATEWAY_DATA_DIR": str(data_dir)}
    run = await asyncio.to_thread(gateway_command, "import", medium, settings=settings)

    counts = Counter[str]()
    for fate, count, _ in map(str.split, run.stdout.splitlines()):
        counts[fate] += int(count)
    assert counts["known"] >= KILLED_AT[-1]
    assert counts["known"] + counts["taken"] == FILES + 1
    async with stores_in(data_dir) as stores:
        held = await kept(stores)
        standing = await stores.standing(LISTED)
        history = await stores.database.read(
            lambda tx: stores.standings.history.of(tx, LISTED, count_max=10, offset=0)
        )
    assert held == {uid: data_set_of(file) for uid, file in files.items()}
    assert (standing["state"], standing["revision"]) == ("published", 1)
    assert [row["event"] for row in history].count("taken_over") == 1
