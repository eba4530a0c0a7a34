"""The RIS speaks MLLP by itself and takes nothing but `AA` for an acknowledgement."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from simulators.imaging_centre.mllp import NotAcknowledged, send
from simulators.imaging_centre.ris import build_message
from simulators.synthetic.examination import TIME_ZONE, make_examination

SENT_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=TIME_ZONE)
REPORT = build_message(make_examination(5, 1, "CT"), sent_at=SENT_AT)
Answer = Callable[[bytes], bytes]


@asynccontextmanager
async def a_receiver(answer: Answer) -> AsyncIterator[int]:
    """Reads one framed message and answers it; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        message = await reader.readuntil(b"\x1c\r")
        writer.write(answer(message))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=4 * 1024 * 1024)
    async with server:
        yield server.sockets[0].getsockname()[1]


def acknowledge(code: str, control_id: str) -> bytes:
    return f"\x0bMSH|^~\\&|G|C|R|C|20260102||ACK|1|P|2.5\rMSA|{code}|{control_id}\r\x1c\r".encode()


async def test_a_report_is_framed_and_its_acknowledgement_read() -> None:
    heard: list[bytes] = []

    def answer(message: bytes) -> bytes:
        heard.append(message)
        return acknowledge("AA", REPORT.control_id)

    async with a_receiver(answer) as port:
        await send(REPORT, "127.0.0.1", port)

    assert heard == [b"\x0b" + REPORT.text.encode() + b"\x1c\r"]


@pytest.mark.parametrize(
    "answer",
    [
        acknowledge("AE", REPORT.control_id),
        acknowledge("AR", REPORT.control_id),
        acknowledge("AA", "another message"),
        b"\x0bMSH|^~\\&|no acknowledgement\r\x1c\r",
        b"",
    ],
    ids=["error", "refusal", "of another message", "without MSA", "none"],
)
async def test_no_other_answer_is_an_acknowledgement(answer: bytes) -> None:
    async with a_receiver(lambda _: answer) as port:
        with pytest.raises(NotAcknowledged):
            await send(REPORT, "127.0.0.1", port)


async def test_a_receiver_that_says_nothing_is_left(unheard: Callable[[], Awaitable[int]]) -> None:
    port = await unheard()

    with pytest.raises(NotAcknowledged):
        await send(REPORT, "127.0.0.1", port, within_s=0.1)


@pytest.fixture
async def unheard() -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Opens a port on which connections are made and never answered."""
    servers: list[asyncio.Server] = []
    over = asyncio.Event()

    async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async def listen() -> int:
        servers.append(await asyncio.start_server(keep_silent, "127.0.0.1", 0))
        return int(servers[0].sockets[0].getsockname()[1])

    yield listen
    over.set()
    for server in servers:
        server.close()
        await server.wait_closed()
