"""Programs are killed while a pointer is taken back, and start again.

Its entry is withdrawn, once, and the study is not published again.
"""

from collections.abc import Awaitable, Callable

import pytest

from simulators.imaging_centre.document import first_version
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.ris import Action, build_oru
from simulators.synthetic.identity import Patient
from tests.scenarios.conftest import Doors
from tests.scenarios.crashes import (
    Continues,
    again,
    beside,
    die_before_writing,
    die_unaware,
    late,
    left_behind,
    lost,
)
from tests.scenarios.proxy import Way
from tests.support.entries import Entry, find_entries
from tests.support.world import WITHIN_S, Study, World

UNDER_WAY = [(1, "sent"), (2, "waiting")]


async def has_published(doors: Doors) -> Study:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)
    await world.report(study)
    await world.published(study)
    return study


async def by_report(world: World, study: Study) -> None:
    """The RIS withdraws the report."""
    header = Header(sent_at=study.examination.started_at)
    document = first_version(study.examination)
    await world.report(build_oru(document, header=header, action=Action.DELETE))


async def by_person(world: World, study: Study) -> None:
    """A person takes the pointer back."""
    await world.decide(f"/api/studies/{study.uid}/withdraw")


TakesBack = Callable[[World, Study], Awaitable[None]]
WAYS = pytest.mark.parametrize("takes_back", [by_report, by_person])


async def taken_back(world: World, patient: Patient) -> list[Entry]:
    """Entries that were withdrawn, which the index tells only whoever asks for them."""
    return await find_entries(
        world.index_url, patient, within_s=WITHIN_S, status="entered-in-error"
    )


async def is_withdrawn_once(world: World, study: Study) -> None:
    """The index has the one entry, withdrawn; the gateway knows it, and stays with that."""
    await world.withdrawn(study)
    await world.settled()
    patient = study.examination.patient
    told = (await world.get(f"/api/studies/{study.uid}/history"))["history"]
    submissions = await world.submissions(study)

    assert await world.entries(patient) == []
    assert len(await taken_back(world, patient)) == 1
    assert (await world.standing(study))["state"] == "withheld"
    assert [(row["kind"], row["state"]) for row in submissions] == [
        ("publish", "sent"),
        ("withdraw", "sent"),
    ]
    assert [row["event"] for row in told].count("withdrawn") == 1


@WAYS
async def test_the_gateway_dies_once_it_has_heard_that_a_pointer_is_to_go(
    doors: Doors, takes_back: TakesBack
) -> None:
    study, world = await has_published(doors), doors.world
    await doors.index.refuse()

    await takes_back(world, study)
    world.gateway.kill()
    await doors.index.listen()
    await again(world.gateway)

    await is_withdrawn_once(world, study)


@pytest.mark.parametrize("arrives", [lost, late, beside])
async def test_the_gateway_dies_with_a_withdrawal_on_its_way(
    doors: Doors, arrives: Continues
) -> None:
    study, world = await has_published(doors), doors.world

    sent = doors.index.hold(Way.REQUEST)
    await by_report(world, study)
    await sent.begun()
    world.gateway.kill()
    left = left_behind(world, study)
    await arrives(doors, sent, study)

    assert left == UNDER_WAY
    await is_withdrawn_once(world, study)


@pytest.mark.parametrize("killed", [["index"], ["gateway"], ["index", "gateway"]], ids=" and ".join)
async def test_programs_die_once_the_index_has_withdrawn_and_before_the_gateway_knows(
    doors: Doors, killed: list[str]
) -> None:
    study, world = await has_published(doors), doors.world
    programs = [{"index": world.index, "gateway": world.gateway}[name] for name in killed]

    await die_unaware(doors, by_report(world, study), *programs)

    await is_withdrawn_once(world, study)


async def test_the_gateway_dies_once_it_knows_of_a_withdrawal_and_before_it_writes_that_down(
    doors: Doors,
) -> None:
    study, world = await has_published(doors), doors.world

    await die_before_writing(doors, by_report(world, study))
    left = left_behind(world, study)
    await again(world.gateway)

    assert left == UNDER_WAY
    await is_withdrawn_once(world, study)


@WAYS
async def test_what_was_withdrawn_stays_so_when_the_gateway_starts_again(
    doors: Doors, takes_back: TakesBack
) -> None:
    study, world = await has_published(doors), doors.world
    await takes_back(world, study)
    await world.withdrawn(study)

    world.gateway.kill()
    await again(world.gateway)
    await world.report(study)  # late

    await is_withdrawn_once(world, study)


async def test_a_person_refuses_the_images_of_a_study_from_the_moment_of_their_word(
    doors: Doors,
) -> None:
    study, world = await has_published(doors), doors.world
    await doors.index.refuse()
    fetched = f"/dicom-web/studies/{study.uid}"

    before = await world.status(fetched)
    await by_person(world, study)
    at_once = await world.status(fetched)
    world.gateway.kill()
    await again(world.gateway)
    after = await world.status(fetched)

    assert (before, at_once, after) == (200, 404, 404)
