"""Programs are killed at every point between an acknowledgement and the pointer, and start again.

What was acknowledged is published, once: the index has one current entry of the study, and one
unique id for each of its revisions.
"""

import asyncio
import shutil
from contextlib import suppress
from functools import partial

import pytest

from simulators.imaging_centre.dimse import Unanswered
from simulators.imaging_centre.mllp import NotAcknowledged
from simulators.imaging_centre.ris import build_message
from tests.scenarios.conftest import Doors
from tests.scenarios.crashes import (
    Continues,
    a_minute_passes,
    again,
    beside,
    gateway_dies_before_writing,
    gateway_dies_sending,
    index_dies_receiving,
    is_an_answer,
    is_published_once,
    late,
    left_behind,
    lost,
    programs_die_unaware,
    says,
    seen,
)
from tests.scenarios.proxy import Hold, Way, open_proxy
from tests.scenarios.reports import a_report, flagged, with_status
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.world import Study

HIDDEN = flagged("MASQUE_PS", "Y")
PRELIMINARY = with_status("P", before="C")


async def test_the_gateway_dies_once_it_has_acknowledged_an_instance(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()

    await world.push(study)
    world.gateway.kill()
    await again(world.gateway)
    await world.report(study)

    await is_published_once(world, study)


async def test_the_gateway_dies_once_it_has_acknowledged_a_report(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)
    await doors.pacs.refuse()

    await world.report(study)
    world.gateway.kill()
    left = left_behind(world, study)
    await doors.pacs.listen()
    await again(world.gateway)

    assert left == []
    await is_published_once(world, study)


async def test_the_gateway_dies_once_it_has_acknowledged_an_announcement(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.report(study)
    await world.stands(study, "waiting", "images")
    await doors.pacs.refuse()

    await world.archive(study)
    world.gateway.kill()
    left = left_behind(world, study)
    await doors.pacs.listen()
    await again(world.gateway)

    assert left == []
    await is_published_once(world, study)


async def test_the_gateway_dies_between_its_question_to_the_pacs_and_the_answer(
    doors: Doors,
) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.archive(study)

    asked = doors.pacs.hold(Way.ANSWER, is_an_answer)
    await world.report(study)
    await asked.begun()
    world.gateway.kill()
    left = left_behind(world, study)
    asked.go()
    await again(world.gateway)

    assert left == []
    await is_published_once(world, study)


async def test_the_gateway_dies_with_a_revision_that_it_could_not_send(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await doors.index.refuse()
    await world.push(study)
    await world.report(study)
    await world.stands(study, "queued")

    world.gateway.kill()
    left = left_behind(world, study)
    await doors.index.listen()
    await again(world.gateway)

    assert left == [(1, "waiting")]
    await is_published_once(world, study)


@pytest.mark.parametrize("arrives", [lost, late, beside])
async def test_the_gateway_dies_with_a_submission_on_its_way(
    doors: Doors, arrives: Continues
) -> None:
    await gateway_dies_sending(doors, arrives)


async def test_the_index_dies_with_a_submission_on_its_way(doors: Doors) -> None:
    await index_dies_receiving(doors)


@pytest.mark.parametrize("killed", [["index"], ["gateway"], ["index", "gateway"]], ids=" and ".join)
async def test_programs_die_once_the_index_holds_the_pointer_and_before_the_gateway_knows(
    doors: Doors, killed: list[str]
) -> None:
    programs = {"index": doors.world.index, "gateway": doors.world.gateway}
    await programs_die_unaware(doors, *(programs[name] for name in killed))


async def test_the_gateway_dies_once_it_knows_and_before_it_writes_that_down(doors: Doors) -> None:
    await gateway_dies_before_writing(doors)


async def test_the_gateway_dies_before_it_knows_that_a_pointer_was_replaced(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study("MR")
    *most, last = study.files
    await world.push(study, most)
    await world.report(study)
    await world.published(study)

    answered = doors.index.hold(Way.ANSWER)
    await world.push(study, [last])
    await answered.begun()
    world.gateway.kill()
    left = left_behind(world, study)
    await doors.index.drop()
    answered.go()
    await again(world.gateway)

    assert left == [(1, "sent"), (2, "waiting")]
    await is_published_once(world, study, revisions=2)


async def overtaken(doors: Doors, held: Hold, study: Study, *, is_stopped: bool) -> list[object]:
    """Break off what is held of the study's first revision and have it followed by a second; what
    the gateway leaves behind.

    Args:
        is_stopped: meanwhile there was a time in which nothing could be published.
    """
    world = doors.world
    await held.begun()
    await doors.index.refuse()
    held.go()
    if is_stopped:
        await world.report(a_report(study, version=2, message=[PRELIMINARY]))
        await world.stands(study, "waiting", "report_validation")
        await world.report(a_report(study, version=3, message=[HIDDEN]))
    else:
        await world.report(a_report(study, version=2, message=[HIDDEN]))
    await world.is_at(study, 2)
    world.gateway.kill()
    return [*left_behind(world, study)]


@pytest.mark.parametrize("is_stopped", [True, False], ids=["asked for", "sent again"])
async def test_a_revision_replaces_one_whose_answer_was_lost(
    doors: Doors, is_stopped: bool
) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    answered = doors.index.hold(Way.ANSWER)
    await world.report(a_report(study))
    left = await overtaken(doors, answered, study, is_stopped=is_stopped)
    await doors.index.listen()
    await again(world.gateway)

    assert left == [(1, "stopping" if is_stopped else "waiting"), (2, "waiting")]
    await is_published_once(world, study, revisions=2)


async def test_a_revision_follows_one_that_never_reached_the_index(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    sent = doors.index.hold(Way.REQUEST)
    await world.report(a_report(study))
    left = await overtaken(doors, sent, study, is_stopped=True)
    a_minute_passes(world)
    await doors.index.listen()
    await again(world.gateway)
    await world.published(study, revision=2)

    [entry] = await world.entries(study.examination.patient)
    submissions = await world.submissions(study)
    assert left == [(1, "stopping"), (2, "waiting")]
    assert entry.status == "current"
    assert [row["state"] for row in submissions] == ["dropped", "sent"]
    assert await world.fetch(study) == study.digests


async def test_the_gateway_dies_within_an_instance_that_is_then_sent_again(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study("MG")
    port = free_port()
    chunks = iter([False, False, True])  # the association, the command, some of the data set

    async with open_proxy(port, world.dicom_port) as modality:
        halfway = modality.hold(Way.REQUEST, lambda _: next(chunks, True))
        pushing = asyncio.create_task(world.push(study, port=port))
        await halfway.begun()
        world.gateway.kill()
        with pytest.raises(Unanswered):
            await pushing
    await again(world.gateway)
    left = list((world.data_dir / "store" / "spool").iterdir())
    await world.push(study)
    await world.report(study)

    assert left == []
    await is_published_once(world, study)


async def test_the_gateway_dies_before_the_sender_hears_that_its_instance_is_kept(
    doors: Doors,
) -> None:
    world, study = doors.world, doors.world.a_study()
    port = free_port()

    async with open_proxy(port, world.dicom_port) as modality:
        kept = modality.hold(Way.ANSWER, is_an_answer)
        pushing = asyncio.create_task(world.push(study, port=port))
        await kept.begun()
        world.gateway.kill()
        await modality.drop()
        with pytest.raises(Unanswered):
            await pushing
    await again(world.gateway)
    await world.push(study)
    await world.report(study)

    await is_published_once(world, study)
    assert (await world.standing(study))["instances"] == len(study.files)


async def test_the_gateway_dies_within_a_report_that_is_then_sent_again(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)
    report = build_message(study.examination, sent_at=study.examination.started_at)
    framed = b"\x0b" + report.text.encode()

    reader, writer = await asyncio.open_connection(HOST, world.mllp_port)
    writer.write(framed[: len(framed) // 2])
    await writer.drain()
    world.gateway.kill()
    answer = b""
    with suppress(ConnectionResetError):  # what it had not read yet dies with it
        answer = await reader.read()
    writer.close()
    await again(world.gateway)
    await world.report(report)

    assert answer == b""
    await is_published_once(world, study)


async def test_the_gateway_dies_before_the_sender_hears_that_its_report_is_kept(
    doors: Doors,
) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)
    port = free_port()

    async with open_proxy(port, world.mllp_port) as ris:
        kept = ris.hold(Way.ANSWER)
        telling = asyncio.create_task(world.report(study, port=port))
        await kept.begun()
        world.gateway.kill()
        await ris.drop()
        with pytest.raises(NotAcknowledged):
            await telling
    await again(world.gateway)
    await world.report(study)

    await is_published_once(world, study)


async def test_a_gateway_that_dies_again_and_again_as_it_starts_loses_nothing(
    doors: Doors,
) -> None:
    world, study = doors.world, doors.world.a_study()
    await doors.index.refuse()
    await world.push(study)
    await world.report(study)
    await world.stands(study, "queued")
    world.gateway.kill()

    for sign in ("open_access", "submission_postponed", "listening"):
        world.gateway.launch()
        await seen(partial(says, world.gateway, sign))
        world.gateway.kill()
    await doors.index.listen()
    await again(world.gateway)

    await is_published_once(world, study)


async def test_a_gateway_that_dies_in_its_very_first_start_starts_later(doors: Doors) -> None:
    """Between making its files, within its migrations, and once its store is there."""
    world, study = doors.world, doors.world.a_study()

    for sign in ("gateway.sqlite", "gateway.sqlite-wal", "store"):
        world.gateway.kill()
        shutil.rmtree(world.data_dir)
        world.gateway.launch()
        await seen((world.data_dir / sign).exists)
        world.gateway.kill()
        await again(world.gateway)
    await world.push(study)
    await world.report(study)

    await is_published_once(world, study)
