"""Command sets (PS3.7 §6.3, Annex E) and the requests that handlers are given.

A command set is always Implicit VR Little Endian and holds group 0000 alone; it is taken apart
here, bounded by the bytes that were read, without asking what its elements mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO
from pathlib import Path
from struct import Struct

from pydicom import Dataset
from pydicom.uid import UID
from pydicom.valuerep import VR
from pynetdicom import dsutils

from gateway.dimse.pdus import ProtocolError
from gateway.dimse.spool import SpoolFile
from gateway.dimse.statuses import AbortReason
from gateway.errors import InvalidRequest
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

_ELEMENT = Struct("<HHI")
_US = Struct("<H")
_UL = Struct("<I")

NO_DATA_SET = 0x0101
ITEMS_MAX = 200_000
"""Items of all sequences of a notification: eight bytes each in it, a kilobyte each in memory."""

DEPTH_MAX = 32
"""Sequences within each other in a notification; the standard's have four."""

_ITEM_TAGS = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"  # little and big endian, PS3.5 §7.5

ERROR_COMMENT_LENGTH_MAX = 64  # characters of an LO, PS3.5 §6.2


class Element(IntEnum):
    """Elements of group 0000 that we read or write (PS3.7 Annex E.1)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS = 0x0002
    REQUESTED_SOP_CLASS = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED_TO = 0x0120
    MOVE_DESTINATION = 0x0600
    PRIORITY = 0x0700
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    ERROR_ID = 0x0903
    AFFECTED_SOP_INSTANCE = 0x1000
    REQUESTED_SOP_INSTANCE = 0x1001
    EVENT_TYPE = 0x1002
    ACTION_TYPE = 0x1008
    COMPLETED_SUB_OPERATIONS = 0x1021
    FAILED_SUB_OPERATIONS = 0x1022
    WARNING_SUB_OPERATIONS = 0x1023
    ORIGINATOR_AE = 0x1030
    ORIGINATOR_MESSAGE_ID = 0x1031


class CommandField(IntEnum):
    """Messages that we know by name (PS3.7 Annex E.1)."""

    C_STORE_RQ = 0x0001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    N_EVENT_REPORT_RQ = 0x0100
    N_SET_RQ = 0x0120
    N_ACTION_RQ = 0x0130
    N_CREATE_RQ = 0x0140
    C_CANCEL_RQ = 0x0FFF
    N_EVENT_REPORT_RSP = 0x8100


RESPONSE = 0x8000  # bit of a command field that answers
DATA_SET_FOLLOWS = 0x0001
_MEDIUM = 0x0000  # priority, PS3.7 §9.3.2.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who asked for an association. AE titles are what the peer says, without its spaces."""

    calling_ae: str
    called_ae: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """A C-STORE request (PS3.7 §9.1.1) whose data set has arrived whole.

    `spooled` is a Part 10 file (PS3.10 §7.1), once `file` is written to its end. It is the
    handler's to move away while it runs; what lies there once it has answered is removed.
    """

    peer: Peer
    sop_class: Uid
    sop_instance: Uid
    transfer_syntax: Uid
    spooled: Path
    file: SpoolFile
    originator_ae: str | None = None
    """AE title that asked for the C-MOVE which made this instance come (PS3.7 §9.1.1.1)."""
    originator_message_id: int | None = None

    @property
    def in_memory(self) -> tuple[memoryview, ...]:
        """The bytes of the file, one piece after the other, while nothing of it is written."""
        return self.file.in_memory

    @property
    def digest_sha256(self) -> str:
        """Of the data set as sent, without preamble and group 0002, once the file is whole;
        lower-case hex."""
        return self.file.digest_sha256

    @property
    def size_bytes(self) -> int:
        """Of the data set as sent; it is the last so many bytes of the file."""
        return self.file.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NRequest:
    """An N-CREATE, N-SET or N-ACTION request (PS3.7 §10.1), held in memory."""

    peer: Peer
    sop_class: Uid
    sop_instance: Uid
    """Allotted by us where the sender of an N-CREATE left it out (PS3.7 §10.1.5.1.4)."""
    transfer_syntax: Uid
    encoded: bytes
    action_type: int | None = None
    """Of an N-ACTION (PS3.7 §10.1.4.1.6)."""

    def data_set(self) -> Dataset:
        """The attributes, decoded.

        Raises:
            InvalidRequest: see `decode_data_set`.
        """
        return decode_data_set(self.encoded, UID(self.transfer_syntax))


