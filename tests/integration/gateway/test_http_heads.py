"""The head of a request is bounded in bytes and in time, before anyone is asked who they are."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.responses import PlainTextResponse

from gateway import serving
from gateway.serving import HEAD_BYTES_MAX, listen, serve

READ_AT_ONCE_BYTES = 256 * 1024  # what a loop hands over of a socket in one piece
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def a_server() -> AsyncIterator[int]:
    """The port of a server that answers every request."""
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listening:
        port: int = listening.getsockname()[1]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(PlainTextResponse("here"), listening, stop=stop))
            try:
                yield port
            finally:
                stop.set()


async def pour(port: int, opening: bytes, more: bytes, *, bytes_max: int) -> tuple[int, bytes]:
    """How much of a head without an end is taken, and what is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken = 0
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    try:
        with suppress(ConnectionError):
            writer.write(opening)
            while taken < bytes_max:
                writer.write(more)
                await writer.drain()
                taken += len(more)
        with suppress(ConnectionError):
            async with asyncio.timeout(10):
                return taken, await reader.read(4096)
        return taken, b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "opening, more",
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-One: more\r\n" * 5000),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"y" * 65536),
        (b"GET /", b"y" * 65536),
        (REQUEST + b"GET / HTTP/1.1\r\n", b"X-One: more\r\n" * 5000),
    ],
    ids=["many headers", "a long header", "a long address", "the second request"],
)
async def test_a_head_that_does_not_end_is_cut_off(opening: bytes, more: bytes) -> None:
    async with a_server() as port:
        taken, _ = await pour(port, opening, more, bytes_max=64 * 2**20)

    # What the kernel's buffers took comes on top of what was read.
    assert taken < HEAD_BYTES_MAX + READ_AT_ONCE_BYTES + 16 * 2**20


@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HTTP/1.1\r\nHost", REQUEST + b"GET /"],
    ids=["nothing", "half a head", "a request, and half of another"],
)
async def test_a_head_that_does_not_come_in_time_ends_the_connection(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_S_MAX", 0.2)

    async with a_server() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        async with asyncio.timeout(10):
            await reader.read(-1)

        writer.close()


async def test_requests_one_after_the_other_have_each_their_own_time_and_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "HEAD_BYTES_MAX", 200)
    answers = []

    async with a_server() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(20):
            for byte in (REQUEST[:10], REQUEST[10:]):
                writer.write(byte)
                await writer.drain()
            answers.append(await reader.readuntil(b"here"))
        writer.close()

    assert len(answers) == 20


LONG_BYTES = 8 * 2**20
WITH_A_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % LONG_BYTES


@pytest.mark.parametrize(
    "said, more",
    [(WITH_A_BODY, b"a"), (REQUEST, b"\r\n")],
    ids=["a body that nobody reads", "blank lines"],
)
async def test_what_comes_after_an_answer_does_not_hold_the_connection(
    said: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who is answered 401 could keep others out for as long as they like."""
    monkeypatch.setattr(serving, "HEAD_S_MAX", 0.3)

    async with a_server() as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        await reader.readuntil(b"here")
        while not reader.at_eof():  # told nothing, it goes on for ever
            writer.write(more)
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(0.05):
                    await reader.read(1)
            if reader.exception() is not None:
                break
        writer.close()


async def test_a_body_that_is_longer_than_its_answer_may_be_sent_to_its_end() -> None:
    async with a_server() as port, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WITH_A_BODY + bytes(LONG_BYTES))
        await writer.drain()
        await reader.readuntil(b"here")
        writer.write(REQUEST)

        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200 OK")
        writer.close()
