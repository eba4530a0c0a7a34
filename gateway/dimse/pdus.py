"""Protocol data units as bytes (PS3.8 §9.3): pure, bounded, and never in doubt.

Whatever the bytes, a decoder here returns or raises `ProtocolError`. Encoding and the association
request are pynetdicom's; P-DATA-TF is taken apart here, without a copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from pynetdicom.pdu import (
    A_ABORT_RQ,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
)
from pynetdicom.pdu_primitives import A_ASSOCIATE

from gateway.dimse.limits import CONTEXTS_MAX, FRAGMENTS_MAX, TRANSFER_SYNTAXES_MAX, USER_ITEMS_MAX
from gateway.dimse.statuses import AbortReason, RejectReason

HEADER = Struct(">BxI")  # type, reserved, length
_REQUEST_FIXED_BYTES = 68  # protocol version, AE titles and reserved fields, PS3.8 Table 9-11
_ITEM = Struct(">BxH")
_FRAGMENT = Struct(">IBB")  # length, presentation context, control header

_REJECTIONS = {  # by source and diagnostic, PS3.8 Table 9-21
    (1, 1): "no reason given",
    (1, 2): "the application context is not supported",
    (1, 3): "the calling AE title is not recognised",
    (1, 7): "the called AE title is not recognised",
    (2, 1): "no reason given",
    (2, 2): "the protocol version is not supported",
    (3, 1): "temporary congestion",
    (3, 2): "the local limit is exceeded",
}

_SYNTAXES = frozenset({0x30, 0x40})
_USER_ITEMS = frozenset(range(0x51, 0x59))


class PduKind(IntEnum):
    """Types of PDU (PS3.8 §9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class ProtocolError(Exception):
    """The peer broke the protocol; the association ends with an A-ABORT of this reason."""

    def __init__(self, reason: AbortReason) -> None:
        super().__init__(reason.name.lower())
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fragment:
    """A presentation data value (PS3.8 §9.3.5.1); `data` is a view into its PDU."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


def split_header(header: bytes | memoryview, *, bytes_max: int) -> tuple[PduKind, int]:
    """Type and length of a PDU, from its first 6 bytes.

    Raises:
        ProtocolError: no such type, or longer than `bytes_max`.
    """
    kind, length = HEADER.unpack(header)
    if kind not in PduKind._value2member_map_:
        raise ProtocolError(AbortReason.UNRECOGNISED_PDU)
    if length > bytes_max:
        raise ProtocolError(AbortReason.INVALID_PARAMETER)
    return PduKind(kind), length


def fragments(payload: bytes | memoryview) -> Iterator[Fragment]:
    """Presentation data values of a P-DATA-TF, one at a time.

    Raises:
        ProtocolError: there is none, one is cut or has no control header, or there are too many.
    """
    view, offset, count = memoryview(payload), 0, 0
    while offset < len(view) or count == 0:
        if len(view) - offset < _FRAGMENT.size or count == FRAGMENTS_MAX:
            raise ProtocolError(AbortReason.INVALID_PARAMETER)
        length, context_id, control = _FRAGMENT.unpack_from(view, offset)
        end = offset + 4 + length
        if length < 2 or end > len(view):
            raise ProtocolError(AbortReason.INVALID_PARAMETER)
        # Bits 2 to 7 are sent as 0 and not tested (PS3.8 Annex E.2).
        data = view[offset + _FRAGMENT.size : end]
        yield Fragment(context_id, bool(control & 1), bool(control & 2), data)
        offset, count = end, count + 1


def decode_titles(payload: bytes) -> tuple[str, str]:
    """Calling and called AE title of an A-ASSOCIATE-RQ, without its 6-byte header or spaces.

    Cheap, so that who may not associate is refused before the rest is taken apart.

    Raises:
        ProtocolError: the request is cut, or a title is not ASCII or empty.
    """
    called, calling = payload[4:20].strip(b" \0"), payload[20:36].strip(b" \0")
    if len(payload) < _REQUEST_FIXED_BYTES or not (called and calling):
        raise ProtocolError(AbortReason.INVALID_PARAMETER)
    if not (called.isascii() and calling.isascii()):
        raise ProtocolError(AbortReason.INVALID_PARAMETER)
    return calling.decode(), called.decode()


def decode_request(payload: bytes) -> tuple[int, A_ASSOCIATE]:
    """Protocol version and primitive of an A-ASSOCIATE-RQ, without its 6-byte header.

    Items of an unknown type are left out, as PS3.8 §9.3.1 asks.

    Raises:
        ProtocolError: an item is cut, absent or not what it should be, or there are too many.
    """
    if len(payload) < _REQUEST_FIXED_BYTES:
        raise ProtocolError(AbortReason.INVALID_PARAMETER)
    known = _sift_request(payload[_REQUEST_FIXED_BYTES:])
    pdu = A_ASSOCIATE_RQ()
    try:
        pdu.decode(bytes(6) + payload[:_REQUEST_FIXED_BYTES] + known)
        asked = pdu.to_primitive()
    except Exception as error:  # pynetdicom raises whatever the bytes made it stumble over
        raise ProtocolError(AbortReason.INVALID_PARAMETER) from error
    for context in asked.presentation_context_definition_list:
        if not (context.abstract_syntax and context.transfer_syntax):
            raise ProtocolError(AbortReason.INVALID_PARAMETER)
    return pdu.protocol_version, asked


def decode_accept(payload: bytes) -> A_ASSOCIATE:
    """The primitive of an A-ASSOCIATE-AC, without its 6-byte header.

    Raises:
        ProtocolError: an item is cut, absent or not what it should be.
    """
    pdu = A_ASSOCIATE_AC()
    try:
        pdu.decode(bytes(6) + payload)
        return pdu.to_primitive()
    except Exception as error:  # as above
        raise ProtocolError(AbortReason.INVALID_PARAMETER) from error


def decode_reject(payload: bytes | memoryview) -> str:
    """Why, by an A-ASSOCIATE-RJ without its 6-byte header.

    Raises:
        ProtocolError: it is cut.
    """
    if len(payload) < 4:
        raise ProtocolError(AbortReason.INVALID_PARAMETER)
    return _REJECTIONS.get((payload[2], payload[3]), "of a reason that is none of the standard's")


def _sift_request(encoded: bytes) -> bytes:
    kept: list[bytes] = []
    contexts = 0
    for kind, item in _items(encoded, items_max=CONTEXTS_MAX + USER_ITEMS_MAX):
        match kind:
            case 0x10:  # application context
                kept.append(_encode_item(kind, item))
            case 0x20:  # presentation context
                contexts += 1
                kept.append(_encode_item(kind, item[:4] + _sift(item[4:], _SYNTAXES)))
            case 0x50:  # user information
                kept.append(_encode_item(kind, _sift(item, _USER_ITEMS)))
    if not 0 < contexts <= CONTEXTS_MAX:
        raise ProtocolError(AbortReason.INVALID_PARAMETER)
    return b"".join(kept)


def _sift(encoded: bytes, known: frozenset[int]) -> bytes:
    items_max = USER_ITEMS_MAX if known is _USER_ITEMS else TRANSFER_SYNTAXES_MAX + 1
    items = _items(encoded, items_max=items_max)
    return b"".join(_encode_item(kind, item) for kind, item in items if kind in known)


def _items(encoded: bytes, *, items_max: int) -> Iterator[tuple[int, bytes]]:
    offset, count = 0, 0
    while offset < len(encoded):
        if len(encoded) - offset < _ITEM.size or count == items_max:
            raise ProtocolError(AbortReason.INVALID_PARAMETER)
        kind, length = _ITEM.unpack_from(encoded, offset)
        start = offset + _ITEM.size
        offset, count = start + length, count + 1
        if offset > len(encoded):
            raise ProtocolError(AbortReason.INVALID_PARAMETER)
        yield kind, encoded[start:offset]


def _encode_item(kind: int, item: bytes) -> bytes:
    return _ITEM.pack(kind, len(item)) + item


def encode_request(asked: A_ASSOCIATE) -> bytes:
    """An A-ASSOCIATE-RQ PDU (PS3.8 §9.3.2)."""
    return A_ASSOCIATE_RQ(asked).encode()


def encode_accept(answer: A_ASSOCIATE) -> bytes:
    """An A-ASSOCIATE-AC PDU (PS3.8 §9.3.3)."""
    return A_ASSOCIATE_AC(answer).encode()


def encode_reject(reason: RejectReason) -> bytes:
    """An A-ASSOCIATE-RJ PDU (PS3.8 §9.3.4)."""
    pdu = A_ASSOCIATE_RJ()
    pdu.result, pdu.source, pdu.reason_diagnostic = reason.value
    return pdu.encode()


def encode_abort(reason: AbortReason) -> bytes:
    """An A-ABORT PDU (PS3.8 §9.3.8)."""
    pdu = A_ABORT_RQ()
    pdu.source, pdu.reason_diagnostic = reason.value
    return pdu.encode()


def encode_release_request() -> bytes:
    """An A-RELEASE-RQ PDU (PS3.8 §9.3.6)."""
    return A_RELEASE_RQ().encode()


def encode_release_answer() -> bytes:
    """An A-RELEASE-RP PDU (PS3.8 §9.3.7)."""
    return A_RELEASE_RP().encode()


def encode_fragments(
    data: bytes, *, context_id: int, is_command: bool, pdu_bytes_max: int
) -> bytes:
    """P-DATA-TF PDUs that carry one command set or data set, each within `pdu_bytes_max`.

    Args:
        pdu_bytes_max: what the peer announced (PS3.8 Annex D.1); 0 is no limit.
    """
    room = (pdu_bytes_max or 1 << 20) - _FRAGMENT.size
    pdus = []
    for start in range(0, max(len(data), 1), room):
        part = data[start : start + room]
        control = is_command | (start + room >= len(data)) << 1
        pdus.append(HEADER.pack(PduKind.DATA, len(part) + _FRAGMENT.size))
        pdus.append(_FRAGMENT.pack(len(part) + 2, context_id, control) + part)
    return b"".join(pdus)