def decode_data_set(encoded: bytes, syntax: UID) -> Dataset:
    """A short data set, decoded to its last item; not a deflated one.

    Raises:
        InvalidRequest: the bytes are no data set of this transfer syntax, or one of more than
            `ITEMS_MAX` items, or of sequences more than `DEPTH_MAX` deep.
    """
    if sum(encoded.count(tag) for tag in _ITEM_TAGS) > ITEMS_MAX:
        raise InvalidRequest(f"the data set has more than {ITEMS_MAX} items")
    try:
        decoded = dsutils.decode(BytesIO(encoded), syntax.is_implicit_VR, syntax.is_little_endian)
        _open_all(decoded)
    except InvalidRequest:
        raise
    except Exception as error:  # pydicom raises whatever the bytes made it stumble over
        raise InvalidRequest("the data set cannot be decoded") from error
    return decoded


def _open_all(decoded: Dataset) -> None:
    """Decoding is lazy: what is broken further down must come out here.

    `Dataset.walk` does the same, but each of its levels quotes twice what the one below quoted of
    a fault, so that a few hundred bytes fill any memory.
    """
    level = [decoded]
    for _ in range(DEPTH_MAX + 1):
        sequences = [element.value for ds in level for element in ds if element.VR == VR.SQ]
        level = [item for sequence in sequences for item in sequence]
        if not level:
            return
    raise InvalidRequest(f"the data set has more than {DEPTH_MAX} sequences in each other")


