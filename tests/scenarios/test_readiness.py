"""What the probe of readiness decides by, and what it only tells of."""

from typing import Any

from aiohttp import ClientSession, ClientTimeout

from tests.scenarios.test_full_disk import FULL_BYTES, ROOM
from tests.support.world import WITHIN_S, World


async def asked(world: World) -> tuple[int, dict[str, Any]]:
    """Status and body of the probe."""
    timeout = ClientTimeout(total=WITHIN_S)
    async with (
        ClientSession(timeout=timeout) as session,
        session.get(f"{world.url}/health/ready") as answer,
    ):
        return answer.status, await answer.json()


async def test_a_gateway_on_a_full_disk_is_not_ready_until_there_is_room(world: World) -> None:
    world.gateway.limit_files(FULL_BYTES)
    full, told = await asked(world)
    world.gateway.limit_files(ROOM)
    roomy, told_then = await asked(world)

    assert (full, told["ready"]) == (503, False)
    assert "disk" in told["failed"]
    assert (roomy, told_then["failed"]) == (200, [])


async def test_neighbours_that_are_away_are_told_of_and_decide_nothing(world: World) -> None:
    world.index.kill()
    world.gateway.stop()
    world.gateway.start()

    status, told = await asked(world)

    found = {one["what"]: one["state"] for one in told["detail"]["findings"]}
    assert (status, told["ready"], told["detail"]["state"]) == (200, True, "fail")
    assert (found["index, connection"], found["PACS PACS, C-FIND"]) == ("fail", "ok")
