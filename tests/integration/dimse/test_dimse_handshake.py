"""The acceptor before an association is established: who is let in, and who keeps it waiting."""

import asyncio
import struct
from contextlib import AsyncExitStack

import pytest

from gateway.dimse.limits import CONTEXTS_MAX, DimseLimits
from gateway.dimse.statuses import RejectReason
from tests.integration.dimse.conftest import Receiver
from tests.integration.dimse.raw_peer import (
    ABORT,
    CT,
    DATA,
    EXPLICIT,
    REJECT,
    RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    RawPeer,
    associate_rq,
    connect,
    fragment,
    item,
    pdu,
)

BY_USER = b"\0\0\0\0"


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">BxI", 1, 0xFFFFFFFF),
        struct.pack(">BxI", 99, 4),
        pdu(DATA, fragment(b"\0\0", control=3)),
        pdu(RELEASE_RQ, bytes(4)),
        pdu(1, bytes(10)),
        pdu(1, bytes(68)),
        associate_rq(calling=" "),
        associate_rq(calling="é" * 4),
        associate_rq(contexts=()),
        associate_rq(contexts=((CT, ()),)),
        associate_rq(contexts=(("", (EXPLICIT,)),)),
        associate_rq(contexts=[(VERIFICATION, (EXPLICIT,))] * (CONTEXTS_MAX + 1)),
        associate_rq(contexts=((CT, (EXPLICIT,) * 100),)),
        associate_rq(extra=b"\x50\0\xff\xff"),
        associate_rq(extra_user=item(0x58, b"\1")),
    ],
    ids=[
        "4 GiB announced",
        "no such type",
        "data first",
        "release first",
        "cut request",
        "no titles",
        "calling title empty",
        "calling title not ASCII",
        "no context",
        "no transfer syntax",
        "no abstract syntax",
        "too many contexts",
        "too many transfer syntaxes",
        "cut item",
        "cut user identity",
    ],
)
async def test_what_is_no_association_request_is_aborted(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.send(sent)
        answer = await peer.read_pdu()

    assert answer == (ABORT, BY_USER)
    assert [one.message for one in caplog.records] == ["association_aborted"]  # no bug of ours


@pytest.mark.parametrize(
    "sent, reason",
    [
        (associate_rq(version=2), RejectReason.PROTOCOL_VERSION_NOT_SUPPORTED),
        (
            associate_rq(application_context="1.2.3"),
            RejectReason.APPLICATION_CONTEXT_NOT_SUPPORTED,
        ),
    ],
)
async def test_a_request_that_cannot_be_agreed_to_is_rejected(
    receiver: Receiver, sent: bytes, reason: RejectReason
) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.send(sent)
        kind, payload = await peer.read_pdu()

    assert (kind, tuple(payload[1:])) == (REJECT, reason.value)


async def test_items_of_an_unknown_type_are_ignored(receiver: Receiver) -> None:
    port = await receiver.listen()
    request = associate_rq(extra=item(0x77, b"?"), extra_user=item(0x99, b"??"))

    async with connect(port) as peer:
        answer = await peer.associate(request)

    assert item(0x40, EXPLICIT.encode()) in answer


async def test_a_user_identity_that_wants_an_answer_is_answered(receiver: Receiver) -> None:
    port = await receiver.listen()
    identity = item(0x58, b"\1\1" + struct.pack(">H", 4) + b"user" + struct.pack(">H", 0))

    async with connect(port) as peer:
        answer = await peer.associate(associate_rq(extra_user=identity))

    assert item(0x59, b"\0\0") in answer


@pytest.mark.parametrize("sent", [b"", associate_rq()[:40]], ids=["silent", "slow"])
async def test_a_handshake_that_does_not_end_is_closed(receiver: Receiver, sent: bytes) -> None:
    port = await receiver.listen(limits=DimseLimits(handshake_s=0.1))

    async with connect(port) as peer:
        await peer.send(sent)

        assert await peer.is_closed()


async def test_a_handshake_is_not_kept_alive_by_single_bytes(receiver: Receiver) -> None:
    port = await receiver.listen(limits=DimseLimits(handshake_s=0.2))

    async def drip(peer: RawPeer) -> None:
        for number in range(40):
            await peer.send(associate_rq()[number : number + 1])
            await asyncio.sleep(0.02)

    async with connect(port) as peer, asyncio.TaskGroup() as tasks:
        dripping = tasks.create_task(drip(peer))

        assert await peer.is_closed()
        assert not dripping.done()
        dripping.cancel()


async def test_one_association_too_many_is_refused_before_it_is_read(receiver: Receiver) -> None:
    port = await receiver.listen(limits=DimseLimits(associations_max=2))

    async with AsyncExitStack() as open_peers:
        for _ in range(2):
            await (await open_peers.enter_async_context(connect(port))).associate()
        third = await open_peers.enter_async_context(connect(port))
        kind, payload = await third.read_pdu()

    assert (kind, tuple(payload[1:])) == (REJECT, RejectReason.LOCAL_LIMIT_EXCEEDED.value)


async def test_silent_connections_give_their_places_to_who_has_something_to_say(
    receiver: Receiver,
) -> None:
    port = await receiver.listen(limits=DimseLimits(associations_max=2, handshake_room_s=0))

    async with connect(port) as established:
        await established.associate()
        async with connect(port) as silent, connect(port) as third:
            await third.associate()
            ended = await silent.read_pdu()
        await established.send(pdu(RELEASE_RQ, bytes(4)))

        assert ended == (ABORT, BY_USER)
        assert await established.read_pdu() == (RELEASE_RP, bytes(4))


async def test_a_handshake_that_is_under_way_keeps_its_place(receiver: Receiver) -> None:
    port = await receiver.listen(limits=DimseLimits(associations_max=1))

    async with connect(port) as first, connect(port) as second:
        kind, payload = await second.read_pdu()
        await first.associate()

    assert (kind, tuple(payload[1:])) == (REJECT, RejectReason.LOCAL_LIMIT_EXCEEDED.value)
