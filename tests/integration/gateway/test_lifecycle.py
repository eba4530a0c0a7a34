import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.lifecycle import READERS_GRACE_MS, UNROWED_S_MAX, Janitor, workers
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import an_instance_stored

HOUR_MS = 3_600_000


@pytest.fixture
async def stores(tmp_path: Path, database_url: str) -> AsyncIterator[Stores]:
    async with stores_in(tmp_path, database_url) as opened:
        opened.clock.now_ms = int(time.time() * 1000)  # files bear the machine's time
        yield opened


@pytest.fixture
def janitor(stores: Stores) -> Janitor:
    return Janitor(stores.database, stores.discards, stores.objects, clock=stores.clock)


async def keep(stores: Stores) -> str:
    spooled = stores.objects.new_spool()
    spooled.write_bytes(b"an instance")
    return await stores.objects.keep(spooled)


async def tell(stores: Stores, key: str) -> None:
    news, now_ms = an_instance_stored(1, key=key), stores.clock.now_ms
    await stores.database.write(
        lambda tx: stores.studies.instance_stored(tx, news, now_ms=now_ms, due_at_ms=now_ms)
    )


async def test_a_replaced_object_stays_for_its_readers_and_then_goes(stores, janitor):
    old, new = await keep(stores), await keep(stores)
    await tell(stores, old)
    await tell(stores, new)

    stores.clock.now_ms += READERS_GRACE_MS - 1
    await janitor.tidy()
    assert stores.objects.path(old).exists()

    stores.clock.now_ms += 1
    await janitor.tidy()
    assert not stores.objects.path(old).exists()
    assert stores.objects.path(new).exists()


async def test_what_no_row_names_is_swept_and_what_waits_for_its_readers_is_not(stores, janitor):
    replaced, current, unrowed = await keep(stores), await keep(stores), await keep(stores)
    await tell(stores, replaced)
    await tell(stores, current)

    stores.clock.now_ms += 2 * HOUR_MS
    await janitor.sweep(older_than_s=UNROWED_S_MAX)

    assert stores.objects.path(replaced).exists()
    assert stores.objects.path(current).exists()
    assert not stores.objects.path(unrowed).exists()


async def test_a_janitor_at_work_spares_what_may_still_get_its_row(stores, janitor):
    young, old = sorted([await keep(stores), await keep(stores)])  # in the order of a sweep
    an_hour_ago_s = stores.clock.now_ms / 1000 - UNROWED_S_MAX - 60
    os.utime(stores.objects.path(old), (an_hour_ago_s, an_hour_ago_s))

    async with workers(janitor.run()), asyncio.timeout(10):
        while stores.objects.path(old).exists():  # noqa: ASYNC110, a file tells nobody it is gone
            await asyncio.sleep(0.01)

    assert stores.objects.path(young).exists()


async def test_a_worker_that_fails_ends_what_runs_beside_it():
    async def fails() -> None:
        raise RuntimeError("told to fail")

    with pytest.raises(ExceptionGroup) as failure:
        async with workers(fails()):
            await asyncio.Event().wait()

    assert failure.group_contains(RuntimeError)


async def test_a_failure_beside_workers_is_raised_as_it_is_and_ends_them():
    ended = asyncio.Event()

    async def works() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails_beside() -> None:
        async with workers(works()):
            await asyncio.sleep(0)
            raise LookupError("told to fail")

    with pytest.raises(LookupError):
        await fails_beside()

    assert ended.is_set()
