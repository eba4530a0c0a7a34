"""What the acceptor agrees to: transfer syntaxes, roles, identities, and which operation where."""

import struct

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from gateway.dimse.commands import NRequest
from gateway.dimse.negotiation import transfer_syntaxes
from gateway.dimse.statuses import Refused, Status
from tests.integration.dimse.conftest import Receiver
from tests.integration.dimse.raw_peer import (
    CT,
    EXPLICIT,
    associate_rq,
    command_pdu,
    connect,
    data_pdu,
    element,
    item,
    uid,
    us,
)

PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
COMMITMENT = "1.2.840.10008.1.20.1"
PRIVATE = "1.2.840.113619.5.2"
N_SET, N_ACTION, N_CREATE, N_GET = 0x0120, 0x0130, 0x0140, 0x0110
# Of files with another wrapping, and of a format that is no DICOM (PS3.6 Table A-1).
NOT_SENT = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"}


def test_instances_are_taken_in_every_transfer_syntax_of_the_standard() -> None:
    known = {name for name in UID_dictionary if UID(name).is_transfer_syntax}

    assert known - transfer_syntaxes(CT) == NOT_SENT


async def test_a_private_transfer_syntax_is_refused_and_another_of_its_context_taken(
    receiver: Receiver,
) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        answer = await peer.associate(
            associate_rq([(CT, (PRIVATE,)), (CT, (PRIVATE, EXPLICIT))])
        )  # fmt: skip

    assert item(0x21, bytes((1, 0, 4, 0)) + item(0x40, PRIVATE.encode())) in answer
    assert item(0x21, bytes((3, 0, 0, 0)) + item(0x40, EXPLICIT.encode())) in answer


def role(sop_class: str, scu: int, scp: int) -> bytes:
    return item(0x54, struct.pack(">H", len(sop_class)) + sop_class.encode() + bytes((scu, scp)))


@pytest.mark.parametrize(
    "asked, answered, result",
    [
        ((1, 0), (1, 0), 0),
        ((1, 1), (1, 0), 0),
        ((0, 1), None, 1),  # nothing is left for us but to refuse the context
    ],
)
async def test_a_role_that_is_proposed_is_answered(
    receiver: Receiver, asked: tuple[int, int], answered: tuple[int, int] | None, result: int
) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        answer = await peer.associate(associate_rq(extra_user=role(CT, *asked)))

    assert item(0x21, bytes((1, 0, result, 0)) + item(0x40, EXPLICIT.encode())) in answer
    if answered is None:
        assert b"\x54\0" not in answer
    else:
        assert role(CT, *answered) in answer


async def test_no_role_is_answered_that_was_not_proposed(receiver: Receiver) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        assert b"\x54\0" not in await peer.associate()


def identity(kind: int, first: bytes, second: bytes = b"", *, wants_answer: bool = True) -> bytes:
    fields = struct.pack(">H", len(first)) + first + struct.pack(">H", len(second)) + second
    return item(0x58, bytes((kind, wants_answer)) + fields)


@pytest.mark.parametrize(
    "asked",
    [
        identity(1, b"somebody"),
        identity(2, b"somebody", b"secret"),
        identity(3, b"a ticket of Kerberos"),
        identity(4, b"<an assertion/>"),
        identity(5, b"a.web.token"),
    ],
    ids=["name", "passcode", "Kerberos", "SAML", "JWT"],
)
async def test_an_identity_is_answered_and_gives_no_right(receiver: Receiver, asked: bytes) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        answer = await peer.associate(associate_rq(extra_user=asked))

    assert item(0x59, b"\0\0") in answer


async def test_an_identity_that_wants_no_answer_has_none(receiver: Receiver) -> None:
    port = await receiver.listen()
    asked = identity(1, b"somebody", wants_answer=False)

    async with connect(port) as peer:
        assert b"\x59\0" not in await peer.associate(associate_rq(extra_user=asked))


def request(field: int, sop_class: str, instance: str, *, data_set_type: int = 1) -> bytes:
    class_at, instance_at = (0x0002, 0x1000) if field == N_CREATE else (0x0003, 0x1001)
    body = element(class_at, uid(sop_class)) + element(0x0100, us(field))
    body += element(0x0110, us(7)) + element(0x0800, us(data_set_type))
    body += element(instance_at, uid(instance))
    return command_pdu(element(0x0000, struct.pack("<I", len(body))) + body)


@pytest.mark.parametrize(
    "sop_class, sent, status",
    [
        (PROCEDURE_STEP, request(N_ACTION, PROCEDURE_STEP, "1.2"), Status.UNRECOGNISED_OPERATION),
        (PROCEDURE_STEP, request(N_GET, PROCEDURE_STEP, "1.2"), Status.UNRECOGNISED_OPERATION),
        (COMMITMENT, request(N_CREATE, COMMITMENT, "1.2"), Status.UNRECOGNISED_OPERATION),
        (PROCEDURE_STEP, request(N_SET, COMMITMENT, "1.2"), Status.SOP_CLASS_NOT_SUPPORTED),
        (PROCEDURE_STEP, request(N_SET, PROCEDURE_STEP, "x"), Status.INVALID_SOP_INSTANCE),
        (PROCEDURE_STEP, request(N_SET, PROCEDURE_STEP, ""), Status.INVALID_SOP_INSTANCE),
    ],
)
async def test_an_operation_that_does_not_fit_is_refused(
    receiver: Receiver, sop_class: str, sent: bytes, status: int
) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.associate(associate_rq([(sop_class, (EXPLICIT,))]))
        await peer.send(sent + data_pdu(b""))

        assert await peer.read_status() == status


async def test_an_n_set_is_handed_on_with_the_instance_that_it_asks_for(receiver: Receiver) -> None:
    port = await receiver.listen()

    async with connect(port) as peer:
        await peer.associate(associate_rq([(PROCEDURE_STEP, (EXPLICIT,))]))
        await peer.send(request(N_SET, PROCEDURE_STEP, "1.2.3") + data_pdu(b""))

        assert await peer.read_status() == 0
    [set_] = receiver.set
    assert (set_.sop_class, set_.sop_instance) == (PROCEDURE_STEP, "1.2.3")


async def test_a_refusal_tells_its_status_its_error_and_why(receiver: Receiver) -> None:
    async def refuse(_request: NRequest) -> int:
        raise Refused("it has ended", Status.PROCESSING_FAILURE, error_id=0xA710)

    port = await receiver.listen(n_create=refuse)

    async with connect(port) as peer:
        await peer.associate(associate_rq([(PROCEDURE_STEP, (EXPLICIT,))]))
        await peer.send(request(N_CREATE, PROCEDURE_STEP, "1.2.3") + data_pdu(b""))
        _, answer = await peer.read_pdu()

    assert element(0x0900, us(0x0110)) in answer
    assert element(0x0902, b"it has ended") in answer
    assert element(0x0903, us(0xA710)) in answer
