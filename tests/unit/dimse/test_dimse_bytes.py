"""Bytes of the protocol, taken apart and put together: hostile ones and our own."""

import asyncio
import struct
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from socket import socketpair

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from gateway.dimse.commands import (
    DEPTH_MAX,
    ITEMS_MAX,
    Command,
    Element,
    NRequest,
    Peer,
    decode_command,
    encode_answer,
)
from gateway.dimse.connection import Connection
from gateway.dimse.limits import DimseLimits
from gateway.dimse.negotiation import Agreement, agree, negotiate
from gateway.dimse.pdus import (
    Fragment,
    PduKind,
    ProtocolError,
    decode_request,
    decode_titles,
    encode_fragments,
    fragments,
    split_header,
)
from gateway.dimse.spool import NoRoom, SpoolFile, file_header
from gateway.dimse.statuses import RejectReason
from gateway.dimse.upper_layer import AssociationEnded, UpperLayer
from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid
from tests.integration.dimse.raw_peer import CT, EXPLICIT, associate_rq, item, store_rq

REQUEST = associate_rq()[6:]

# Bytes near to a request get further into the decoder than bytes drawn at random.
near_requests = st.builds(
    lambda at, junk, cut: (REQUEST[:at] + junk + REQUEST[at + len(junk) :])[: len(REQUEST) - cut],
    st.integers(0, len(REQUEST)),
    st.binary(max_size=40),
    st.integers(0, 40),
)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom's, of what was drawn
@given(st.binary(max_size=300) | near_requests)
def test_an_association_request_is_read_or_refused(payload: bytes) -> None:
    try:
        decode_titles(payload)
        outcome = negotiate(*decode_request(payload), pdu_bytes_announced=16384)
    except ProtocolError:
        return

    assert isinstance(outcome, Agreement | RejectReason)


@given(st.binary(min_size=6, max_size=6), st.integers(0, 2**32 - 1))
def test_a_header_is_read_or_refused(header: bytes, bytes_max: int) -> None:
    try:
        kind, length = split_header(header, bytes_max=bytes_max)
    except ProtocolError:
        return

    assert kind in PduKind
    assert length <= bytes_max


@given(st.binary(max_size=300))
def test_fragments_are_read_or_refused(payload: bytes) -> None:
    try:
        data = [fragment.data for fragment in fragments(payload)]
    except ProtocolError:
        return

    assert sum(len(part) + 6 for part in data) == len(payload)


@given(st.binary(max_size=300) | st.builds(lambda cut: store_rq()[:cut], st.integers(0, 200)))
def test_a_command_is_read_or_refused(encoded: bytes) -> None:
    try:
        command = decode_command(encoded)
    except ProtocolError:
        return

    command.uid(Element.AFFECTED_SOP_INSTANCE)
    assert decode_command(encode_answer(command, 0)).number(Element.STATUS) == 0


@given(st.binary(max_size=2000))
def test_whatever_a_peer_sends_the_association_ends_in_order(sent: bytes) -> None:
    async def receive() -> None:
        ours, its = socketpair()
        with its:
            its.sendall(sent)
        ours.setblocking(False)
        connection = await Connection.of(
            ours, None, buffered_bytes=2**16, handshake_s=1, shutdown_s=1
        )
        layer = UpperLayer(connection, DimseLimits())
        try:
            await layer.read_request()
        finally:
            await layer.close()

    try:
        asyncio.run(receive())
    except (ProtocolError, AssociationEnded):
        return

    assert sent[0] == PduKind.ASSOCIATE_RQ


@given(st.binary(max_size=3000), st.integers(128, 1000) | st.just(0), st.booleans())
def test_what_is_cut_into_fragments_is_whole_again(
    data: bytes, pdu_bytes_max: int, is_command: bool
) -> None:
    encoded = encode_fragments(
        data, context_id=3, is_command=is_command, pdu_bytes_max=pdu_bytes_max
    )

    found: list[Fragment] = []
    while encoded:
        length = struct.unpack(">BxI", encoded[:6])[1]
        assert length <= (pdu_bytes_max or length)
        found += fragments(encoded[6 : 6 + length])
        encoded = encoded[6 + length :]
    assert b"".join(part.data for part in found) == data
    assert [part.is_last for part in found] == [False] * (len(found) - 1) + [True]
    assert {(part.context_id, part.is_command) for part in found} == {(3, is_command)}


def test_an_answer_repeats_what_was_asked() -> None:
    command = decode_command(store_rq())

    answer = decode_command(encode_answer(command, 0xA700, comment="é" * 100))

    assert answer.field == 0x8001
    assert answer.number(Element.MESSAGE_ID_RESPONDED_TO) == 7
    assert answer.uid(Element.AFFECTED_SOP_INSTANCE) == "1.2.3.4"
    assert answer.text(Element.ERROR_COMMENT) == "?" * 64
    assert not answer.has_data_set


@pytest.mark.parametrize("value", [b"", b"\0", b"1.2\xe9", b"1.2.x", b"9" * 65])
def test_an_element_that_is_no_uid_is_none(value: bytes) -> None:
    assert (
        Command({Element.AFFECTED_SOP_INSTANCE: value}).uid(Element.AFFECTED_SOP_INSTANCE) is None
    )


def test_a_peer_that_announces_no_room_is_given_some() -> None:
    request = associate_rq().replace(struct.pack(">I", 16384), struct.pack(">I", 7))

    agreement = negotiate(*decode_request(request[6:]), pdu_bytes_announced=16384)

    assert isinstance(agreement, Agreement)
    assert agreement.peer_pdu_bytes_max == 128


