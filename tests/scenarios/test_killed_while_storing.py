"""Instances that were answered 200 are there after SIGKILL, at moments that nobody chose."""

import asyncio
from contextlib import suppress

import pytest
from aiohttp import ClientError

from tests.scenarios.crashes import again, is_published_once
from tests.scenarios.over_the_web import store
from tests.support.world import Study, World

SENDERS = 4


@pytest.mark.parametrize("answered", [1, 5, 20])
async def test_what_was_answered_is_there_and_the_rest_may_be_sent_again(
    world: World, answered: int
) -> None:
    studies = [world.a_study() for _ in range(answered + 2 * SENDERS)]
    waiting, stored = list(studies), list[Study]()
    enough = asyncio.Event()

    async def send() -> None:
        with suppress(ClientError):  # the gateway is dead
            while waiting:
                study = waiting.pop()
                await store(world.http_port, study.files)
                stored.append(study)
                if len(stored) == answered:
                    enough.set()

    async with asyncio.TaskGroup() as senders:
        for _ in range(SENDERS):
            senders.create_task(send())
        await enough.wait()
        world.gateway.kill()
    await again(world.gateway)
    # What was answered is not sent again: its report alone has it published and served.
    for study in studies:
        if study not in stored:
            await store(world.http_port, study.files)
        await world.report(study)

    assert answered <= len(stored) < len(studies)
    for study in studies:
        await is_published_once(world, study)
