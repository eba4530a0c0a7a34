"""A connection is one of ours on either loop, with TLS and without."""

import asyncio
import socket
import ssl
from collections.abc import Callable

import pytest
import uvloop

from gateway.dimse.connection import Connection
from tests.support.certificates import Centre

HOST = "127.0.0.1"
WITHIN_S = 10.0


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
        asked = bytes(await accepted.read(5))
        accepted.write(b"answered")
        answered = bytes(await opened.read(8))
        opened.abort()
        accepted.abort()
        return asked, answered


async def _accepted(listening: socket.socket, tls: ssl.SSLContext | None) -> Connection:
    accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
    return await Connection.of(
        accepted, tls, buffered_bytes=1024, handshake_s=WITHIN_S, shutdown_s=WITHIN_S
    )
