"""MLLP over TLS: who shows a certificate of the centre's authority is heard, and nobody else."""

import asyncio
import gc
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.hl7.frames import END, START
from gateway.hl7.mllp import MllpLimits, MllpServer
from gateway.security.tls import server_context
from gateway.serving import loop_factory
from tests.support.certificates import Authority, client_context

WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The contexts of everyone who takes part."""

    server: ssl.SSLContext
    sender: ssl.SSLContext
    without_certificate: ssl.SSLContext
    expired: ssl.SSLContext
    stranger: ssl.SSLContext


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    centre, other = Authority(folder, "centre"), Authority(folder, "other")
    own = centre.certify("gateway")
    return Keys(
        server=server_context(certificate=own.certificate, key=own.key, ca=centre.ca),
        sender=client_context(centre.ca, centre.certify("ris")),
        without_certificate=client_context(centre.ca),
        expired=client_context(centre.ca, centre.certify("former", days=-1)),
        stranger=client_context(centre.ca, other.certify("stranger")),
    )


@asynccontextmanager
async def a_server(keys: Keys, *, limits: MllpLimits | None = None) -> AsyncIterator[MllpServer]:
    async def echo(message: bytes, peer: str) -> bytes:
        return b"%d %s" % (len(message), peer.encode())

    server = await MllpServer.start(
        "127.0.0.1",
        0,
        handle=echo,
        admits=lambda peer: True,
        limits=limits,
        tls=keys.server,
    )
    try:
        yield server
    finally:
        async with asyncio.timeout(WITHIN_S):
            await server.close()


async def answer(server: MllpServer, tls: ssl.SSLContext | None, stream: bytes) -> bytes:
    """What the server says to a stream, until it has answered once or ends the connection."""
    async with asyncio.timeout(WITHIN_S):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls)
        except OSError:
            return b""
        try:
            writer.write(stream)
            return await reader.readuntil(END)
        except asyncio.IncompleteReadError as error:
            return error.partial
        except OSError:
            return b""
        finally:
            writer.close()


async def test_a_sender_of_the_centre_is_answered(keys) -> None:
    async with a_server(keys) as server:
        long = b"x" * 5_000_000

        assert await answer(server, keys.sender, START + long + END) == (
            START + b"5000000 127.0.0.1" + END
        )


def test_senders_that_speak_before_they_are_looked_at_are_answered(keys) -> None:
    """The loop of the program reads a connection as soon as it is there."""

    async def told_by_many() -> list[bytes]:
        async with a_server(keys) as server:
            exchanges = (asyncio.to_thread(say_hello, server.port, keys.sender) for _ in range(8))
            return await asyncio.gather(*exchanges)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        answers = runner.run(told_by_many())

    assert answers == [START + b"5 127.0.0.1" + END] * 8


def say_hello(port: int, tls: ssl.SSLContext) -> bytes:
    """What is answered to a sender that waits for nothing."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S) as plain,
        tls.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(START + b"hello" + END)
        answered = b""
        while not answered.endswith(END):
            answered += secured.recv(1024)
        return answered


async def test_a_connection_outlives_what_python_tidies_away(keys) -> None:
    """A stream that nobody holds any more closes its socket, TLS or not."""
    async with a_server(keys) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=keys.sender)
        async with asyncio.timeout(WITHIN_S):
            writer.write(START + b"hello" + END)
            await reader.readuntil(END)
            gc.collect()
            writer.write(START + b"again!" + END)

            assert await reader.readuntil(END) == START + b"6 127.0.0.1" + END

        writer.close()


@pytest.mark.parametrize("who", ["without_certificate", "expired", "stranger"])
async def test_who_shows_no_certificate_of_the_centre_is_not_heard(keys, who) -> None:
    async with a_server(keys) as server:
        refused = await answer(server, getattr(keys, who), START + b"hello" + END)
        admitted = await answer(server, keys.sender, START + b"hello" + END)

    assert refused == b""
    assert admitted == START + b"5 127.0.0.1" + END


async def test_who_does_not_speak_tls_is_cut_off(keys) -> None:
    async with a_server(keys) as server:
        refused = await answer(server, None, START + b"hello" + END)

    assert b"hello" not in refused
    assert START not in refused


@pytest.mark.parametrize(
    "who, reason",
    [
        ("without_certificate", "peer did not return a certificate"),
        ("expired", "certificate has expired"),
        (None, "wrong version number"),
    ],
)
async def test_why_there_was_no_tls_is_logged_in_words(keys, caplog, who, reason) -> None:
    async with a_server(keys) as server:
        await answer(server, who and getattr(keys, who), START + b"hello" + END)
        async with asyncio.timeout(WITHIN_S):
            while not (logged := of_mllp(caplog)):  # noqa: ASYNC110 - a log sets no event
                await asyncio.sleep(0)

    assert [(one.message, one.__dict__["reason"]) for one in logged] == [
        ("mllp_handshake_failed", reason)
    ]


def of_mllp(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [one for one in caplog.records if "mllp" in one.name]


async def test_a_silent_sender_is_cut_off_and_holds_up_nobody(keys) -> None:
    async with a_server(keys, limits=MllpLimits(handshake_s=0.2)) as server:
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", server.port)

        meanwhile = await answer(server, keys.sender, START + b"hello" + END)

        assert meanwhile == START + b"5 127.0.0.1" + END
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await silent.readexactly(1)
        silent_writer.close()


async def test_a_sender_counts_before_its_handshake(keys) -> None:
    async with a_server(keys, limits=MllpLimits(connections_max=1)) as server:
        _, silent = await asyncio.open_connection("127.0.0.1", server.port)

        assert await answer(server, keys.sender, START + b"hello" + END) == b""

        silent.close()


async def test_a_broken_frame_is_told_so_before_the_connection_ends(keys) -> None:
    async with a_server(keys, limits=MllpLimits(answer_s=0.2)) as server:
        told = await answer(server, keys.sender, b"GET / HTTP/1.1\r\n\r\n")

    assert b"MSA|AR" in told


async def test_closing_ends_those_within_their_handshake(keys) -> None:
    async with a_server(keys) as server:
        silent, writer = await asyncio.open_connection("127.0.0.1", server.port)
        # A second sender is served, so the first one's handshake has begun.
        await answer(server, keys.sender, START + b"hello" + END)

        async with asyncio.timeout(WITHIN_S):
            await server.close()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await silent.readexactly(1)
        writer.close()
