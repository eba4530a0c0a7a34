"""Tells messages apart by MSH-9, and has each read as the news that it brings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Message, Segment
from gateway.intake.adt import read_patient_words
from gateway.intake.document import read_document
from gateway.intake.fields import missing, time_or_none
from gateway.intake.mdm import PURPOSES, read_mdm
from gateway.intake.order import read_orders
from gateway.model.notification import OrderReceived, PatientTold, ReportReceived
from gateway.model.order import Order
from gateway.model.patient import PatientWord
from gateway.model.report import Report

News = ReportReceived | OrderReceived | PatientTold

AHEAD_S_MAX: Final = 24 * 3600
"""How far a sender's clock may be ahead of ours; its time zone, too, may be another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageType:
    """A type of message that is taken (MSH-9.1), with its events (MSH-9.2) and versions (MSH-12).

    The versions are those in which what is read here stands in the same place.
    """

    events: frozenset[str]
    versions: frozenset[str]
    read: Callable[[Message, ZoneInfo], list[News]]


def read_news(message: Message, *, time_zone: ZoneInfo) -> list[News]:
    """The news that the message brings, in its order; at least one.

    Args:
        time_zone: of the times that name no offset.

    Raises:
        InvalidRequest: its type, version or content cannot be taken.
    """
    return _type_of(message.msh).read(message, time_zone)


def without_times_ahead(news: News, *, now: datetime) -> News:
    """The news without the time by which it is put in order, if that is yet to come: nothing that
    is said later could ever come after it.

    Args:
        now: aware.
    """
    latest = now + timedelta(seconds=AHEAD_S_MAX)
    match news:
        case ReportReceived(said_at=datetime() as told) if told > latest:
            return replace(news, said_at=None)
        case OrderReceived(order=Order(said_at=datetime() as told)) if told > latest:
            return replace(news, order=replace(news.order, said_at=None))
        case PatientTold(word=PatientWord(told_at=datetime() as told)) if told > latest:
            return replace(news, word=replace(news.word, told_at=None))
    return news


def _type_of(msh: Segment) -> MessageType:
    kind = msh.text(9)
    taken = MESSAGE_TYPES.get(kind)
    if taken is None:
        raise RefusedMessage(
            f"only {', '.join(MESSAGE_TYPES)} are taken",
            code=ErrorCode.UNSUPPORTED_MESSAGE_TYPE,
            location="MSH^1^9^1^1",
        )
    if msh.text(9, 2) not in taken.events:
        raise RefusedMessage(
            f"{kind} is taken as {', '.join(sorted(taken.events))} only",
            code=ErrorCode.UNSUPPORTED_EVENT,
            location="MSH^1^9^1^2",
        )
    if msh.text(12) not in taken.versions:
        raise RefusedMessage(
            f"{kind} is taken in HL7 {', '.join(sorted(taken.versions))} only",
            code=ErrorCode.UNSUPPORTED_VERSION,
            location="MSH^1^12",
        )
    if not msh.text(10):
        raise missing("the message has no control id", "MSH^1^10")
    # A training message would publish a pointer for everyone to see.
    if msh.text(11) != "P":
        raise RefusedMessage(
            "only production messages are taken: MSH-11 P",
            code=ErrorCode.UNSUPPORTED_PROCESSING_ID,
            location="MSH^1^11",
        )
    return taken


def _oru(message: Message, time_zone: ZoneInfo) -> list[News]:
    return [_received(message, read_document(message, time_zone=time_zone), time_zone)]


def _mdm(message: Message, time_zone: ZoneInfo) -> list[News]:
    return [_received(message, read_mdm(message, time_zone=time_zone), time_zone)]


def _received(message: Message, report: Report, time_zone: ZoneInfo) -> ReportReceived:
    said_at = time_or_none(message.msh, 7, time_zone)
    return ReportReceived(message_digest=message.digest, report=report, said_at=said_at)


def _orders(message: Message, time_zone: ZoneInfo) -> list[News]:
    orders = read_orders(message, time_zone=time_zone)
    return [
        OrderReceived(message_digest=_digest(message, place), order=order)
        for place, order in enumerate(orders, start=1)
    ]


def _adt(message: Message, time_zone: ZoneInfo) -> list[News]:
    words = read_patient_words(message, time_zone=time_zone)
    return [
        PatientTold(message_digest=_digest(message, place), word=word)
        for place, word in enumerate(words, start=1)
    ]


def _digest(message: Message, place: int) -> str:
    """Tells the news of one message apart: each is kept, and known again, by itself."""
    return message.digest if place == 1 else f"{message.digest}#{place}"


MESSAGE_TYPES: Final = {
    "ORU": MessageType(events=frozenset({"R01"}), versions=frozenset({"2.5", "2.5.1"}), read=_oru),
    "MDM": MessageType(
        events=frozenset(PURPOSES), versions=frozenset({"2.5", "2.5.1", "2.6"}), read=_mdm
    ),
    "OMI": MessageType(
        events=frozenset({"O23"}), versions=frozenset({"2.5", "2.5.1", "2.6"}), read=_orders
    ),
    "ORM": MessageType(
        events=frozenset({"O01"}),
        versions=frozenset({"2.3.1", "2.4", "2.5", "2.5.1", "2.6"}),
        read=_orders,
    ),
    "ADT": MessageType(
        events=frozenset("A01 A04 A08 A31 A40 A47".split()),
        versions=frozenset({"2.3.1", "2.4", "2.5", "2.5.1", "2.6"}),
        read=_adt,
    ),
}
