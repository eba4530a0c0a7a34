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


async def answered(*pieces: bytes) -> tuple[int, bytes]:
    """Status and body that a client gets who sends these pieces, and then nothing."""
    app = Starlette(routes=[Route("/", echo, methods=["POST"])])
    app.add_middleware(gate.Gate, policy=OpenAccess(), refusal=http_errors.answer)
    waiting = [{"type": "http.request", "body": one, "more_body": one != b""} for one in pieces]
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
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
