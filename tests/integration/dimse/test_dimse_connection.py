"""A connection is one of ours on either loop, with TLS and without."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from gateway.dimse.connection import Connection
from tests.support.certificates import Centre

HOST = "127.0.0.1"
WITHIN_S = 10.0
PIECE_BYTES = 100_000


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Centre:
    return Centre(tmp_path_factory.mktemp("centre"))


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_both_ends_read_what_the_other_wrote(
    centre: Centre, loop: Callable[[], asyncio.AbstractEventLoop], secured: bool
) -> None:
    listens = centre.server() if secured else None
    opens = centre.opens() if secured else None

    with asyncio.Runner(loop_factory=loop) as runner:
        asked, answered = runner.run(asyncio.wait_for(_exchange(listens, opens), WITHIN_S))

    assert (asked, answered) == (b"asked", b"answered")


async def test_a_piece_that_is_held_stays_as_it_was_read() -> None:
    sent = [bytes([number]) * PIECE_BYTES for number in range(24)]

    async with _connected(buffered_bytes=2 * PIECE_BYTES) as (accepted, opened):
        writing = asyncio.create_task(_write_all(opened, sent))
        held, seen = [], []
        for number in range(len(sent)):
            piece = await accepted.read(PIECE_BYTES, within_s=WITHIN_S)
            seen.append(bytes(piece))
            if number % 5 == 0:  # of the rest nothing is left, so that their place is used again
                held.append(piece)
            del piece
        await writing

    assert seen == sent
    assert held == sent[::5]


async def test_a_piece_that_does_not_come_is_not_waited_for_longer_than_it_may_take() -> None:
    async with _connected(buffered_bytes=1024) as (accepted, opened):
        opened.write(b"as")
        with pytest.raises(TimeoutError):
            await accepted.read(5, within_s=0.05)
        opened.write(b"ked")

        assert bytes(await accepted.read(5, within_s=WITHIN_S)) == b"asked"


async def _write_all(opened: Connection, pieces: list[bytes]) -> None:
    for piece in pieces:
        if not opened.write(piece):
            await opened.drain()


@asynccontextmanager
async def _connected(*, buffered_bytes: int) -> AsyncIterator[tuple[Connection, Connection]]:
    with socket.create_server((HOST, 0)) as listening:
        listening.setblocking(False)
        accepting = asyncio.create_task(_accepted(listening, None, buffered_bytes))
        port = listening.getsockname()[1]
        opened = await Connection.to(
            HOST, port, None, buffered_bytes=buffered_bytes, shutdown_s=WITHIN_S
        )
        accepted = await accepting
        try:
            yield accepted, opened
        finally:
            for one in (opened, accepted):
                one.abort()
                await one.close()


async def _exchange(
    listens: ssl.SSLContext | None, opens: ssl.SSLContext | None
) -> tuple[bytes, bytes]:
    with socket.create_server((HOST, 0)) as listening:
        listening.setblocking(False)
        accepting = asyncio.create_task(_accepted(listening, listens))
        port = listening.getsockname()[1]
        opened = await Connection.to(HOST, port, opens, buffered_bytes=1024, shutdown_s=WITHIN_S)
        accepted = await accepting
        opened.write(b"asked")
        asked = bytes(await accepted.read(5, within_s=WITHIN_S))
        accepted.write(b"answered")
        answered = bytes(await opened.read(8, within_s=WITHIN_S))
        opened.abort()
        accepted.abort()
        return asked, answered


async def _accepted(
    listening: socket.socket, tls: ssl.SSLContext | None, buffered_bytes: int = 1024
) -> Connection:
    accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
    return await Connection.of(
        accepted, tls, buffered_bytes=buffered_bytes, handshake_s=WITHIN_S, shutdown_s=WITHIN_S
    )
