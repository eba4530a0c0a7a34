"""A gateway that speaks XDS.b to its index: the life of a pointer, and what a kill leaves of it."""

from collections.abc import Iterator

import pytest

from simulators.imaging_centre.document import first_version
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.ris import Action, build_oru
from tests.scenarios.conftest import Doors
from tests.scenarios.crashes import (
    Continues,
    die_unaware,
    gateway_dies_before_writing,
    gateway_dies_sending,
    index_dies_receiving,
    is_published_once,
    late,
    lost,
    programs_die_unaware,
)
from tests.scenarios.reports import a_report, flagged
from tests.support.world import Study, World, a_world


@pytest.fixture(scope="module")
def world_with_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = {"GATEWAY_INDEX_PROTOCOL": "xds"}
    folder = tmp_path_factory.mktemp("xds")
    with a_world(folder, with_doors=True, settings=settings) as world:
        yield world


async def withdraw_report(world: World, study: Study) -> None:
    header = Header(sent_at=study.examination.started_at)
    document = first_version(study.examination)
    await world.report(build_oru(document, header=header, action=Action.DELETE))


async def test_a_pointer_is_published_replaced_and_taken_back(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study("CT")
    await world.push(study)
    await world.report(a_report(study))
    await is_published_once(world, study)

    await world.report(a_report(study, version=2, message=[flagged("MASQUE_PS", "Y")]))
    await is_published_once(world, study, revisions=2)
    await world.decide(f"/api/studies/{study.uid}/withdraw")
    row = await world.withdrawn(study)

    assert (row["state"], row["code"]) == ("withheld", "withdrawn_by_person")
    assert await world.entries(study.examination.patient) == []


@pytest.mark.parametrize("arrives", [lost, late])
async def test_the_gateway_dies_with_a_submission_on_its_way(
    doors: Doors, arrives: Continues
) -> None:
    await gateway_dies_sending(doors, arrives)


async def test_the_index_dies_with_a_submission_on_its_way(doors: Doors) -> None:
    await index_dies_receiving(doors)


async def test_the_gateway_dies_once_the_index_holds_the_pointer_and_before_it_knows(
    doors: Doors,
) -> None:
    await programs_die_unaware(doors, doors.world.gateway)


async def test_the_gateway_dies_once_it_is_answered_and_before_it_writes_that_down(
    doors: Doors,
) -> None:
    await gateway_dies_before_writing(doors)


async def test_the_gateway_dies_before_it_knows_that_a_pointer_was_taken_back(
    doors: Doors,
) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)
    await world.report(study)
    await world.published(study)

    await die_unaware(doors, withdraw_report(world, study), world.gateway)
    row = await world.withdrawn(study)

    assert (row["state"], row["code"]) == ("withheld", "report_withdrawn")
