"""Work in other processes: what it gives, and what becomes of the gateway when it goes wrong."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import NotAcceptable, Unavailable, WorkerDied
from gateway.processes.pool import CANCELLED_S_MAX, WorkerPool
from tests.support import work

LONG_S = 30.0
MEMORY_MIB = 256


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(workers=2, waiting_max=2, memory_mib_max=MEMORY_MIB)
    yield pool
    await pool.close()


async def test_work_is_done_in_another_process(pool: WorkerPool) -> None:
    assert await pool.run(work.add, 1, 2, within_s=LONG_S) == 3
    assert await pool.run(work.process_id, within_s=LONG_S) != os.getpid()


async def test_a_worker_does_one_work_after_another(pool: WorkerPool) -> None:
    workers = {await pool.run(work.process_id, within_s=LONG_S) for _ in range(3)}

    assert len(workers) == 1


async def test_megabytes_come_back_as_they_went(pool: WorkerPool) -> None:
    content = bytes(range(256)) * 2**16

    assert await pool.run(work.echo, content, within_s=LONG_S) == content


@pytest.mark.parametrize("dying", [work.read_null, work.be_killed, work.promise_too_much])
async def test_a_worker_that_dies_fails_its_own_work_alone(pool: WorkerPool, dying) -> None:
    neighbour = asyncio.create_task(pool.run(work.sleep, 1.0, within_s=LONG_S))

    with pytest.raises(WorkerDied):
        await pool.run(dying, within_s=LONG_S)

    assert not neighbour.done()
    assert await neighbour in await _workers_after(pool)


async def test_a_work_that_hangs_is_ended_in_its_time(pool: WorkerPool, tmp_path: Path) -> None:
    with pytest.raises(WorkerDied, match="more time"):
        await pool.run(work.hang, tmp_path / "started", within_s=0.5)

    assert not _lives(int((tmp_path / "started").read_text()))
    assert await pool.run(work.add, 1, 2, within_s=LONG_S) == 3


async def test_a_work_gets_no_more_memory_than_it_may(pool: WorkerPool) -> None:
    assert await pool.run(work.take_memory, 2**20, within_s=LONG_S) == 2**20

    with pytest.raises(WorkerDied, match="more memory"):
        await pool.run(work.take_memory, MEMORY_MIB * 2**20, within_s=LONG_S)

    assert await pool.run(work.add, 1, 2, within_s=LONG_S) == 3


async def test_more_work_than_may_wait_is_refused(pool: WorkerPool) -> None:
    taken = [asyncio.create_task(pool.run(work.sleep, 0.3, within_s=LONG_S)) for _ in range(4)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable) as refused:
        await pool.run(work.add, 1, 2, within_s=LONG_S)

    assert refused.value.retry_after_s
    await asyncio.gather(*taken)
    assert await pool.run(work.add, 1, 2, within_s=LONG_S) == 3


async def test_what_a_work_refuses_is_heard_as_it_was_said(pool: WorkerPool) -> None:
    with pytest.raises(NotAcceptable, match="it has no pixels"):
        await pool.run(work.refuse, within_s=LONG_S)


async def test_a_failing_disk_is_heard_without_the_name_of_the_file(pool: WorkerPool) -> None:
    with pytest.raises(FileNotFoundError) as failed:
        await pool.run(work.fail_to_read, within_s=LONG_S)

    assert "EXEMPLE" not in str(failed.value)


async def test_a_bug_is_told_by_its_place_and_not_by_its_words(
    pool: WorkerPool, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RuntimeError, match=r"tests\.support\.work\.stumble failed: ValueError"):
        await pool.run(work.stumble, within_s=LONG_S)

    [told] = caplog.records
    assert told.message == "work_failed"
    assert [place.split(" ")[1] for place in vars(told)["trace"]] == ["_answer", "stumble"]
    assert "EXEMPLE" not in str(vars(told))


async def test_a_short_work_of_one_who_left_keeps_its_worker(pool: WorkerPool) -> None:
    worker = await pool.run(work.process_id, within_s=LONG_S)
    left = asyncio.create_task(pool.run(work.sleep, 0.1, within_s=LONG_S))
    await asyncio.sleep(0)

    left.cancel()
    await asyncio.wait({left})

    assert left.cancelled()
    assert await pool.run(work.process_id, within_s=LONG_S) == worker


async def test_a_long_work_of_one_who_left_ends_with_its_worker(
    pool: WorkerPool, tmp_path: Path
) -> None:
    left = asyncio.create_task(pool.run(work.hang, tmp_path / "started", within_s=LONG_S))
    worker = await _said_in(tmp_path / "started")

    left.cancel()
    await asyncio.wait({left}, timeout=CANCELLED_S_MAX + 5)

    assert left.cancelled()
    assert not _lives(worker)
    assert await pool.run(work.add, 1, 2, within_s=LONG_S) == 3


async def test_an_answer_that_would_run_code_is_not_read(pool: WorkerPool, tmp_path: Path) -> None:
    with pytest.raises(WorkerDied):
        await pool.run(work.answer_with_a_trap, tmp_path / "sprung", within_s=LONG_S)

    assert not (tmp_path / "sprung").exists()


async def test_a_worker_knows_no_password_of_the_gateway(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://gateway:secret@host/gateway")

    told = await pool.run(work.environment, within_s=LONG_S)

    assert not [name for name in told if name.startswith("GATEWAY_")]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
async def test_a_worker_ends_with_the_gateway_and_not_before(pool: WorkerPool, told) -> None:
    worker = await pool.run(work.process_id, within_s=LONG_S)

    os.kill(worker, told)

    assert await pool.run(work.process_id, within_s=LONG_S) == worker


async def test_closing_ends_every_worker_and_all_that_waits(tmp_path: Path) -> None:
    pool = WorkerPool(workers=2, waiting_max=2, memory_mib_max=MEMORY_MIB)
    idle = await pool.run(work.process_id, within_s=LONG_S)
    files = [tmp_path / "one", tmp_path / "other", tmp_path / "waiting"]
    running = [asyncio.create_task(pool.run(work.hang, file, within_s=LONG_S)) for file in files]
    busy = [await _said_in(file) for file in files[:2]]

    await pool.close()

    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert not any(_lives(worker) for worker in (idle, *busy))
    with pytest.raises(Unavailable):
        await pool.run(work.add, 1, 2, within_s=LONG_S)


_GATEWAY_OF_A_POOL = """
import asyncio, sys
from pathlib import Path
from gateway.processes.pool import WorkerPool
from tests.support import work

