"""A study travels from its modality to a viewer that knows the patient's INS alone."""

import pytest

from simulators.synthetic.examination import MODALITIES
from tests.support.world import World


@pytest.mark.parametrize("modality", MODALITIES)
async def test_a_pushed_study_comes_back_as_it_was_made(world: World, modality: str) -> None:
    study = world.a_study(modality)

    await world.push(study)
    await world.report(study)
    await world.published(study)

    assert await world.fetch(study) == study.digests


async def test_a_pushed_study_may_be_reported_before_its_images_come(world: World) -> None:
    study = world.a_study("CT")

    await world.report(study)
    await world.stands(study, "waiting", "images")
    await world.push(study)
    await world.published(study)

    assert await world.fetch(study) == study.digests


@pytest.mark.parametrize("modality", MODALITIES)
async def test_a_study_that_stays_in_the_pacs_comes_back_as_it_was_made(
    world: World, modality: str
) -> None:
    study = world.a_study(modality)

    await world.archive(study)
    await world.report(study)
    await world.published(study)

    assert await world.fetch(study) == study.digests


async def test_a_study_of_the_pacs_may_be_reported_before_it_is_announced(world: World) -> None:
    study = world.a_study("MR")

    await world.report(study)
    await world.stands(study, "waiting", "images")
    await world.archive(study)
    await world.published(study)

    assert await world.fetch(study) == study.digests


async def test_the_same_news_again_makes_no_revision(world: World) -> None:
    study = world.a_study("CR")
    await world.push(study)
    await world.report(study)
    await world.published(study)

    await world.push(study)
    await world.report(study)
    await world.settled()

    assert (await world.standing(study))["state"] == "published"
    assert [row["revision"] for row in await world.submissions(study)] == [1]
    assert [entry.status for entry in await world.entries(study.examination.patient)] == ["current"]


async def test_more_images_of_a_published_study_make_a_revision_that_lists_them(
    world: World,
) -> None:
    study = world.a_study("MR")
    *most, last = study.files
    await world.push(study, most)
    await world.report(study)
    await world.published(study)

    await world.push(study, [last])  # several might settle in part on a slow machine
    await world.published(study, revision=2)

    statuses = [entry.status for entry in await world.entries(study.examination.patient)]
    assert sorted(statuses) == ["current", "superseded"]
    assert await world.fetch(study) == study.digests
