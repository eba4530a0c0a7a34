"""The door for HL7: each message in, one acknowledgement out.

`app` hands `Hl7Door.handle` to the MLLP servers. The sender reads AA only once all that its message
told would survive a crash, for it may then forget its own copy.
"""

import asyncio
import logging
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.clock import Clock, at, system_clock
from gateway.errors import InvalidRequest, Unavailable
from gateway.hl7.acknowledgement import AckCode, acknowledge
from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import decode, read_header
from gateway.intake.messages import News, read_news, without_times_ahead
from gateway.model.notification import OrderReceived, PatientTold, ReportReceived

log = logging.getLogger(__name__)


class Hl7Assembler(Protocol):
    """Takes in news. Each method returns once it is durable; raises Unavailable where it cannot be
    kept now."""

    async def report_received(self, news: ReportReceived) -> None:
        """Take in a report."""

    async def order_received(self, news: OrderReceived) -> None:
        """Take in an order."""

    async def patient_told(self, news: PatientTold) -> None:
        """Take in a word about a patient."""


class Hl7Door:
    """Takes messages and passes on the news that they bring."""

    def __init__(
        self, assembler: Hl7Assembler, time_zone: ZoneInfo, *, clock: Clock = system_clock
    ) -> None:
        self._assembler = assembler
        self._time_zone = time_zone
        self._clock = clock

    async def handle(self, message: bytes, peer: str) -> bytes:
        """The acknowledgement of one message: AA once it is durable, AE if it cannot be taken as
        it is, AR if it cannot be taken now. Never raises but when it is cancelled.

        Args:
            peer: the sender's address, for the log.
        """
        code, fault = await self._take(message, peer)
        return acknowledge(read_header(message), code, fault, answered_at=at(self._clock()))

    async def _take(self, message: bytes, peer: str) -> tuple[AckCode, RefusedMessage | None]:
        try:
            # Off the loop: a report with its PDF may be tens of MiB of base64 in XML.
            told = await asyncio.to_thread(self._read, message)
            # One after another: where one fails the message comes again, and what is kept is known.
            for news in told:
                await self._receive(news)
        except InvalidRequest as error:
            fault = _fault(error)
            told_of = {"code": fault.code.value, "location": fault.location, "reason": str(fault)}
            log.warning("message_refused", extra={"peer": peer, **told_of})
            return AckCode.ERROR, fault
        except (Unavailable, TimeoutError):
            log.warning("message_not_received", extra={"peer": peer})
            return AckCode.REJECTED, _try_again()
        except Exception:  # a bug of ours must not be told as success, nor end the connection
            log.exception("message_not_received", extra={"peer": peer})
            return AckCode.REJECTED, _try_again()
        for news in told:
            digest = news.message_digest[:16]
            log.info(_RECEIVED[type(news)], extra={"peer": peer, "digest": digest})
        return AckCode.ACCEPTED, None

    def _read(self, message: bytes) -> list[News]:
        now = at(self._clock())
        told = read_news(decode(message), time_zone=self._time_zone)
        return [without_times_ahead(news, now=now) for news in told]

    async def _receive(self, news: News) -> None:
        match news:
            case ReportReceived():
                await self._assembler.report_received(news)
            case OrderReceived():
                await self._assembler.order_received(news)
            case PatientTold():
                await self._assembler.patient_told(news)


_RECEIVED = {
    ReportReceived: "report_received",
    OrderReceived: "order_received",
    PatientTold: "patient_told",
}


def _fault(error: InvalidRequest) -> RefusedMessage:
    if isinstance(error, RefusedMessage):
        return error
    return RefusedMessage(str(error), code=ErrorCode.INTERNAL)


def _try_again() -> RefusedMessage:
    return RefusedMessage("the message cannot be taken now: try again", code=ErrorCode.INTERNAL)
