"""The worlds of the scenarios: one for all tests of a module, with what died started again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.scenarios.proxy import Proxy, open_proxy
from tests.support.world import World, a_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Programs that reach each other directly."""
    with a_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """A world whose gateway reaches index and PACS through proxies."""

    world: World
    index: Proxy
    pacs: Proxy


@pytest.fixture(scope="module")
def world_with_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Programs that reach each other by doors, which are shut between tests."""
    with a_world(tmp_path_factory.mktemp("doors"), with_doors=True) as world:
        yield world


@pytest.fixture
async def doors(world_with_doors: World) -> AsyncIterator[Doors]:
    """Open doors, and programs that run, whatever the test before did to them."""
    world = world_with_doors
    for program in (world.index, world.gateway):
        if not program.is_running:
            await asyncio.to_thread(program.start)
    async with (
        open_proxy(world.index_door, world.index_port) as index,
        open_proxy(world.pacs_door, world.pacs_port) as pacs,
    ):
        yield Doors(world=world, index=index, pacs=pacs)