async def main():
    pool = WorkerPool(workers=2, waiting_max=2, memory_mib_max=256)
    print(await pool.run(work.process_id, within_s=30), flush=True)
    await asyncio.gather(*(pool.run(work.hang, Path(file), within_s=60) for file in sys.argv[1:]))

asyncio.run(main())
"""


async def test_no_worker_outlives_a_gateway_that_is_killed(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "other"]
    gateway = subprocess.Popen(
        [sys.executable, "-c", _GATEWAY_OF_A_POOL, *map(str, files)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with gateway:
        workers = [await _said_in(file) for file in files]

        gateway.kill()
        gateway.wait()

    async with asyncio.timeout(10):
        while any(_lives(worker) for worker in workers):  # noqa: ASYNC110 - it is not our child
            await asyncio.sleep(0.01)


async def _workers_after(pool: WorkerPool) -> set[int]:
    """Who works now, when two work at once."""
    return set(
        await asyncio.gather(*(pool.run(work.sleep, 0.2, within_s=LONG_S) for _ in range(2)))
    )


async def _said_in(file: Path) -> int:
    async with asyncio.timeout(LONG_S):
        while not (file.exists() and (said := file.read_text())):  # noqa: ASYNC110 - a file is mute
            await asyncio.sleep(0.01)
    return int(said)


def _lives(process_id: int) -> bool:
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(") ")[2][0] not in "ZX"
