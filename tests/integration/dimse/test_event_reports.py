"""Results of N-ACTIONs, told to peers that answer, do something else, or leave."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom import Dataset

from gateway.dimse.commands import NRequest
from gateway.dimse.event_reports import WAITING_MAX, EventReport, Result, report_anew
from gateway.dimse.limits import DimseLimits
from gateway.dimse.requesting import Listener
from gateway.errors import Unavailable
from indexer.contract.identifiers import Uid
from tests.integration.dimse.conftest import Receiver
from tests.integration.dimse.raw_peer import (
    ABORT,
    DATA,
    EXPLICIT,
    RELEASE_RP,
    RELEASE_RQ,
    RawPeer,
    associate_rq,
    command_pdu,
    connect,
    data_pdu,
    element,
    item,
    pdu,
    uid,
    us,
)

COMMITMENT = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"
EVENT_REPORT_RQ, EVENT_REPORT_RSP = 0x0100, 0x8100


@dataclass
class Told:
    """A result that remembers what it was answered."""

    answers: asyncio.Queue[int | None] = field(default_factory=asyncio.Queue)
    fails: bool = False

    async def report(self) -> EventReport:
        if self.fails:
            raise ZeroDivisionError
        information = Dataset()
        information.TransactionUID = "1.2.3"
        return EventReport(
            sop_class=Uid(COMMITMENT),
            sop_instance=Uid(INSTANCE),
            event_type=1,
            information=information,
        )

    async def told(self, status: int | None) -> None:
        self.answers.put_nowait(status)

    async def answer(self) -> int | None:
        async with asyncio.timeout(10):
            return await self.answers.get()


def command(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return element(0x0000, struct.pack("<I", len(body))) + body


def action_rq() -> bytes:
    return command(
        element(0x0003, uid(COMMITMENT)),
        element(0x0100, us(0x0130)),
        element(0x0110, us(7)),
        element(0x0800, us(1)),
        element(0x1001, uid(INSTANCE)),
        element(0x1008, us(1)),
    )


def answer_rsp(message_id: int = 1, *, status: int = 0, data_set_type: int = 0x0101) -> bytes:
    return command(
        element(0x0100, us(EVENT_REPORT_RSP)),
        element(0x0120, us(message_id)),
        element(0x0800, us(data_set_type)),
        element(0x0900, us(status)),
    )


async def ask(peer: RawPeer) -> None:
    """Send an N-ACTION, and have its answer."""
    await peer.send(command_pdu(action_rq()) + data_pdu(b""))
    assert await peer.read_status() == 0


async def read_report(peer: RawPeer) -> bytes:
    """The command set of the N-EVENT-REPORT that comes next, with its data set read."""
    kind, payload = await peer.read_pdu()
    assert kind == DATA
    assert element(0x0100, us(EVENT_REPORT_RQ)) in payload
    kind, _data_set = await peer.read_pdu()
    assert kind == DATA
    return payload


@asynccontextmanager
async def asking(receiver: Receiver, *results: Told) -> AsyncIterator[RawPeer]:
    """A peer that has asked once for each result."""
    left = list(results)

    async def act(_request: NRequest) -> Result:
        return left.pop(0)

    port = await receiver.listen(n_action=act)
    async with connect(port) as peer:
        await peer.associate(associate_rq([(COMMITMENT, (EXPLICIT,))]))
        for _ in results:
            await ask(peer)
        yield peer


async def test_a_result_is_told_once_the_peer_is_quiet(receiver: Receiver) -> None:
    result = Told()

    async with asking(receiver, result) as peer:
        report = await read_report(peer)
        await peer.send(command_pdu(answer_rsp(status=0)))

        assert await result.answer() == 0
    assert element(0x1002, us(1)) in report
    assert element(0x1000, uid(INSTANCE)) in report


async def test_what_the_peer_answers_is_passed_on_with_its_reply_unread(receiver: Receiver) -> None:
    result = Told()

    async with asking(receiver, result) as peer:
        await read_report(peer)
        await peer.send(command_pdu(answer_rsp(status=0x0110, data_set_type=1)) + data_pdu(b"?"))

        assert await result.answer() == 0x0110


async def test_results_are_told_one_after_the_other(receiver: Receiver) -> None:
    first, second = Told(), Told()

    async with asking(receiver, first, second) as peer:
        await read_report(peer)
        await peer.send(command_pdu(answer_rsp(1)))
        await first.answer()
        await read_report(peer)
        await peer.send(command_pdu(answer_rsp(2)))

        assert await second.answer() == 0


async def test_requests_are_answered_while_a_result_is_not(receiver: Receiver) -> None:
    first, second = Told(), Told()
    left = [first, second]

    async def act(_request: NRequest) -> Result:
        return left.pop(0)

    port = await receiver.listen(n_action=act)
    async with connect(port) as peer:
        await peer.associate(associate_rq([(COMMITMENT, (EXPLICIT,))]))
        await ask(peer)
        await read_report(peer)
        await ask(peer)
        await peer.send(command_pdu(answer_rsp(1)))

        assert await first.answer() == 0
        await read_report(peer)


async def test_a_peer_that_leaves_is_to_be_told_anew(receiver: Receiver) -> None:
    under_way, waiting = Told(), Told()

    async with asking(receiver, under_way, waiting) as peer:
        await read_report(peer)
        await peer.send(pdu(RELEASE_RQ, bytes(4)))
        answer = await peer.read_pdu()

    assert answer == (RELEASE_RP, bytes(4))
    assert await under_way.answer() is None
    assert await waiting.answer() is None


async def test_a_peer_that_releases_at_once_is_told_nothing_here(receiver: Receiver) -> None:
    result = Told()

    async with asking(receiver, result) as peer:
        await peer.send(pdu(RELEASE_RQ, bytes(4)))

        assert await peer.read_pdu() == (RELEASE_RP, bytes(4))
    assert await result.answer() is None


async def test_a_result_that_cannot_be_made_ends_nothing(receiver: Receiver) -> None:
    result = Told(fails=True)

    async with asking(receiver, result) as peer:
        assert await result.answer() is None
        await peer.send(pdu(RELEASE_RQ, bytes(4)))

        assert await peer.read_pdu() == (RELEASE_RP, bytes(4))


@pytest.mark.parametrize("message_id", [2, 0])
async def test_an_answer_to_nothing_that_was_asked_is_an_abort(
    receiver: Receiver, message_id: int
) -> None:
    result = Told()

    async with asking(receiver, result) as peer:
        await read_report(peer)
        await peer.send(command_pdu(answer_rsp(message_id)))
        kind, _ = await peer.read_pdu()

    assert kind == ABORT
    assert await result.answer() is None


async def test_more_results_than_one_association_waits_for_are_told_anew(
    receiver: Receiver,
) -> None:
    results = [Told() for _ in range(WAITING_MAX + 2)]

    async with asking(receiver, *results) as peer:
        await read_report(peer)

    assert await results[0].answer() is None
    assert await results[WAITING_MAX - 1].answer() is None
    assert results[-1].answers.empty()


Script = Callable[[RawPeer], Coroutine[Any, Any, None]]


@asynccontextmanager
async def a_listener(script: Script) -> AsyncIterator[int]:
    """A peer that is connected to, and does as its script says; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await script(RawPeer(reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def associate_ac(*, result: int = 0, roles: bytes = b"") -> bytes:
    encoded = item(0x10, b"1.2.840.10008.3.1.1.1")
    encoded += item(0x21, bytes((1, 0, result, 0)) + item(0x40, EXPLICIT.encode()))
    encoded += item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3") + roles)
    return pdu(2, struct.pack(">HH16s16s32x", 1, 0, b"PEER", b"DRIMBOX") + encoded)


async def report_to(port: int) -> int:
    return await report_anew(
        Listener(host="127.0.0.1", port=port),
        await Told().report(),
        calling_ae="DRIMBOX",
        called_ae="PEER",
        limits=DimseLimits(handshake_s=0.5, idle_s=0.5, artim_s=0.5),
    )


async def test_a_new_association_asks_for_the_role_of_the_scp() -> None:
    asked: list[bytes] = []

    async def script(peer: RawPeer) -> None:
        asked.append((await peer.read_pdu())[1])
        role = uid_item(COMMITMENT) + b"\0\1"
        await peer.send(associate_ac(roles=item(0x54, role)))
        await read_report(peer)
        await peer.send(command_pdu(answer_rsp()))
        assert (await peer.read_pdu())[0] == RELEASE_RQ
        await peer.send(pdu(RELEASE_RP, bytes(4)))

    async with a_listener(script) as port:
        status = await report_to(port)

    assert status == 0
    assert item(0x54, uid_item(COMMITMENT) + b"\0\1") in asked[0]  # SCU 0, SCP 1


def uid_item(name: str) -> bytes:
    return struct.pack(">H", len(name)) + name.encode()


async def reject(peer: RawPeer) -> None:
    await peer.read_pdu()
    await peer.send(pdu(3, b"\0\1\1\3"))


async def take_another_service(peer: RawPeer) -> None:
    await peer.read_pdu()
    await peer.send(associate_ac(result=3))
    await peer.read_pdu()


async def say_nothing(peer: RawPeer) -> None:
    await peer.reader.read()


async def leave_after_the_report(peer: RawPeer) -> None:
    await peer.read_pdu()
    await peer.send(associate_ac())
    await read_report(peer)


async def never_answer_the_report(peer: RawPeer) -> None:
    await leave_after_the_report(peer)
    await peer.reader.read()


async def ask_in_turn(peer: RawPeer) -> None:
    await leave_after_the_report(peer)
    await peer.send(command_pdu(action_rq()))
    await peer.reader.read()


async def send_rubbish(peer: RawPeer) -> None:
    await peer.read_pdu()
    await peer.send(pdu(2, b"\0" * 40))
    await peer.reader.read()


@pytest.mark.parametrize(
    "script",
    [
        reject,
        take_another_service,
        say_nothing,
        leave_after_the_report,
        never_answer_the_report,
        ask_in_turn,
        send_rubbish,
    ],
)
async def test_a_peer_that_does_not_take_the_report_is_unavailable(script: Script) -> None:
    async with a_listener(script) as port:
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable):
                await report_to(port)


async def test_a_peer_that_is_not_there_is_unavailable() -> None:
    async with a_listener(say_nothing) as port:
        pass

    with pytest.raises(Unavailable, match="cannot be reached"):
        await report_to(port)
