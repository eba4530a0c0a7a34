"""Stored files are described once, in the background, or when somebody asks first."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.catalogue.descriptions import Descriptions, Undescribed
from gateway.processes.pool import WorkerPool
from tests.support.gateway_stores import Stores
from tests.support.retrieval import Bench, a_slice
from tests.support.studies import STUDY

METADATA = f"/studies/{STUDY}/metadata"
JSON = "application/dicom+json"


async def waiting(stores: Stores) -> list[Undescribed]:
    """What nobody has described yet."""
    descriptions = Descriptions(stores.database.dialect)
    return await stores.database.read(lambda tx: descriptions.undescribed(tx, count_max=100))


async def test_what_was_stored_before_a_start_is_described_after_it(bench: Bench) -> None:
    for number in range(40):
        await bench.push(a_slice(number))

    async with asyncio.TaskGroup() as group:
        describing = group.create_task(bench.describer.run())
        while await waiting(bench.stores):
            pass
        describing.cancel()

    async with bench.get(METADATA, JSON) as response:
        assert len(await response.json()) == 40


async def test_a_wake_has_what_came_since_described(bench: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        describing = group.create_task(bench.describer.run())
        await asyncio.sleep(0)
        await bench.push(a_slice(1))
        bench.describer.wake()
        while await waiting(bench.stores):
            pass
        describing.cancel()


async def test_a_file_is_described_once_however_many_ask(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.push(a_slice(1))
    works = counted(monkeypatch)

    async def asked() -> int:
        async with bench.get(METADATA, JSON) as response:
            await response.read()
            return response.status

    assert set(await asyncio.gather(*(asked() for _ in range(8)))) == {200}
    assert len(works) == 1


async def test_who_leaves_does_not_end_what_others_wait_for(bench: Bench) -> None:
    await bench.push(a_slice(1))
    [one] = await waiting(bench.stores)
    leaving = asyncio.create_task(bench.describer.describe([one.key]))
    staying = asyncio.create_task(bench.describer.describe([one.key]))
    await asyncio.sleep(0)

    leaving.cancel()
    await staying

    assert await waiting(bench.stores) == []


async def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(bench: Bench) -> None:
    await bench.push(a_slice(1))
    [bad] = await waiting(bench.stores)
    bench.stores.objects.path(bad.key).write_bytes(b"no file of DICOM")
    await bench.push(a_slice(2))

    await bench.describer.describe([one.key for one in await waiting(bench.stores)])

    assert await waiting(bench.stores) == []
    async with bench.get(METADATA, JSON) as response:
        assert [one["00200013"]["Value"] for one in await response.json()] == [[2]]


async def test_a_file_that_is_gone_is_said_to_be(bench: Bench) -> None:
    await bench.push(a_slice(1))
    [one] = await waiting(bench.stores)
    bench.stores.objects.path(one.key).unlink()

    async with bench.get(METADATA, JSON) as response:
        assert response.status == 406
        assert (await response.json())["detail"] == "the instance's file is gone"


async def test_a_description_is_removed_with_its_object(bench: Bench) -> None:
    await bench.push(a_slice(1))
    [first] = await waiting(bench.stores)
    await bench.describer.describe([first.key])
    await bench.push(a_slice(1, StudyDescription="Corrected"))
    discards = bench.stores.discards

    await bench.stores.database.write(lambda tx: discards.forget_discarded(tx, [first.key]))

    rows = await bench.stores.database.read(
        lambda tx: tx.fetch("SELECT object_key FROM descriptions")
    )
    assert rows == []


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the works that the pool is given from now on."""
    works: list[str] = []
    run = WorkerPool.run

    async def counting(
        self: WorkerPool, function: Callable[..., object], *args: object, within_s: float
    ) -> object:
        works.append(function.__name__)
        return await run(self, function, *args, within_s=within_s)

    monkeypatch.setattr(WorkerPool, "run", counting)
    return works
