"""Tells the results of N-ACTIONs: N-EVENT-REPORT (PS3.7 §10.1.1) by the SCP that was asked.

A result is told on the association that asked for it, as long as that is open and idle; else, by
`report_anew`, on one that the gateway opens towards the peer with the role of the SCP.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import dsutils
from pynetdicom.pdu_primitives import A_ASSOCIATE

from gateway.dimse.commands import Command, CommandField, Element, encode_event_report
from gateway.dimse.limits import DimseLimits
from gateway.dimse.messages import data_set, drain
from gateway.dimse.negotiation import Context, ask_as_scp
from gateway.dimse.pdus import ProtocolError
from gateway.dimse.requesting import Association, Listener, NoAssociation, associated
from gateway.dimse.statuses import AbortReason, Status
from gateway.dimse.upper_layer import UpperLayer
from gateway.errors import Unavailable
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

QUIET_S: Final = 0.2
"""Without a word of the peer before a result is told: who asks and leaves at once releases by then,
and would not expect anything but the answer to its release."""
WAITING_MAX: Final = 16
"""Results that one association waits to be told; the rest are told anew."""
CONNECT_S_MAX: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """What an N-EVENT-REPORT tells."""

    sop_class: Uid
    sop_instance: Uid
    event_type: int
    information: Dataset


class Result(Protocol):
    """What an N-ACTION comes to. It is kept elsewhere, and told anew where it is not told here."""

    async def report(self) -> EventReport:
        """What there is to tell, made when it is about to be told."""

    async def told(self, status: int | None) -> None:
        """What the peer answered; None: it ended the association, or was not told."""


class EventReports:
    """Tells results on the association that asked for them, one at a time (PS3.7 §D.3.3.3)."""

    def __init__(self, layer: UpperLayer) -> None:
        self._layer = layer
        self._waiting: deque[tuple[Result, int, Context]] = deque()
        self._under_way: Result | None = None
        self._message_id = 0

    def add(self, result: Result, context_id: int, context: Context) -> None:
        """Tell this result when the association is quiet; beyond `WAITING_MAX` not here."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append((result, context_id, context))

    async def tell_next(self) -> None:
        """Send the next result, unless one is under way or the peer has something to say.

        Raises:
            AssociationEnded: the peer left.
            TimeoutError: it does not take what is sent.
        """
        if self._under_way is not None or not self._waiting:
            return
        if not await self._layer.is_silent(QUIET_S):
            return
        result, context_id, context = self._waiting.popleft()
        self._under_way = result
        self._message_id = self._message_id % 0xFFFF + 1
        try:
            report = await result.report()
        except Exception:  # kept elsewhere: it is told anew
            log.exception("result_not_told")
            await self._settle(None)
            return
        await send_report(self._layer, report, self._message_id, (context_id, context))

    async def answered(self, command: Command, context_id: int, limits: DimseLimits) -> None:
        """Take the answer to what is under way.

        Raises:
            ProtocolError: nothing was asked, or something else.
        """
        status = await read_answer(self._layer, command, context_id, limits)
        responded_to = command.number(Element.MESSAGE_ID_RESPONDED_TO)
        if self._under_way is None or responded_to != self._message_id:
            raise ProtocolError(AbortReason.SERVICE_USER)
        await self._settle(status)

    async def end(self) -> None:
        """The association has ended: what was not answered is to be told anew."""
        await self._settle(None)
        while self._waiting:
            self._under_way, _, _ = self._waiting.popleft()
            await self._settle(None)

    async def _settle(self, status: int | None) -> None:
        result, self._under_way = self._under_way, None
        if result is None:
            return
        try:
            await result.told(status)
        except Exception:  # as if the answer had been lost: it is told anew
            log.exception("answer_to_result_not_kept")


async def send_report(
    layer: UpperLayer, report: EventReport, message_id: int, context: tuple[int, Context]
) -> None:
    """Send one N-EVENT-REPORT request in this presentation context."""
    command = encode_event_report(
        sop_class=report.sop_class,
        sop_instance=report.sop_instance,
        event_type=report.event_type,
        message_id=message_id,
    )
    context_id, agreed = context
    # Off the loop: thousands of items take a second.
    encoded = await asyncio.to_thread(_encode, report.information, UID(agreed.transfer_syntax))
    await layer.send_message(command, encoded, context_id=context_id)


def _encode(information: Dataset, syntax: UID) -> bytes:
    encoded = dsutils.encode(information, syntax.is_implicit_VR, syntax.is_little_endian)
    if encoded is None:  # only what we made ourselves comes here
        raise ValueError("the event information cannot be encoded")
    return encoded


async def read_answer(
    layer: UpperLayer, command: Command, context_id: int, limits: DimseLimits
) -> int:
    """The status of an N-EVENT-REPORT response; an event reply is read and not looked at.

    Raises:
        ProtocolError: it is another message.
    """
    if command.field != CommandField.N_EVENT_REPORT_RSP:
        raise ProtocolError(AbortReason.SERVICE_USER)
    if command.has_data_set:
        async with asyncio.timeout(limits.message_s):
            await drain(data_set(layer, context_id), limits)
    status = command.number(Element.STATUS)
    return Status.PROCESSING_FAILURE if status is None else status


async def report_anew(
    to: Listener,
    report: EventReport,
    *,
    calling_ae: str,
    called_ae: str,
    limits: DimseLimits | None = None,
) -> int:
    """Tell a result on an association of its own; the status that the peer answers.

    Raises:
        Unavailable: the peer cannot be reached, refuses the association or the service, breaks
            off or is silent.
    """
    asked = ask_as_scp(report.sop_class, calling_ae=calling_ae, called_ae=called_ae)
    limits = limits or DimseLimits(idle_s=60.0)
    async with _associated(to, asked, limits) as association:
        [context] = association.contexts.items()
        await send_report(association.layer, report, 1, context)
        answer = await association.receive()
        return await read_answer(association.layer, answer.command, answer.context_id, limits)


async def try_listener(to: Listener, sop_class: str, *, calling_ae: str, called_ae: str) -> None:
    """Find out whether a peer would take results of this class; nothing is told.

    Raises:
        Unavailable: see `report_anew`.
    """
    asked = ask_as_scp(sop_class, calling_ae=calling_ae, called_ae=called_ae)
    async with _associated(to, asked, DimseLimits()):
        pass


@asynccontextmanager
async def _associated(
    to: Listener, asked: A_ASSOCIATE, limits: DimseLimits
) -> AsyncIterator[Association]:
    try:
        async with associated(to, asked, limits, connect_s=CONNECT_S_MAX) as association:
            if association.contexts:
                yield association
                return
    except NoAssociation as error:
        raise Unavailable(f"the peer {error}") from None
    raise Unavailable("the peer does not take the service of the result")
