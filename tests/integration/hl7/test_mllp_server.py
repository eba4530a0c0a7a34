"""The MLLP server on a real socket: it answers the well-behaved and outlives the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.hl7.frames import END, START
from gateway.hl7.message import Message, decode
from gateway.hl7.mllp import Handle, MllpLimits, MllpServer

HEADER = rb"MSH|^~\&|RIS|CENTRE|GATEWAY|BOX|20260102||ORU^R01^ORU_R01|M0001|P|2.5"
WITHIN_S = 10.0


class Sender:
    """One connection, as a RIS holds it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> bytes:
        async with asyncio.timeout(WITHIN_S):
            frame = await self._reader.readuntil(END)
        assert frame.startswith(START)
        return frame[1:-2]

    async def acknowledgement(self) -> Message:
        return decode(await self.answer())

    async def is_cut_off(self) -> bool:
        """Whether the server ends the connection without another byte."""
        async with asyncio.timeout(WITHIN_S):
            try:
                return await self._reader.read() == b""
            except ConnectionError:
                return True

    def say_no_more(self) -> None:
        """Close this side only: what is answered can still be read."""
        self._writer.write_eof()

    def hang_up(self) -> None:
        self._writer.close()


@asynccontextmanager
async def a_server(
    handle: Handle, *, limits: MllpLimits | None = None, admits: bool = True
) -> AsyncIterator[MllpServer]:
    server = await MllpServer.start(
        "127.0.0.1", 0, handle=handle, admits=lambda peer: admits, limits=limits
    )
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def a_sender(server: MllpServer) -> AsyncIterator[Sender]:
    sender = Sender(*await asyncio.open_connection("127.0.0.1", server.port))
    try:
        yield sender
    finally:
        sender.hang_up()


async def echo(message: bytes, peer: str) -> bytes:
    return b"got " + message[:20]


async def is_served(server: MllpServer) -> bool:
    """Whether the server has room for one more sender."""
    async with a_sender(server) as sender:
        try:
            await sender.send(framed(b"hello"))
            return await sender.answer() == b"got hello"
        except (asyncio.IncompleteReadError, ConnectionError):
            return False


def framed(message: bytes) -> bytes:
    return START + message + END


async def test_messages_of_one_connection_are_answered_in_their_order() -> None:
    async with a_server(echo) as server, a_sender(server) as sender:
        await sender.send(b"".join(framed(b"%d" % number) + b"\r\n" for number in range(50)))

        answers = [await sender.answer() for _ in range(50)]

    assert answers == [b"got %d" % number for number in range(50)]


@pytest.mark.parametrize("bytes_each", [1, 2, 3, 7, 100])
async def test_messages_are_read_the_same_wherever_their_bytes_are_cut(bytes_each: int) -> None:
    stream = b"".join(framed(b"%d" % number) + b"\r\n" for number in range(20))

    async with a_server(echo) as server, a_sender(server) as sender:
        for start in range(0, len(stream), bytes_each):
            await sender.send(stream[start : start + bytes_each])
            await asyncio.sleep(0)  # the server reads before the next piece is on its way
        answers = [await sender.answer() for _ in range(20)]

    assert answers == [b"got %d" % number for number in range(20)]


async def test_the_handler_is_told_who_sends() -> None:
    async def tell(message: bytes, peer: str) -> bytes:
        return peer.encode()

    async with a_server(tell) as server, a_sender(server) as sender:
        await sender.send(framed(b"who am I"))

        assert await sender.answer() == b"127.0.0.1"


async def test_a_message_longer_than_any_buffer_arrives_whole() -> None:
    async def measure(message: bytes, peer: str) -> bytes:
        return b"%d" % len(message)

    async with a_server(measure) as server, a_sender(server) as sender:
        await sender.send(framed(b"x" * 20 * 1024 * 1024))

        assert await sender.answer() == b"%d" % (20 * 1024 * 1024)


