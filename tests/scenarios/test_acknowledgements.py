"""No sender is told success before what it sent is durable."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from aiohttp import ClientError

from simulators.imaging_centre.dimse import Unanswered
from simulators.imaging_centre.mllp import NotAcknowledged
from tests.scenarios import over_the_web
from tests.scenarios.conftest import Doors
from tests.scenarios.crashes import again, is_published_once, nothing_written
from tests.scenarios.proxy import Way, open_proxy
from tests.support.ports import free_port
from tests.support.world import Study, World

ROUNDS = 200
"""Requests that the gateway answers meanwhile: time enough for one that does not wait."""

Tell = Callable[[World, Study, int], Coroutine[None, None, None]]


async def push(world: World, study: Study, port: int) -> None:
    await world.push(study, port=port)


async def report(world: World, study: Study, port: int) -> None:
    await world.report(study, port=port)


async def store(world: World, study: Study, port: int) -> None:
    await over_the_web.store(port, study.files)


async def announce(world: World, study: Study, port: int) -> None:
    await over_the_web.announce(port, study)


@pytest.mark.parametrize(
    "tell, unheard",
    [
        (push, Unanswered),
        (report, NotAcknowledged),
        (store, ClientError),
        (announce, ClientError),
    ],
)
async def test_what_is_not_yet_written_is_not_yet_acknowledged(
    doors: Doors, tell: Tell, unheard: type[Exception]
) -> None:
    world, study = doors.world, doors.world.a_study()
    if tell is report:
        await world.push(study)
    if tell is announce:
        world.keep(study)
    targets: dict[Tell, int] = {push: world.dicom_port, report: world.mllp_port}
    port, target = free_port(), targets.get(tell, world.http_port)

    async with open_proxy(port, target) as sender:
        with nothing_written(world.data_dir):
            sent = sender.hold(Way.REQUEST)
            telling = asyncio.create_task(tell(world, study, port))
            await sent.begun()
            sent.go()
            await sent.passed()
            for _ in range(ROUNDS):
                await world.get("/health/live")
            world.gateway.kill()
        with pytest.raises(unheard):
            await telling
    await again(world.gateway)
    if tell is not report:
        await tell(world, study, target)
    await world.report(study)

    await is_published_once(world, study)
