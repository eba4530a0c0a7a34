"""What one peer sends badly, or leaves unsent, does not keep another's study from travelling."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from simulators.imaging_centre.dimse import Unanswered
from simulators.imaging_centre.ris import build_message
from tests.scenarios.proxy import Way, open_proxy
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.world import World

NOISE = random.Random(5).randbytes(20_000)
ASSOCIATE_RQ, P_DATA = 1, 4  # PDU types, PS3.8 §9.3.1


def pdu(kind: int, length: int, content: bytes = b"") -> bytes:
    return struct.pack(">BxI", kind, length) + content


DICOM = {
    "noise": NOISE,
    "nothing": b"",
    "half a request": pdu(ASSOCIATE_RQ, 400, b"\x00\x01" + bytes(90)),
    "a request of 4 GiB": pdu(ASSOCIATE_RQ, 2**32 - 1, NOISE),
    "a request of zeros": pdu(ASSOCIATE_RQ, 300, bytes(300)),
    "data before a request": pdu(P_DATA, 100, bytes(100)),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}
MLLP = {
    "noise": NOISE,
    "nothing": b"",
    "no start": b"MSH|^~\\&|A|B\r\x1c\r",
    "no end": b"\x0bMSH|^~\\&|A|B\r" + b"OBX|1|TX|||x\r" * 1000,
    "an empty frame": b"\x0b\x1c\r" * 100,
    "no message": b"\x0b" + NOISE.replace(b"\x1c", b"") + b"\x1c\r",
}
HTTP = {
    "noise": NOISE,
    "nothing": b"",
    "half a request": b"GET /api/studies HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 5000,
    "half a body": b"POST /api/pointers/search HTTP/1.1\r\nHost: x\r\n"
    b'Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"ins": "1',
    "a body of two lengths": b"POST /api/pointers/search HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    "a broken chunk": b"POST /api/pointers/search HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bad JSON": b"POST /api/pointers/search HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 3\r\n\r\n\xff{]",
    "a bad address": b"GET /dicom-web/studies/%00%ff/../x HTTP/1.1\r\nHost: x\r\n\r\n",
}


@asynccontextmanager
async def said(port: int, bytes_sent: bytes) -> AsyncIterator[None]:
    """Somebody who says this, and stays on the line."""
    _, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(bytes_sent)
        with suppress(OSError):
            await writer.drain()
        yield
    finally:
        writer.transport.abort()


async def test_a_study_travels_among_peers_who_talk_nonsense(world: World) -> None:
    study = world.a_study("CT")
    http = int(world.url.rpartition(":")[2])
    ports = [(world.dicom_port, DICOM), (world.mllp_port, MLLP), (http, HTTP)]

    async with AsyncExitStack() as neighbours:
        for port, sayings in ports:
            for saying in sayings.values():
                await neighbours.enter_async_context(said(port, saying))
        await world.push(study)
        await world.report(study)
        await world.published(study)
        fetched = await world.fetch(study)
    # Now that they have hung up, whatever they had begun is over too.
    later = world.a_study("CT")
    await world.archive(later)
    await world.report(later)
    await world.published(later)

    assert fetched == study.digests
    assert await world.fetch(later) == later.digests


async def test_a_study_travels_while_others_break_off(world: World) -> None:
    study, broken = world.a_study("MR"), world.a_study("MG")
    port = free_port()
    chunks = iter([False, False, True])

    async with open_proxy(port, world.dicom_port) as line:
        halfway = line.hold(Way.REQUEST, lambda _: next(chunks, True))
        breaking = asyncio.create_task(world.push(broken, port=port))
        await halfway.begun()
        message = build_message(broken.examination, sent_at=broken.examination.started_at)
        half = b"\x0b" + message.text.encode()[:3000]
        async with said(world.mllp_port, half):
            await world.push(study)
            await world.report(study)
            await world.published(study)
        await line.drop()
        with pytest.raises(Unanswered):
            await breaking

    assert await world.fetch(study) == study.digests
    assert await world.standing(broken) == {}
    assert await world.entries(broken.examination.patient) == []


async def test_many_who_connect_and_say_nothing_leave_room_for_a_study(world: World) -> None:
    study = world.a_study("CR")

    async with AsyncExitStack() as neighbours:
        for port in (world.dicom_port, world.mllp_port):
            for _ in range(50):  # of 64 places
                await neighbours.enter_async_context(said(port, b""))
        await world.push(study)
        await world.report(study)
        await world.published(study)

    assert await world.fetch(study) == study.digests
