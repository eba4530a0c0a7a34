"""Bodies that are there together do not hold the loop together."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from indexer.server.web.body_room import BodyRoom


async def test_bodies_that_came_together_are_given_on_in_turns_of_their_own() -> None:
    turn = 0
    given_on: list[int] = []

    async def count() -> None:
        nonlocal turn
        while len(given_on) < 5:
            turn += 1
            await asyncio.sleep(0)

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        given_on.append(turn)

    room = BodyRoom(app)
    requests = [room({"type": "http"}, _whole_body, _nowhere) for _ in range(5)]
    await asyncio.gather(count(), *requests)

    assert len(set(given_on)) == 5


async def test_what_has_no_body_waits_for_none() -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()

    room = BodyRoom(app)
    first = room({"type": "http"}, _whole_body, _nowhere)
    bodiless = room({"type": "http"}, _no_body, _nowhere)
    first.send(None)  # it has its turn now, and keeps it until the loop's next one

    try:
        bodiless.send(None)
    except StopIteration:
        ended = True
    else:
        ended = False
    first.close()

    assert ended


async def _whole_body() -> Message:
    return {"type": "http.request", "body": b"{}", "more_body": False}


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(_message: Message) -> None:
    """Nobody hears of it."""
