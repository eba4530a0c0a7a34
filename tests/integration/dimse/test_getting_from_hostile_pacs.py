"""C-GET from a PACS that does what it likes."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.dimse.statuses import StoreStatus
from gateway.errors import PacsRefused, PacsUnavailable
from tests.integration.dimse.getting import GetterOf
from tests.integration.dimse.pacs import (
    CT,
    STUDY_ROOT_GET,
)
from tests.integration.dimse.raw_peer import (
    ABORT,
    EXPLICIT,
    MR,
    RELEASE_RQ,
    RawPeer,
    associate_ac,
    command_pdu,
    contexts_asked,
    data_pdu,
    element,
    pdu,
    store_rq,
    us,
)

GET = STUDY_ROOT_GET[0]


Script = Callable[[RawPeer, int, int], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[int]:
    """A PACS that accepts what it is asked, reads the request, and then does as the script says:
    it is given the contexts of C-GET and of CT."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = RawPeer(reader, writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readexactly(6)
            request = head + await reader.readexactly(struct.unpack(">BxI", head)[1])
            await peer.send(associate_ac(request))
            await peer.read_pdu()  # command
            await peer.read_pdu()  # identifier
            contexts = contexts_asked(request)
            [get] = (number for (name, _), (number, _) in contexts.items() if name == GET)
            await script(peer, get, contexts[CT, EXPLICIT][0])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def get_rsp(status: int, *, message_id: int = 1, counts: bytes = b"") -> bytes:
    body = element(0x0100, us(0x8010)) + element(0x0120, us(message_id))
    body += element(0x0800, us(0x0101)) + element(0x0900, us(status)) + counts
    return element(0, struct.pack("<I", len(body))) + body


async def waits(peer: RawPeer, _get: int, _ct: int) -> None:
    await peer.reader.read()


async def stops_amid_a_data_set(peer: RawPeer, _get: int, ct: int) -> None:
    await peer.send(command_pdu(store_rq(), context=ct))
    await peer.send(data_pdu(bytes(1000), context=ct, last=False))
    await peer.reader.read()


async def leaves_amid_a_data_set(peer: RawPeer, _get: int, ct: int) -> None:
    await peer.send(command_pdu(store_rq(), context=ct))
    await peer.send(data_pdu(bytes(1000), context=ct, last=False))


async def stops_amid_a_pdu(peer: RawPeer, _get: int, ct: int) -> None:
    await peer.send(command_pdu(store_rq(), context=ct) + struct.pack(">BxI", 4, 5000))
    await peer.reader.read()


async def aborts(peer: RawPeer, _get: int, _ct: int) -> None:
    await peer.send(pdu(ABORT, b"\0\0\2\0"))


async def releases(peer: RawPeer, _get: int, _ct: int) -> None:
    await peer.send(pdu(RELEASE_RQ, bytes(4)))


async def names_another_class(peer: RawPeer, _get: int, ct: int) -> None:
    await peer.send(command_pdu(store_rq(sop_class=MR), context=ct))
    await peer.send(data_pdu(bytes(100), context=ct))
    await peer.reader.read()


async def names_no_instance(peer: RawPeer, _get: int, ct: int) -> None:
    await peer.send(command_pdu(store_rq(sop_instance="../etc"), context=ct))
    await peer.reader.read()


async def stores_where_it_is_asked(peer: RawPeer, get: int, _ct: int) -> None:
    await peer.send(command_pdu(store_rq(sop_class=GET), context=get))
    await peer.reader.read()


async def stores_without_a_data_set(peer: RawPeer, _get: int, ct: int) -> None:
    await peer.send(command_pdu(store_rq(data_set_type=0x0101), context=ct))
    await peer.reader.read()


async def stores_in_no_context(peer: RawPeer, _get: int, _ct: int) -> None:
    await peer.send(command_pdu(store_rq(), context=255))
    await peer.reader.read()


async def answers_another_request(peer: RawPeer, get: int, _ct: int) -> None:
    await peer.send(command_pdu(get_rsp(0, message_id=99), context=get))
    await peer.reader.read()


async def answers_without_a_status(peer: RawPeer, get: int, _ct: int) -> None:
    body = element(0x0100, us(0x8010)) + element(0x0120, us(1)) + element(0x0800, us(0x0101))
    await peer.send(command_pdu(element(0, struct.pack("<I", len(body))) + body, context=get))
    await peer.reader.read()


async def sends_no_pdu(peer: RawPeer, _get: int, _ct: int) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    await peer.reader.read()


async def sends_without_end(peer: RawPeer, _get: int, ct: int) -> None:
    await peer.send(command_pdu(store_rq(), context=ct))
    while True:
        await peer.send(data_pdu(bytes(16_000), context=ct, last=False))


@pytest.mark.parametrize(
    "script",
    [
        waits, stops_amid_a_data_set, leaves_amid_a_data_set, stops_amid_a_pdu, aborts, releases,
        names_another_class, names_no_instance, stores_where_it_is_asked, stores_in_no_context,
        stores_without_a_data_set, answers_another_request, answers_without_a_status, sends_no_pdu,
        sends_without_end,
    ],
)  # fmt: skip
async def test_a_pacs_that_does_not_keep_to_the_protocol_is_unavailable(
    getter_of: GetterOf, script: Script
) -> None:
    async with scripted(script) as port:
        getter = getter_of(port)

        with pytest.raises(PacsUnavailable):
            await getter.get()

    assert getter.came == []
    assert getter.spooled == []


async def test_a_refusal_is_told_with_its_status(getter_of: GetterOf) -> None:
    async def refuses(peer: RawPeer, get: int, _ct: int) -> None:
        await peer.send(command_pdu(get_rsp(0xA701), context=get))
        await peer.reader.read()

    async with scripted(refuses) as port:
        with pytest.raises(PacsRefused, match="C-GET with status A701"):
            await getter_of(port).get()


async def test_an_instance_that_is_too_long_is_refused_and_the_rest_comes(
    getter_of: GetterOf,
) -> None:
    statuses = []

    async def sends_two(peer: RawPeer, get: int, ct: int) -> None:
        for size_bytes in (150_000, 1000):
            await peer.send(command_pdu(store_rq(), context=ct))
            for sent in range(0, size_bytes, 10_000):
                part = bytes(min(10_000, size_bytes - sent))
                is_last = sent + len(part) == size_bytes
                await peer.send(data_pdu(part, context=ct, last=is_last))
            statuses.append(await peer.read_status())
        counts = element(0x1021, us(1)) + element(0x1022, us(1))
        await peer.send(command_pdu(get_rsp(0xB000, counts=counts), context=get))
        await peer.reader.read()

    async with scripted(sends_two) as port:
        getter = getter_of(port)
        outcome = await getter.get()

    assert statuses == [StoreStatus.OUT_OF_RESOURCES, StoreStatus.SUCCESS]
    assert (len(getter.came), outcome.failed) == (1, 1)
