"""A centre changes its gateway: what was published stays, is served, and can be replaced."""

import asyncio
import json
import shutil

from simulators.synthetic.examination import Examination
from tests.scenarios.reports import a_report, flagged
from tests.support.commands import gateway_command
from tests.support.entries import Entry
from tests.support.program import HOST
from tests.support.world import World


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


def change_gateway(world: World) -> None:
    """Stop the gateway, and start another on an empty folder with its pointers alone."""
    world.gateway.stop()
    archive = world.data_dir.with_name("pointers.zip")
    settings = {
        "GATEWAY_DATA_DIR": str(world.data_dir),
        "GATEWAY_PACS": json.dumps([{"ae_title": "PACS", "host": HOST, "port": world.pacs_port}]),
    }
    written = gateway_command("export", "--to", archive, settings=settings)
    assert written.returncode == 0, written.stderr
    shutil.move(world.data_dir, world.data_dir.with_name("retired"))
    taken = gateway_command("import", archive, settings=settings)
    assert (taken.returncode, taken.stderr) == (0, "")
    world.gateway.start()
