"""A gateway whose rows are on a PostgreSQL server loses and repeats nothing, whoever is killed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.scenarios.conftest import Doors
from tests.scenarios.crashes import again, die_unaware, is_published_once
from tests.scenarios.proxy import open_proxy
from tests.support.postgresql import PostgresqlServer
from tests.support.world import a_world


@pytest.fixture
async def doors(
    tmp_path_factory: pytest.TempPathFactory, postgresql: PostgresqlServer
) -> AsyncIterator[Doors]:
    """A world whose gateway has its rows on the server."""
    settings = {"GATEWAY_DATABASE_URL": postgresql.emptied()}
    folder = tmp_path_factory.mktemp("server")
    with a_world(folder, with_doors=True, settings=settings) as world:
        async with (
            open_proxy(world.index_door, world.index_port) as index,
            open_proxy(world.pacs_door, world.pacs_port) as pacs,
        ):
            yield Doors(world=world, index=index, pacs=pacs)


async def test_what_was_acknowledged_outlives_a_kill_and_is_published_once(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study("CT")
    await world.push(study)
    await world.report(study)

    world.gateway.kill()
    await again(world.gateway)

    await is_published_once(world, study)
    assert not (world.data_dir / "gateway.sqlite").exists()


async def test_what_the_index_took_before_a_kill_is_not_published_twice(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study("CT")
    await world.push(study)

    await die_unaware(doors, world.report(study), world.gateway)

    await is_published_once(world, study)


async def test_a_server_that_dies_is_waited_for(doors: Doors, postgresql: PostgresqlServer) -> None:
    world, study = doors.world, doors.world.a_study("CT")
    await world.push(study)

    await asyncio.to_thread(postgresql.stop)
    try:
        status = await world.status("/health/ready")
    finally:
        await asyncio.to_thread(postgresql.start)
    await world.report(study)

    assert status == 503
    await is_published_once(world, study)
    assert "drim@" not in world.gateway.log
