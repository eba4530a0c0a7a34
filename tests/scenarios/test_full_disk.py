"""A disk that is full refuses what it cannot keep, and loses nothing that it has acknowledged."""

import asyncio
import resource

import pytest

from simulators.imaging_centre.mllp import NotAcknowledged
from simulators.imaging_centre.modality import NotStored
from tests.support.world import World, until

FULL_BYTES = 48 * 1024  # smaller than an instance, and than the log of the database already is
ROOM = resource.RLIM_INFINITY
OUT_OF_RESOURCES = 0xA700  # PS3.4 §B.2.3


async def test_what_cannot_be_kept_is_refused_and_what_was_kept_travels(world: World) -> None:
    before, during = world.a_study(), world.a_study()
    await world.push(before)

    world.gateway.limit_files(FULL_BYTES)
    with pytest.raises(NotStored) as refused:
        await world.push(during)
    with pytest.raises(NotAcknowledged, match=r"AR$"):
        await world.report(before)
    unknown = await world.standing(during)
    spooled = list((world.data_dir / "store" / "spool").iterdir())
    world.gateway.limit_files(ROOM)
    for study in (before, during):
        await world.push(study)
        await world.report(study)
        await world.published(study)

    assert refused.value.status == OUT_OF_RESOURCES
    assert unknown == {}
    assert spooled == []
    assert await world.fetch(before) == before.digests
    assert await world.fetch(during) == during.digests


async def test_what_was_acknowledged_survives_a_crash_on_a_full_disk(world: World) -> None:
    study, refused = world.a_study(), world.a_study()
    await world.push(study)
    world.index.kill()
    await world.report(study)
    await world.stands(study, "queued")

    world.gateway.limit_files(FULL_BYTES)
    with pytest.raises(NotStored):
        await world.push(refused)
    world.gateway.kill()
    for program in (world.index, world.gateway):
        await asyncio.to_thread(program.start)
    await world.published(study)

    assert await world.fetch(study) == study.digests
    assert await world.standing(refused) == {}


async def test_an_index_whose_disk_is_full_is_told_again_later(world: World) -> None:
    study = world.a_study()
    await world.push(study)

    world.index.limit_files(FULL_BYTES)
    await world.report(study)
    await until(lambda: was_postponed(world))
    refused = await world.standing(study)
    world.index.limit_files(ROOM)
    await world.published(study)

    assert refused["state"] == "queued"
    entries = await world.entries(study.examination.patient)
    assert [entry.status for entry in entries] == ["current"]


async def was_postponed(world: World) -> bool:
    return "submission_postponed" in world.gateway.log
