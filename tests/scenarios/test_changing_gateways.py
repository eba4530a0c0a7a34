"""A centre changes its gateway: what was published stays, is served, and can be replaced."""

import asyncio
import json
import shutil
from pathlib import Path

from simulators.synthetic.examination import Examination
from tests.scenarios.reports import a_report, flagged
from tests.support.commands import gateway_command
from tests.support.entries import Entry
from tests.support.program import HOST
from tests.support.programs import at_night_now
from tests.support.world import World, a_world


async def current(world: World, examination: Examination) -> Entry:
    """The one current entry of the patient."""
    entries = await world.entries(examination.patient)
    [entry] = [one for one in entries if one.status == "current"]
    return entry


async def test_the_next_gateway_serves_and_replaces_what_the_one_before_published(
    world: World,
) -> None:
    study = world.a_study()
    await world.archive(study)
    await world.report(a_report(study))
    await world.published(study)
    before = await current(world, study.examination)

    await asyncio.to_thread(change_gateway, world)

    assert await world.fetch(study) == study.digests
    assert await current(world, study.examination) == before
    await world.report(a_report(study, version=2, message=[flagged("MASQUE_PS", "Y")]))
    await world.published(study, revision=2)
    after = await current(world, study.examination)
    assert after.unique_id != before.unique_id
    assert "MASQUE_PS" in after.confidentiality


async def test_what_the_pacs_never_held_stays_published_until_its_images_come(
    tmp_path: Path,
) -> None:
    with a_world(tmp_path, settings=at_night_now()) as world:
        pushed, archived = world.a_study(), world.a_study()
        await world.push(pushed)
        await world.archive(archived)
        for study in (pushed, archived):
            await world.report(study)
            await world.published(study)

        said = await asyncio.to_thread(change_gateway, world)
        await world.stands(pushed, "published", "images_not_found")
        await world.stands(archived, "published")
        nobody_has_them = await world.status(f"/dicom-web/studies/{pushed.uid}")
        await asyncio.to_thread(bring_images, world)
        await world.stands(pushed, "published")

        assert "  of 1 images lie in this gateway's store alone: import " in said
        assert nobody_has_them == 404
        for study in (pushed, archived):
            row = await world.standing(study)
            assert (row["state"], row["code"], row["revision"]) == ("published", "", 1)
            assert await world.fetch(study) == study.digests
            told = (await world.get(f"/api/studies/{study.uid}/history"))["history"]
            assert "sweep" in [one["detail"].get("by") for one in told]  # a night compared it


async def test_what_is_withdrawn_goes_with_all_that_the_gateway_before_had_replaced(
    tmp_path: Path,
) -> None:
    with a_world(tmp_path) as world:
        study = world.a_study()
        await world.archive(study)
        await world.report(a_report(study))
        await world.published(study)
        await world.report(a_report(study, version=2, message=[flagged("MASQUE_PS", "Y")]))
        await world.published(study, revision=2)

        await asyncio.to_thread(change_gateway, world)
        before = await world.entries(study.examination.patient)
        await world.decide(f"/api/studies/{study.uid}/withdraw")
        await world.withdrawn(study)

        assert sorted(one.status for one in before) == ["current", "superseded"]
        assert await world.entries(study.examination.patient) == []


def change_gateway(world: World) -> str:
    """Stop the gateway, and start another on an empty folder with its pointers alone; what the
    export said.
    """
    world.gateway.stop()
    archive = world.data_dir.with_name("pointers.zip")
    settings = settings_of(world)
    written = gateway_command("export", "--to", archive, settings=settings)
    assert written.returncode == 0, written.stderr
    shutil.move(world.data_dir, world.data_dir.with_name("retired"))
    taken = gateway_command("import", archive, settings=settings)
    assert (taken.returncode, taken.stderr) == (0, "")
    world.gateway.start()
    return written.stdout


def bring_images(world: World) -> None:
    """Stop the gateway, and have it take in what the one before it stored."""
    world.gateway.stop()
    stored = world.data_dir.with_name("retired") / "store" / "objects"
    taken = gateway_command("import", stored, settings=settings_of(world))
    assert (taken.returncode, taken.stderr) == (0, "")
    world.gateway.start()


def settings_of(world: World) -> dict[str, str]:
    """What a command needs to know of the gateway."""
    return {
        "GATEWAY_DATA_DIR": str(world.data_dir),
        "GATEWAY_STUDY_SETTLE_S": "0.5",
        "GATEWAY_PACS": json.dumps([{"ae_title": "PACS", "host": HOST, "port": world.pacs_port}]),
    }