async def test_a_message_over_the_limit_is_refused_while_the_sender_still_sends() -> None:
    limits = MllpLimits(message_bytes_max=100_000)

    async with a_server(echo, limits=limits) as server, a_sender(server) as sender:
        sending = asyncio.create_task(sender.send(START + HEADER + b"\r" + b"x" * 150_000))
        refusal = await sender.acknowledgement()

        assert refusal.segments("MSA")[0].text(1) == "AE"
        assert refusal.segments("MSA")[0].text(2) == "M0001"
        assert "longer than 100000 bytes" in refusal.segments("ERR")[0].text(8)
        assert await sender.is_cut_off()
        await sending


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"GET / HTTP/1.1\r\n\r\n", "outside of a frame"),
        (b"\r\nMSH|^~\\&|", "outside of a frame"),
        (START + HEADER + b"\x1cX", "FS is not followed by CR"),
        (START + HEADER + START, "begins inside a frame"),
    ],
)
async def test_a_broken_frame_is_refused_and_the_connection_ended(data, reason) -> None:
    async with a_server(echo) as server, a_sender(server) as sender:
        await sender.send(framed(b"a sound one first") + data)

        assert await sender.answer() == b"got a sound one first"
        refusal = await sender.acknowledgement()
        assert refusal.segments("MSA")[0].text(1) == "AR"
        assert reason in refusal.segments("ERR")[0].text(8)
        sender.say_no_more()
        assert await sender.is_cut_off()


async def test_a_message_that_does_not_end_in_time_is_refused() -> None:
    async with (
        a_server(echo, limits=MllpLimits(message_s=0.05)) as server,
        a_sender(server) as sender,
    ):
        await sender.send(START + HEADER)

        refusal = await sender.acknowledgement()

    assert refusal.segments("MSA")[0].text(1) == "AR"
    assert "did not come in time" in refusal.segments("ERR")[0].text(8)


async def test_a_silent_connection_is_ended() -> None:
    async with (
        a_server(echo, limits=MllpLimits(idle_s=0.05)) as server,
        a_sender(server) as sender,
    ):
        assert await sender.is_cut_off()


async def test_a_handler_that_fails_ends_neither_connection_nor_server() -> None:
    async def stumble(message: bytes, peer: str) -> bytes:
        if message == HEADER:
            raise ZeroDivisionError
        return b"fine"

    async with a_server(stumble) as server, a_sender(server) as sender:
        await sender.send(framed(HEADER) + framed(b"next"))

        failed = await sender.acknowledgement()
        assert failed.segments("MSA")[0].text(1) == "AR"
        assert failed.segments("MSA")[0].text(2) == "M0001"
        assert await sender.answer() == b"fine"


async def test_a_handler_that_takes_too_long_is_answered_for() -> None:
    async def hang(message: bytes, peer: str) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with (
        a_server(hang, limits=MllpLimits(handle_s=0.05)) as server,
        a_sender(server) as sender,
    ):
        await sender.send(framed(HEADER))

        assert (await sender.acknowledgement()).segments("MSA")[0].text(1) == "AR"


async def test_a_sender_that_is_not_admitted_is_cut_off_unheard() -> None:
    async with a_server(echo, admits=False) as server, a_sender(server) as sender:
        assert await sender.is_cut_off()


async def test_one_connection_too_many_is_cut_off_and_the_others_go_on() -> None:
    async with (
        a_server(echo, limits=MllpLimits(connections_max=1)) as server,
        a_sender(server) as first,
    ):
        await first.send(framed(b"one"))
        assert await first.answer() == b"got one"

        async with a_sender(server) as second:
            assert await second.is_cut_off()

        await first.send(framed(b"two"))
        assert await first.answer() == b"got two"


async def test_a_sender_that_hangs_up_makes_room_for_another() -> None:
    async with a_server(echo, limits=MllpLimits(connections_max=1)) as server:
        async with a_sender(server) as sender:
            await sender.send(START + b"half a mess")
        async with asyncio.timeout(WITHIN_S):
            while not await is_served(server):
                pass  # the server has not seen the first one go yet


async def test_closing_ends_every_connection_at_once() -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang(message: bytes, peer: str) -> bytes:
        begun.set()
        await never.wait()
        return b""

    server = await MllpServer.start("127.0.0.1", 0, handle=hang, admits=lambda peer: True)
    async with a_sender(server) as idle, a_sender(server) as busy:
        await busy.send(framed(HEADER))
        await begun.wait()

        async with asyncio.timeout(WITHIN_S):
            await server.close()

        assert await idle.is_cut_off()
        assert await busy.is_cut_off()
    with pytest.raises(RuntimeError):
        _ = server.port
