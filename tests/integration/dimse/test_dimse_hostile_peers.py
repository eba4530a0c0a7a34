"""The acceptor against peers that break the protocol, by malice or by mistake."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from gateway.dimse.commands import NRequest
from gateway.dimse.limits import FRAGMENTS_MAX, DimseLimits
from gateway.dimse.negotiation import INSTANCE_AVAILABILITY
from tests.integration.dimse.conftest import Receiver
from tests.integration.dimse.raw_peer import (
    ABORT,
    DATA,
    EXPLICIT,
    MR,
    RELEASE_RP,
    RELEASE_RQ,
    associate_rq,
    command_pdu,
    connect,
    data_pdu,
    element,
    fragment,
    pdu,
    store_rq,
    us,
)

BY_USER = b"\0\0\0\0"
UNRECOGNISED = b"\0\0\2\1"
UNEXPECTED = b"\0\0\2\2"
INVALID = b"\0\0\2\6"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a folder tells nobody of its changes
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "limits",
    [DimseLimits(idle_s=0.1), DimseLimits(pdu_s=0.1), DimseLimits(message_s=0.1)],
    ids=["idle", "pdu", "message"],
)
async def test_an_association_that_goes_silent_is_aborted(
    receiver: Receiver, limits: DimseLimits
) -> None:
    port = await receiver.listen(limits=limits)

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(command_pdu(store_rq()) + data_pdu(bytes(100), last=False))
        await peer.send(data_pdu(bytes(100))[:50])
        answer = await peer.read_pdu()

    assert answer == (ABORT, BY_USER)
    await until(lambda: receiver.spooled() == [])


async def test_an_association_that_ended_makes_room(receiver: Receiver) -> None:
    port = await receiver.listen(limits=DimseLimits(associations_max=1))

    for _ in range(3):
        async with connect(port) as peer:
            await peer.associate()
            await peer.send(pdu(RELEASE_RQ, bytes(4)))
            assert await peer.read_pdu() == (RELEASE_RP, bytes(4))
        await until(lambda: not receiver.servers[0]._providers)


TINY = fragment(b"", control=0)


@pytest.mark.parametrize(
    "sent, reason",
    [
        (struct.pack(">BxI", DATA, 0xFFFFFFFF), INVALID),
        (struct.pack(">BxI", 99, 4), UNRECOGNISED),
        (associate_rq(), UNEXPECTED),
        (pdu(RELEASE_RP, bytes(4)), UNEXPECTED),
        (pdu(DATA, b""), INVALID),
        (pdu(DATA, b"\0\0\0"), INVALID),
        (pdu(DATA, struct.pack(">I", 0)), INVALID),
        (pdu(DATA, struct.pack(">IBB", 1, 1, 3)), INVALID),
        (pdu(DATA, struct.pack(">IBB", 100, 1, 3)), INVALID),
        (command_pdu(store_rq(), context=3), INVALID),
        (command_pdu(store_rq()) + data_pdu(b"\0\0", context=3), INVALID),
        (command_pdu(store_rq()) + pdu(DATA, TINY * (FRAGMENTS_MAX + 1)), INVALID),
        (data_pdu(b"\0\0"), BY_USER),
        (command_pdu(store_rq()) + command_pdu(store_rq()), BY_USER),
        (pdu(DATA, fragment(b"\0\0", control=1)) + data_pdu(b"\0\0"), BY_USER),
        (command_pdu(bytes(20_000)), BY_USER),
        (command_pdu(b"\0\0\0"), BY_USER),
        (command_pdu(struct.pack("<HHI", 0, 0x0100, 100)), BY_USER),
        (command_pdu(struct.pack("<HHI", 8, 0x0018, 0)), BY_USER),
        (command_pdu(element(0x0100, us(1)) + element(0x0800, us(1))), BY_USER),
        (command_pdu(element(0x0110, us(1)) + element(0x0800, us(1))), BY_USER),
        (command_pdu(store_rq(field=0x8001)), BY_USER),
    ],
    ids=[
        "4 GiB announced",
        "no such type",
        "associated twice",
        "release answered unasked",
        "no fragment",
        "cut fragment header",
        "fragment of length 0",
        "fragment without control",
        "fragment longer than its PDU",
        "command in an unknown context",
        "data in an unknown context",
        "too many fragments",
        "data without a command",
        "command where data is due",
        "data within a command",
        "oversize command",
        "cut element",
        "element longer than its command",
        "element of another group",
        "no message id",
        "no command field",
        "an answer to nothing",
    ],
)
async def test_a_breach_of_the_protocol_is_aborted(
    receiver: Receiver, sent: bytes, reason: bytes
) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(sent)
        answer = await peer.read_pdu()

    assert answer == (ABORT, reason)
    assert receiver.stored == []
    await until(lambda: receiver.spooled() == [])


@pytest.mark.parametrize(
    "command, status",
    [
        (store_rq(sop_class=MR), 0x0122),
        (store_rq(sop_class=""), 0x0122),
        (store_rq(sop_instance="Dupont^Jean"), 0x0117),
        (store_rq(sop_instance=""), 0x0117),
        (store_rq(sop_instance="1." * 40), 0x0117),
        (store_rq(field=0x0020), 0x0211),  # C-FIND
        (store_rq(field=0x0140), 0x0211),  # N-CREATE of a storage class
        (store_rq(field=0x4242), 0x0211),
    ],
)
async def test_a_request_that_cannot_be_served_is_answered(
    receiver: Receiver, command: bytes, status: int
) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(command_pdu(command) + data_pdu(b"\0\0", last=False) + data_pdu(b"\0\0"))
        refused = await peer.read_status()
        await peer.send(command_pdu(store_rq()) + data_pdu(b"\0\0"))
        served = await peer.read_status()

    assert (refused, served) == (status, 0)
    assert len(receiver.stored) == 1


async def test_a_store_without_a_data_set_is_answered(receiver: Receiver) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(command_pdu(store_rq(data_set_type=0x0101)))

        assert await peer.read_status() == 0x0212


async def test_a_command_and_its_data_may_share_a_pdu(receiver: Receiver) -> None:
    port = await receiver.listen()
    command, data = store_rq(), bytes(range(100))

    async with connect(port) as peer:
        await peer.associate()
        both = fragment(command[:50], control=1) + fragment(command[50:], control=3)
        await peer.send(pdu(DATA, both + fragment(data[:10], control=0) + TINY))
        await peer.send(pdu(DATA, fragment(data[10:], control=2)))

        assert await peer.read_status() == 0
    assert receiver.files[0].endswith(data)


async def test_a_data_set_that_is_too_long_is_refused_when_it_is_over(receiver: Receiver) -> None:
    port = await receiver.listen(limits=DimseLimits(message_bytes_max=1000))

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(command_pdu(store_rq()) + data_pdu(bytes(900), last=False))
        await peer.send(data_pdu(bytes(900)))
        refused = await peer.read_status()
        await peer.send(command_pdu(store_rq()) + data_pdu(bytes(900)))

        assert (refused, await peer.read_status()) == (0xA700, 0)
    await until(lambda: receiver.spooled() == [])


async def test_a_data_set_that_does_not_end_is_aborted(receiver: Receiver) -> None:
    limits = DimseLimits(message_bytes_max=1000, drained_bytes_max=1000)
    port = await receiver.listen(limits=limits)

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(command_pdu(store_rq()) + data_pdu(bytes(900), last=False) * 4)

        assert await peer.read_pdu() == (ABORT, BY_USER)
    await until(lambda: receiver.spooled() == [])


async def test_a_peer_that_leaves_amid_a_data_set_leaves_no_file(receiver: Receiver) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(command_pdu(store_rq()) + data_pdu(bytes(200_000), last=False) * 8)
        await until(lambda: receiver.spooled() != [])

    await until(lambda: receiver.spooled() == [])
    assert receiver.stored == []


async def test_an_abort_of_the_peer_is_not_answered(receiver: Receiver) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(pdu(ABORT, bytes(4)))

        assert await peer.is_closed()


async def test_a_peer_that_does_not_close_is_closed(receiver: Receiver) -> None:
    port = await receiver.listen(limits=DimseLimits(artim_s=0.1))

    async with connect(port) as peer:
        await peer.associate()
        await peer.send(pdu(RELEASE_RQ, bytes(4)))
        await peer.read_pdu()

        assert await peer.is_closed()


async def test_long_notifications_are_taken_apart_one_at_a_time_and_keep_no_short_one_waiting(
    receiver: Receiver,
) -> None:
    long, ends = 1000, asyncio.Event()
    under_way = 0

    async def take(request: NRequest) -> int:
        nonlocal under_way
        if len(request.encoded) >= long:
            under_way += 1
            await ends.wait()
        return 0

    port = await receiver.listen(
        n_create=take, limits=DimseLimits(notification_bytes_short=long - 1)
    )
    async with connect(port) as first, connect(port) as second, connect(port) as other:
        for peer, size_bytes in ((first, long), (second, long), (other, 10)):
            await peer.associate(associate_rq([(INSTANCE_AVAILABILITY, (EXPLICIT,))]))
            command = store_rq(sop_class=INSTANCE_AVAILABILITY, field=0x0140)
            await peer.send(command_pdu(command) + data_pdu(bytes(size_bytes)))
        assert await other.read_status() == 0
        at_once = under_way
        ends.set()

        assert (await first.read_status(), await second.read_status()) == (0, 0)
    assert (at_once, under_way) == (1, 2)


async def test_misbehaviour_of_one_peer_does_not_disturb_another(receiver: Receiver) -> None:
    port = await receiver.listen(limits=DimseLimits(handshake_s=5, artim_s=0.5))
    attacks = [
        b"",
        associate_rq()[:30],
        b"\xff" * 5000,
        associate_rq() + b"\xff" * 5000,
        associate_rq() + command_pdu(store_rq()) + data_pdu(bytes(50_000), last=False),
        associate_rq() + struct.pack(">BxI", DATA, 0x7FFFFFFF),
    ]

    async with AsyncExitStack() as peers:
        honest = await peers.enter_async_context(connect(port))
        await honest.associate()
        await honest.send(command_pdu(store_rq()) + data_pdu(bytes(50_000), last=False))
        for attack in attacks:
            await (await peers.enter_async_context(connect(port))).send(attack)
        await honest.send(data_pdu(b"the end."))

        assert await honest.read_status() == 0
    assert receiver.files[0].endswith(bytes(50_000) + b"the end.")
