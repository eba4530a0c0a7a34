"""The door for reports: each HL7 message in, one acknowledgement out.

`app` hands `Hl7Door.handle` to the MLLP server. The sender reads AA only once the report would
survive a crash, for it may then forget its own copy.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

from gateway.clock import Clock, at, system_clock
from gateway.errors import InvalidRequest, Unavailable
from gateway.hl7.acknowledgement import AckCode, acknowledge
from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import decode, read_header
from gateway.intake.oru import read_oru
from gateway.model.notification import ReportReceived

log = logging.getLogger(__name__)

Receive = Callable[[ReportReceived], Awaitable[None]]
"""Returns once the news is durable; raises Unavailable where it cannot be kept now."""


class Hl7Door:
    """Takes reports and passes them on as news of their studies."""

    def __init__(
        self, receive: Receive, time_zone: ZoneInfo, *, clock: Clock = system_clock
    ) -> None:
        self._receive = receive
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
            news = await asyncio.to_thread(self._read, message)
            await self._receive(news)
        except RefusedMessage as fault:
            log.warning(
                "report_refused",
                extra={"peer": peer, "code": fault.code.value, "location": fault.location},
            )
            return AckCode.ERROR, fault
        except InvalidRequest as error:
            log.warning("report_refused", extra={"peer": peer})
            return AckCode.ERROR, RefusedMessage(str(error), code=ErrorCode.INTERNAL)
        except (Unavailable, TimeoutError):
            log.warning("report_not_received", extra={"peer": peer})
            return AckCode.REJECTED, _try_again()
        except Exception:  # a bug of ours must not be told as success, nor end the connection
            log.exception("report_not_received", extra={"peer": peer})
            return AckCode.REJECTED, _try_again()
        log.info("report_received", extra={"peer": peer, "digest": news.message_digest[:16]})
        return AckCode.ACCEPTED, None

    def _read(self, message: bytes) -> ReportReceived:
        decoded = decode(message)
        report = read_oru(decoded, time_zone=self._time_zone)
        return ReportReceived(message_digest=decoded.digest, report=report)


def _try_again() -> RefusedMessage:
    return RefusedMessage("the report cannot be taken now: try again", code=ErrorCode.INTERNAL)
