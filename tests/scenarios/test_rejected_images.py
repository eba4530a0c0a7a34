"""What a rejection note names is served no more, wherever it lies."""

from dataclasses import replace

import pytest

from tests.support.world import World


@pytest.mark.parametrize("pushed", [True, False], ids=["pushed", "in the PACS"])
async def test_rejected_images_are_served_no_more_wherever_they_lie(
    world: World, pushed: bool
) -> None:
    study = world.a_study("CT")
    await (world.push(study) if pushed else world.archive(study))
    await world.report(study)
    await world.published(study)

    await world.reject(study, study.files[:3])
    await world.published(study, revision=2)

    assert await world.fetch(study) == replace(study, files=study.files[3:]).digests