@dataclass(frozen=True, slots=True)
class Command:
    """A command set that was received; elements are read as they are asked for."""

    elements: Mapping[int, bytes]

    def number(self, element: Element) -> int | None:
        """An unsigned short, or None where absent or not one."""
        value = self.elements.get(element)
        return _US.unpack(value)[0] if value is not None and len(value) == 2 else None

    def text(self, element: Element) -> str | None:
        """Text without its padding, or None where absent, empty or not ASCII."""
        value = self.elements.get(element, b"")
        return value.decode().strip(" \0") or None if value.isascii() else None

    def uid(self, element: Element) -> Uid | None:
        """A UID, or None where absent or none."""
        try:
            return Uid(self.text(element) or "")
        except InvalidValue:
            return None

    @property
    def sop_class(self) -> Uid | None:
        """The SOP class that a request is about: affected, or requested (PS3.7 §10.3)."""
        return self.uid(Element.AFFECTED_SOP_CLASS) or self.uid(Element.REQUESTED_SOP_CLASS)

    @property
    def sop_instance(self) -> Uid | None:
        """The SOP instance that a request is about."""
        return self.uid(Element.AFFECTED_SOP_INSTANCE) or self.uid(Element.REQUESTED_SOP_INSTANCE)

    @property
    def names_no_instance(self) -> bool:
        """Whether it leaves the SOP instance out, which is no wrong one."""
        names = Element.AFFECTED_SOP_INSTANCE, Element.REQUESTED_SOP_INSTANCE
        return not any(self.elements.get(name) for name in names)

    @property
    def field(self) -> int:
        """The command field."""
        return self.number(Element.COMMAND_FIELD) or 0

    @property
    def message_id(self) -> int:
        """The message id."""
        return self.number(Element.MESSAGE_ID) or 0

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows; every type but one says so (PS3.7 Annex E.1)."""
        return self.number(Element.DATA_SET_TYPE) != NO_DATA_SET


def decode_command(encoded: bytes) -> Command:
    """Take a command set apart.

    Raises:
        ProtocolError: it is cut, leaves group 0000, or cannot be answered because its command
            field, its data set type or its message id is absent.
    """
    elements: dict[int, bytes] = {}
    offset = 0
    while offset < len(encoded):
        if len(encoded) - offset < _ELEMENT.size:
            raise ProtocolError(AbortReason.SERVICE_USER)
        group, element, length = _ELEMENT.unpack_from(encoded, offset)
        start = offset + _ELEMENT.size
        offset = start + length
        if group != 0 or offset > len(encoded):
            raise ProtocolError(AbortReason.SERVICE_USER)
        elements[element] = encoded[start:offset]
    command = Command(elements)
    if None in (command.number(Element.COMMAND_FIELD), command.number(Element.DATA_SET_TYPE)):
        raise ProtocolError(AbortReason.SERVICE_USER)
    answered = not command.field & RESPONSE and command.field != CommandField.C_CANCEL_RQ
    if answered and command.number(Element.MESSAGE_ID) is None:
        raise ProtocolError(AbortReason.SERVICE_USER)
    return command


def encode_answer(
    command: Command, status: int, *, comment: str = "", error_id: int = 0, instance: str = ""
) -> bytes:
    """The command set that answers a request, without a data set.

    Args:
        comment: shown to who operates the peer; cut to 64 ASCII characters.
        error_id: what the service tells beside the status; 0 is left out.
        instance: the SOP instance where the request did not name it.
    """
    return _encode(
        {
            Element.AFFECTED_SOP_CLASS: _even(command.sop_class or "", b"\0"),
            Element.COMMAND_FIELD: _US.pack(command.field | RESPONSE),
            Element.MESSAGE_ID_RESPONDED_TO: _US.pack(command.message_id),
            Element.DATA_SET_TYPE: _US.pack(NO_DATA_SET),
            Element.STATUS: _US.pack(status),
            Element.ERROR_COMMENT: _even(comment[:ERROR_COMMENT_LENGTH_MAX], b" "),
            Element.ERROR_ID: _US.pack(error_id) if error_id else b"",
            Element.AFFECTED_SOP_INSTANCE: _even(command.sop_instance or instance, b"\0"),
        }
    )


def encode_request(
    field: CommandField,
    *,
    sop_class: str,
    message_id: int,
    has_data_set: bool,
    destination: str = "",
) -> bytes:
    """The command set of a C-ECHO, C-FIND, C-GET or C-MOVE request (PS3.7 §9.3).

    Args:
        destination: AE title that a C-MOVE sends to.
    """
    has_priority = field != CommandField.C_ECHO_RQ
    return _encode(
        {
            Element.AFFECTED_SOP_CLASS: _even(sop_class, b"\0"),
            Element.COMMAND_FIELD: _US.pack(field),
            Element.MESSAGE_ID: _US.pack(message_id),
            Element.MOVE_DESTINATION: _even(destination, b" "),
            Element.PRIORITY: _US.pack(_MEDIUM) if has_priority else b"",
            Element.DATA_SET_TYPE: _US.pack(DATA_SET_FOLLOWS if has_data_set else NO_DATA_SET),
        }
    )


def encode_event_report(
    *, sop_class: str, sop_instance: str, event_type: int, message_id: int
) -> bytes:
    """The command set of an N-EVENT-REPORT request (PS3.7 §10.3.1.1) that a data set follows."""
    return _encode(
        {
            Element.AFFECTED_SOP_CLASS: _even(sop_class, b"\0"),
            Element.COMMAND_FIELD: _US.pack(CommandField.N_EVENT_REPORT_RQ),
            Element.MESSAGE_ID: _US.pack(message_id),
            Element.DATA_SET_TYPE: _US.pack(DATA_SET_FOLLOWS),
            Element.AFFECTED_SOP_INSTANCE: _even(sop_instance, b"\0"),
            Element.EVENT_TYPE: _US.pack(event_type),
        }
    )


def _encode(values: Mapping[int, bytes]) -> bytes:
    """The elements that have a value, in their order, and their length before them."""
    body = b"".join(
        _ELEMENT.pack(0, key, len(value)) + value for key, value in values.items() if value
    )
    return _ELEMENT.pack(0, Element.GROUP_LENGTH, 4) + _UL.pack(len(body)) + body


def _even(text: str, pad: bytes) -> bytes:
    encoded = text.encode("ascii", errors="replace")
    return encoded + pad * (len(encoded) % 2)
