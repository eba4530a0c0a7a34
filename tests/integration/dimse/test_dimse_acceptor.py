"""The acceptor against pynetdicom as an honest requestor."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation

from gateway.dimse.commands import NRequest, Peer, StoreRequest
from gateway.dimse.limits import DimseLimits
from gateway.dimse.statuses import RejectReason
from gateway.errors import InvalidRequest, StorageUnavailable
from indexer.contract.identifiers import Uid
from simulators.imaging_centre.dimse import AS_REQUESTOR
from tests.integration.dimse.conftest import Receiver
from tests.integration.dimse.raw_peer import REJECT, associate_rq, connect

CT = UID("1.2.840.10008.5.1.4.1.1.2")
VERIFICATION = UID("1.2.840.10008.1.1")
NOTIFICATION = UID("1.2.840.10008.5.1.4.33")
RETIRED_JPEG = UID("1.2.840.10008.1.2.4.55")


def an_instance(syntax: UID = ExplicitVRLittleEndian, *, number: int = 1) -> Dataset:
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = syntax
    instance.SOPClassUID = CT
    instance.SOPInstanceUID = f"1.2.3.4.{number}"
    instance.StudyInstanceUID = "1.2.3"
    instance.SeriesInstanceUID = "1.2.3.4"
    instance.PatientID = "P1"
    pixels = bytes(range(256)) * 512
    instance.PixelData = encapsulate([pixels]) if syntax.is_compressed else pixels
    instance["PixelData"].VR = "OB" if syntax.is_compressed else "OW"
    return instance


@contextmanager
def associated(port: int, *contexts: tuple[UID, list[UID]], **more) -> Iterator[Association]:
    ae = AE("MODALITY")
    for abstract_syntax, syntaxes in contexts:
        ae.add_requested_context(abstract_syntax, syntaxes)
    association = ae.associate(
        "127.0.0.1", port, ae_title="DRIMBOX", evt_handlers=AS_REQUESTOR, **more
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def store_one(port: int, syntax: UID = ExplicitVRLittleEndian) -> int:
    with associated(port, (CT, [syntax])) as association:
        return int(association.send_c_store(an_instance(syntax)).Status)


async def as_requestor(work: Callable[[], object]) -> object:
    """pynetdicom blocks; the acceptor runs on this loop."""
    return await asyncio.to_thread(work)


async def test_an_echo_is_answered(receiver: Receiver) -> None:
    port = await receiver.listen()

    def echo() -> int:
        with associated(port, (VERIFICATION, [ImplicitVRLittleEndian])) as association:
            return int(association.send_c_echo().Status)

    assert await as_requestor(echo) == 0


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLosslessSV1,
        JPEG2000,
        HTJ2KLossless,
        RLELossless,
        RETIRED_JPEG,
    ],
)
async def test_an_instance_arrives_as_a_file_of_its_own_syntax(
    receiver: Receiver, syntax: UID
) -> None:
    port = await receiver.listen()

    status = await asyncio.to_thread(store_one, port, syntax)

    [request] = receiver.stored
    arrived = dcmread(BytesIO(receiver.files[0]))
    assert status == 0
    assert str(arrived.file_meta.TransferSyntaxUID) == request.transfer_syntax == str(syntax)
    assert str(arrived.file_meta.MediaStorageSOPInstanceUID) == request.sop_instance == "1.2.3.4.1"
    assert str(arrived.file_meta.MediaStorageSOPClassUID) == request.sop_class == str(CT)
    assert arrived == an_instance(syntax)
    assert request.digest_sha256 == receiver.digest()
    assert request.peer == Peer(calling_ae="MODALITY", called_ae="DRIMBOX", address="127.0.0.1")
    assert receiver.spooled() == []


async def test_instances_follow_each_other_on_one_association(receiver: Receiver) -> None:
    port = await receiver.listen()

    def store() -> list[int]:
        with associated(port, (CT, [ExplicitVRLittleEndian])) as association:
            return [association.send_c_store(an_instance(number=n)).Status for n in range(1, 6)]

    statuses = await as_requestor(store)

    assert statuses == [0] * 5
    assert [request.sop_instance for request in receiver.stored] == [
        f"1.2.3.4.{n}" for n in range(1, 6)
    ]


async def test_the_originator_of_a_move_is_told(receiver: Receiver) -> None:
    port = await receiver.listen()

    def store() -> None:
        with associated(port, (CT, [ExplicitVRLittleEndian])) as association:
            association.send_c_store(an_instance(), originator_aet="DRIMBOX", originator_id=65535)

    await as_requestor(store)

    [request] = receiver.stored
    assert (request.originator_ae, request.originator_message_id) == ("DRIMBOX", 65535)


async def test_the_senders_first_known_transfer_syntax_is_taken(receiver: Receiver) -> None:
    port = await receiver.listen()
    private = UID("1.2.3.4.5.6")

    def negotiate() -> list[str]:
        offered = [private, JPEG2000, ImplicitVRLittleEndian]
        with associated(port, (CT, offered)) as association:
            return [str(context.transfer_syntax[0]) for context in association.accepted_contexts]

    assert await as_requestor(negotiate) == [JPEG2000]


async def test_a_class_that_is_not_offered_is_refused_in_its_context(receiver: Receiver) -> None:
    port = await receiver.listen()
    private = UID("1.2.3.4.5.6")

    def negotiate() -> dict[str, int | None]:
        contexts = (
            (CT, [ExplicitVRLittleEndian]),
            (UID("1.2.840.10008.5.1.4.1.2.2.1"), [ExplicitVRLittleEndian]),  # Study Root FIND
            (VERIFICATION, [private]),
        )
        with associated(port, *contexts) as association:
            both = association.accepted_contexts + association.rejected_contexts
            return {str(context.abstract_syntax): context.result for context in both}

    assert await as_requestor(negotiate) == {
        CT: 0,
        "1.2.840.10008.5.1.4.1.2.2.1": 3,
        VERIFICATION: 4,
    }


async def test_operations_are_one_at_a_time_whatever_is_asked(receiver: Receiver) -> None:
    port = await receiver.listen()
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 8
    window.maximum_number_operations_performed = 8

    def negotiate() -> tuple[int, int]:
        contexts = (VERIFICATION, [ImplicitVRLittleEndian])
        with associated(port, contexts, ext_neg=[window]) as association:
            return association.acceptor.asynchronous_operations

    assert await as_requestor(negotiate) == (1, 1)


@pytest.mark.parametrize("instance", ["1.2.3.9", None])
async def test_a_notification_is_handed_on(receiver: Receiver, instance: str | None) -> None:
    port = await receiver.listen()
    notification = Dataset()
    notification.StudyInstanceUID = "1.2.3"
    notification.ReferencedPerformedProcedureStepSequence = []

    def notify() -> Dataset:
        with associated(port, (NOTIFICATION, [ExplicitVRLittleEndian])) as association:
            status, _ = association.send_n_create(notification, NOTIFICATION, instance)
            return status

    status = await as_requestor(notify)

    [request] = receiver.created
    assert isinstance(status, Dataset)
    assert status.Status == 0
    assert request.data_set() == notification
    assert request.sop_class == str(NOTIFICATION)
    assert request.sop_instance == (instance or request.sop_instance)  # allotted where absent


def test_a_broken_notification_is_an_invalid_request() -> None:
    request = NRequest(
        peer=Peer(calling_ae="A", called_ae="B", address="127.0.0.1"),
        sop_class=Uid(NOTIFICATION),
        sop_instance=Uid("1.2.3"),
        transfer_syntax=Uid(ExplicitVRLittleEndian),
        encoded=b"\x08\x00\x11\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0",
    )

    with pytest.raises(InvalidRequest):
        request.data_set()


@pytest.mark.parametrize(
    "reason", [RejectReason.CALLING_AE_NOT_RECOGNISED, RejectReason.CALLED_AE_NOT_RECOGNISED]
)
async def test_a_peer_that_may_not_associate_is_told_why(
    receiver: Receiver, reason: RejectReason
) -> None:
    port = await receiver.listen(admits=lambda _peer: reason)

    async with connect(port) as peer:
        await peer.send(associate_rq())
        kind, payload = await peer.read_pdu()

    assert (kind, tuple(payload[1:])) == (REJECT, reason.value)


@pytest.mark.parametrize(
    "error, status, comment",
    [
        (InvalidRequest("no Study Instance UID"), 0xA900, "no Study Instance UID"),
        (StorageUnavailable("the disk is full"), 0xA700, "the disk is full"),
        (TimeoutError(), 0xA700, None),
        (ZeroDivisionError("Dupont^Jean"), 0xC000, None),
    ],
)
async def test_what_a_handler_raises_becomes_a_status(
    receiver: Receiver, error: Exception, status: int, comment: str | None
) -> None:
    async def fail(_request: StoreRequest) -> int:
        raise error

    port = await receiver.listen(store=fail)

    def store() -> tuple[Dataset, int]:
        contexts = ((CT, [ExplicitVRLittleEndian]), (VERIFICATION, [ImplicitVRLittleEndian]))
        with associated(port, *contexts) as association:
            return association.send_c_store(an_instance()), association.send_c_echo().Status

    outcome = await as_requestor(store)

    assert isinstance(outcome, tuple)
    assert outcome[0].Status == status
    assert outcome[0].get("ErrorComment") == comment
    assert outcome[1] == 0  # the association goes on
    assert receiver.spooled() == []


async def test_a_handler_that_is_too_slow_is_answered_for(receiver: Receiver) -> None:
    async def wait(_request: StoreRequest) -> int:
        return await asyncio.Future()

    port = await receiver.listen(store=wait, limits=DimseLimits(handler_s=0.05))

    assert await asyncio.to_thread(store_one, port) == 0xA700


async def test_a_handler_keeps_a_file_by_moving_it(receiver: Receiver, tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    async def keep(request: StoreRequest) -> int:
        await request.file.finish()
        request.spooled.rename(kept)
        return 0

    port = await receiver.listen(store=keep)

    assert await asyncio.to_thread(store_one, port) == 0
    assert dcmread(kept).SOPInstanceUID == "1.2.3.4.1"


async def test_a_name_that_is_taken_is_not_written_over(receiver: Receiver, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_bytes(b"of somebody else")
    receiver.spool = lambda: taken  # type: ignore[method-assign]
    port = await receiver.listen()

    assert await asyncio.to_thread(store_one, port) == 0xA700
    assert taken.read_bytes() == b"of somebody else"


async def test_closing_lets_a_message_end(receiver: Receiver) -> None:
    is_here, may_go = asyncio.Event(), asyncio.Event()

    async def wait(_request: StoreRequest) -> int:
        is_here.set()
        await may_go.wait()
        return 0

    port = await receiver.listen(store=wait)

    def store() -> tuple[int, bool]:
        with associated(port, (CT, [ExplicitVRLittleEndian])) as association:
            status = association.send_c_store(an_instance()).Status
            association.join(timeout=10)
            return status, association.is_aborted

    storing = asyncio.create_task(asyncio.to_thread(store))
    await is_here.wait()
    closing = asyncio.create_task(receiver.servers[0].close(grace_s=10))
    may_go.set()

    assert await storing == (0, True)
    await closing


async def test_closing_ends_what_outlasts_its_grace(receiver: Receiver) -> None:
    is_here = asyncio.Event()

    async def wait(_request: StoreRequest) -> int:
        is_here.set()
        return await asyncio.Future()

    port = await receiver.listen(store=wait)

    def store() -> bool:
        with associated(port, (CT, [ExplicitVRLittleEndian])) as association:
            return "Status" in association.send_c_store(an_instance())

    storing = asyncio.create_task(asyncio.to_thread(store))
    await is_here.wait()
    await receiver.servers[0].close(grace_s=0.05)

    assert await storing is False
    assert receiver.spooled() == []
