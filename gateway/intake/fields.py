"""Takes plain values out of segments, each within its bounds, and says where one is missing."""

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Segment, Segments
from gateway.intake.values import VALUE_LENGTH_MAX, oid_or_empty, point_in_time
from indexer.contract.document import Identifier


def only(message: Segments, name: str) -> Segment:
    """The one segment of this name: a message about two people is about none for certain.

    Raises:
        RefusedMessage: there is none, or more than one.
    """
    segments = message.segments(name)
    if len(segments) != 1:
        raise RefusedMessage(
            f"the message must have one {name} segment",
            code=ErrorCode.SEGMENT_SEQUENCE,
            location=segments[1].at() if segments else f"{name}^1",
        )
    return segments[0]


def value(
    segment: Segment, field: int, component: int = 1, subcomponent: int = 1, *, repetition: int = 1
) -> str:
    """The value, each run of blanks as one; empty where it is absent.

    Raises:
        RefusedMessage: it is too long, or an escape sequence stands for no character.
    """
    text = segment.text(field, component, subcomponent, repetition=repetition)
    if len(text) > VALUE_LENGTH_MAX:
        raise RefusedMessage(
            f"a value is longer than {VALUE_LENGTH_MAX} characters",
            code=ErrorCode.DATA_TYPE,
            location=segment.at(field),
        )
    return " ".join(text.split())


def time_or_none(segment: Segment, field: int, time_zone: ZoneInfo) -> datetime | None:
    """The point in time of a field, in UTC; None where it holds none, or one that clocks show
    twice: some senders put an id there, and what only orders messages is no reason to refuse one.

    Args:
        time_zone: holds where the value names no offset.
    """
    try:
        return point_in_time(value(segment, field), time_zone, certain=True)
    except ValueError:
        return None


def entity(segment: Segment, field: int) -> Identifier:
    """An EI (HL7 2.5 §2.A.28): the value, and the OID of who gave it, in the third component or
    where a sender writes it, the second."""
    parts = (value(segment, field, component) for component in (3, 2))
    authority = next(filter(None, map(oid_or_empty, parts)), "")
    return Identifier(value=value(segment, field), authority=authority)


def missing(reason: str, location: str) -> RefusedMessage:
    """The refusal of a message that lacks a field."""
    return RefusedMessage(reason, code=ErrorCode.REQUIRED_FIELD_MISSING, location=location)