RETIRED = [
    uid
    for uid in map(UID, UID_dictionary)
    if uid.startswith("1.2.840.10008.5.1.4.1.1.") and uid.is_retired and uid.name
]


@pytest.mark.parametrize("sop_class", RETIRED, ids=lambda uid: uid.name)
def test_a_retired_storage_class_is_accepted_for_archives_hold_it(sop_class: UID) -> None:
    request = associate_rq(contexts=((sop_class, ("1.2.840.10008.1.2",)),))

    agreement = negotiate(*decode_request(request[6:]), pdu_bytes_announced=16384)

    assert isinstance(agreement, Agreement)
    assert [context.abstract_syntax for context in agreement.contexts.values()] == [sop_class]


def test_an_item_that_is_not_known_is_left_out() -> None:
    request = associate_rq(extra=item(0x99, b"?" * 9), extra_user=item(0x5A, b"??"))

    agreement = negotiate(*decode_request(request[6:]), pdu_bytes_announced=16384)

    assert isinstance(agreement, Agreement)
    assert list(agreement.contexts) == [1]


def test_a_file_header_is_that_of_a_part_10_file() -> None:
    header = file_header(
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        sop_instance="1.2.3",
        transfer_syntax="1.2.840.10008.1.2.1",
    )

    read = dcmread(BytesIO(header))

    assert read.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert read.file_meta.FileMetaInformationGroupLength == len(header) - 132 - 12
    assert len(read) == 0


@given(st.lists(st.binary(max_size=50), max_size=600))
def test_a_spooled_file_holds_what_was_written(tmp_path_factory, parts: list[bytes]) -> None:
    path: Path = tmp_path_factory.mktemp("spool") / "file"

    async def spool(executor: ThreadPoolExecutor) -> SpoolFile:
        file = SpoolFile(path, b"header", executor, bytes_max=100_000)
        for part in parts:
            await file.write(memoryview(part))
        await file.finish()
        return file

    with ThreadPoolExecutor(1) as executor:
        file = asyncio.run(spool(executor))

    assert path.read_bytes() == b"header" + b"".join(parts)
    assert file.size_bytes == sum(map(len, parts))
    file.discard()
    assert not path.exists()


@given(st.lists(st.binary(max_size=50), max_size=600))
def test_who_goes_on_with_a_file_ends_it_and_learns_its_digest(
    tmp_path_factory, parts: list[bytes]
) -> None:
    path: Path = tmp_path_factory.mktemp("spool") / "file"

    async def spool(executor: ThreadPoolExecutor) -> str:
        file = SpoolFile(path, b"header", executor, bytes_max=100_000)
        for part in parts:
            await file.write(memoryview(part))
        return file.end()

    with ThreadPoolExecutor(1) as executor:
        digest = asyncio.run(spool(executor))

    assert path.read_bytes() == b"header" + b"".join(parts)
    assert digest == sha256(b"".join(parts)).hexdigest()


async def test_a_disk_that_refuses_is_no_room(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        file = SpoolFile(tmp_path / "absent" / "file", b"", executor, bytes_max=100)
        await file.write(memoryview(b"data"))

        with pytest.raises(NoRoom):
            await file.finish()


def a_notification(encoded: bytes) -> NRequest:
    return NRequest(
        peer=Peer(calling_ae="PACS", called_ae="DRIMBOX", address="127.0.0.1"),
        sop_class=Uid("1.2.840.10008.5.1.4.33"),
        sop_instance=Uid("1.2.3"),
        transfer_syntax=Uid("1.2.840.10008.1.2.1"),
        encoded=encoded,
    )


def test_a_notification_of_too_many_items_is_refused_before_they_fill_the_memory() -> None:
    item_, end = b"\xfe\xff\x00\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
    sequence = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff"
    request = a_notification(sequence + item_ * (ITEMS_MAX + 1) + end)

    with pytest.raises(InvalidRequest, match="items"):
        request.data_set()


def nested(innermost: bytes, depth: int) -> bytes:
    """A data set in an item of a sequence, and so on."""
    encoded = innermost
    for _ in range(depth):
        encoded = struct.pack("<HHI", 0xFFFE, 0xE000, len(encoded)) + encoded
        encoded = struct.pack("<HH2sHI", 0x0008, 0x1115, b"SQ", 0, len(encoded)) + encoded
    return encoded


def test_a_notification_of_sequences_too_deep_in_each_other_is_refused() -> None:
    assert a_notification(nested(b"", DEPTH_MAX)).data_set()

    with pytest.raises(InvalidRequest, match=f"more than {DEPTH_MAX}"):
        a_notification(nested(b"", DEPTH_MAX + 1)).data_set()


def test_what_is_broken_far_down_is_told_in_few_words() -> None:
    broken = b"\x20\0\x0d\0ZZ\x02\0\0\0"

    with pytest.raises(InvalidRequest) as caught:
        a_notification(nested(broken, 10)).data_set()

    # Were it told at every level with all that was told below, its size would double each time.
    assert len(str(caught.value.__cause__)) < 1000


def test_what_was_agreed_once_is_agreed_again() -> None:
    again, other = associate_rq()[6:], associate_rq([(CT, (EXPLICIT,))] * 2)[6:]

    first = agree(again, pdu_bytes_announced=4096)

    assert isinstance(first, Agreement)
    assert agree(again, pdu_bytes_announced=4096) is first
    assert agree(again, pdu_bytes_announced=8192) is not first
    two = agree(other, pdu_bytes_announced=4096)
    assert isinstance(two, Agreement)
    assert (len(first.contexts), len(two.contexts)) == (1, 2)
