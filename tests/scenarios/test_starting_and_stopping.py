"""Programs end when they are asked, whatever is open, and do not start on a folder in use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from pynetdicom.presentation import build_context

from simulators.imaging_centre.dimse import VERIFICATION, Unanswered, associate
from simulators.viewers.scripted import AS_STORED
from tests.scenarios.conftest import Doors
from tests.scenarios.crashes import is_an_answer, is_published_once
from tests.scenarios.proxy import Way, open_proxy
from tests.support.ports import free_port
from tests.support.program import HOST, Program
from tests.support.programs import serving
from tests.support.world import WITHIN_S, World

A_FEW_SECONDS = 4.0
BEFORE_IT_IS_KILLED_S = 10.0
"""Container runtimes wait so long, unless they are told otherwise."""


@asynccontextmanager
async def open_connections(world: World) -> AsyncIterator[None]:
    """An association, a connection of a RIS and one of a browser, all idle."""
    to = world.gateway_address
    association = await asyncio.to_thread(associate, "MODALITE", to, [build_context(VERIFICATION)])
    _, ris = await asyncio.open_connection(HOST, world.mllp_port)
    async with aiohttp.ClientSession() as session:
        for url in (world.url, world.index_url):
            async with session.get(f"{url}/health/live") as response:
                assert response.status == 200
        try:
            yield
        finally:
            ris.transport.abort()
            await asyncio.to_thread(association.abort)


async def test_both_programs_end_with_connections_open(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    async with open_connections(world):
        codes = [
            await asyncio.to_thread(program.stop, A_FEW_SECONDS)
            for program in (world.gateway, world.index)
        ]

    assert codes == [0, 0]


async def test_the_gateway_ends_while_it_waits_for_the_answer_of_the_pacs(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.archive(study)
    asked = doors.pacs.hold(Way.ANSWER, is_an_answer)
    await world.report(study)
    await asked.begun()

    code = await asyncio.to_thread(world.gateway.stop, A_FEW_SECONDS)
    asked.go()
    await asyncio.to_thread(world.gateway.start)

    assert code == 0
    await is_published_once(world, study)


async def test_the_gateway_ends_while_it_waits_for_the_answer_of_the_index(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)
    answered = doors.index.hold(Way.ANSWER)
    await world.report(study)
    await answered.begun()

    code = await asyncio.to_thread(world.gateway.stop, A_FEW_SECONDS)
    answered.go()
    await asyncio.to_thread(world.gateway.start)

    assert code == 0
    await is_published_once(world, study)


async def test_the_gateway_ends_in_the_middle_of_everything(doors: Doors) -> None:
    """A viewer waits for a C-MOVE; half an instance and half a report are on the line."""
    world, study, half_sent = doors.world, doors.world.a_study(), doors.world.a_study("MG")
    await world.archive(study)
    await world.report(study)
    await world.published(study)
    port = free_port()
    chunks = iter([False, False, True])
    moving = doors.pacs.hold(Way.REQUEST, is_an_answer)

    async with open_proxy(port, world.dicom_port) as modality:
        halfway = modality.hold(Way.REQUEST, lambda _: next(chunks, True))
        pushing = asyncio.create_task(world.push(half_sent, port=port))
        viewing = asyncio.create_task(view(world, study.uid))
        _, ris = await asyncio.open_connection(HOST, world.mllp_port)
        ris.write(b"\x0bMSH|^~\\&|RIS")
        await halfway.begun()
        await moving.begun()
        code = await asyncio.to_thread(world.gateway.stop, BEFORE_IT_IS_KILLED_S)
        ris.transport.abort()
        with pytest.raises(Unanswered):
            await pushing
        with pytest.raises(aiohttp.ClientError):
            await viewing
    moving.go()
    await asyncio.to_thread(world.gateway.start)

    assert code == 0
    assert await world.fetch(study) == study.digests


async def view(world: World, study_uid: str) -> bytes:
    url = f"{world.url}/dicom-web/studies/{study_uid}"
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        session.get(url, headers={"Accept": AS_STORED}) as response,
    ):
        return await response.read()


async def ended(program: Program) -> int:
    """Start a program that must not stay, and give its exit code."""
    try:
        return await asyncio.to_thread(program.launch().wait, WITHIN_S)
    finally:
        program.close()


async def test_a_second_program_on_a_folder_in_use_is_refused(doors: Doors, tmp_path: Path) -> None:
    world, study = doors.world, doors.world.a_study()
    seconds = [
        Program(
            serving("gateway"),
            {
                "GATEWAY_DATA_DIR": str(world.data_dir),
                "GATEWAY_HTTP_PORT": world.url.rpartition(":")[2],  # all as the first one has it
                "GATEWAY_DICOM_PORT": "0",
                "GATEWAY_MLLP_PORT": "0",
            },
            port=free_port(),
            log=tmp_path / "gateway.log",
        ),
        Program(
            serving("indexer.server"),
            {
                "INDEX_DATA_DIR": str(world.index_dir),
                "INDEX_HTTP_PORT": "0",
            },
            port=free_port(),
            log=tmp_path / "index.log",
        ),
    ]

    codes = [await ended(second) for second in seconds]
    await world.push(study)
    await world.report(study)

    assert codes == [1, 1]
    for second in seconds:
        assert "stop it if it serves, else let it end" in second.log
        assert "Traceback" not in second.log
    await is_published_once(world, study)
