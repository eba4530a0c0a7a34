"""A PACS that is corrected by hand tells nobody, and is asked at night."""

import asyncio
import sqlite3
from pathlib import Path

from tests.support.program import Program
from tests.support.programs import at_night_now
from tests.support.world import World, a_world, until


async def test_images_that_were_removed_by_hand_leave_the_pointer_after_a_night(
    tmp_path: Path,
) -> None:
    settings = at_night_now() | {"GATEWAY_SWEEP_STUDIES_PER_S": "50"}
    with a_world(tmp_path, settings=settings) as world:
        corrected, left = world.a_study("CT"), world.a_study("CT")
        for study in (corrected, left):
            await world.archive(study)
            await world.report(study)
            await world.published(study)

        world.lose(corrected, corrected.files[1:])
        await restarted(world)
        await world.published(corrected, revision=2)
        await until(lambda: has_ended(world.gateway))

        assert (await world.standing(corrected))["instances"] == 1
        assert (await world.standing(left))["revision"] == 1
        assert '"checked": 2, "differed": 1, "failed": 0' in world.gateway.log


async def test_a_study_that_was_away_for_a_night_is_published_anew_after_the_next(
    tmp_path: Path,
) -> None:
    with a_world(tmp_path, settings=at_night_now()) as world:
        study = world.a_study("CT")
        await world.archive(study)
        await world.report(study)
        await world.published(study)

        world.lose(study)
        await restarted(world)
        withdrawn = await world.withdrawn(study)
        world.keep(study)
        await restarted(world, a_day_later=True)
        await world.published(study, revision=withdrawn["revision"] + 1)

    assert (withdrawn["state"], withdrawn["code"]) == ("withheld", "images_gone")


async def restarted(world: World, *, a_day_later: bool = False) -> None:
    """Start the gateway anew, within a night."""
    world.gateway.stop()
    if a_day_later:
        with sqlite3.connect(world.data_dir / "gateway.sqlite") as catalogue:
            catalogue.execute("UPDATE studies SET checked_at_ms = checked_at_ms - 86400000")
        catalogue.close()
    await asyncio.to_thread(world.gateway.start)


async def has_ended(gateway: Program) -> bool:
    """Whether the night's comparison is over."""
    return '"sweep_ended"' in gateway.log
