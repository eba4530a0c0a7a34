"""The gate's bounds on the body of a request."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from gateway import http_errors
from gateway.security import gate
from gateway.security.policy import OpenAccess


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


WIDE = gate.BodyLimits(bytes_max=2 * gate.BODY_BYTES_MAX, whole_s=60.0, silent_s=0.05)


async def answered(*pieces: bytes, path: str = "/") -> tuple[int, bytes]:
    """Status and body that a client gets who sends these pieces, and then nothing."""
    app = Starlette(routes=[Route("/{path:path}", echo, methods=["POST"])])
    app.add_middleware(
        gate.Gate, policy=OpenAccess(), refusal=http_errors.answer, wide={"/wide": WIDE}
    )
    waiting = [{"type": "http.request", "body": one, "more_body": one != b""} for one in pieces]
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent)


async def test_a_body_that_is_whole_passes() -> None:
    assert await answered(b"one, ", b"two", b"") == (200, b"one, two")


async def test_a_body_that_is_too_long_is_refused() -> None:
    status, _ = await answered(bytes(gate.BODY_BYTES_MAX), b"x", b"")

    assert status == 413


async def test_a_body_that_does_not_come_whole_in_time_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "BODY_S_MAX", 0.05)

    status, _ = await answered(b"one, ")

    assert status == 408


@pytest.mark.parametrize("path", ["/wide", "/wide/more"])
async def test_where_more_is_taken_in_a_longer_body_passes(path: str) -> None:
    long = bytes(gate.BODY_BYTES_MAX + 1)

    assert await answered(long, b"", path=path) == (200, long)
    assert (await answered(long, long, b"", path=path))[0] == 413


async def test_nowhere_else_does_it_pass() -> None:
    status, _ = await answered(bytes(gate.BODY_BYTES_MAX), b"x", b"", path="/wider")

    assert status == 413


async def test_a_long_body_that_falls_silent_is_refused() -> None:
    status, _ = await answered(b"one, ", path="/wide")

    assert status == 408
