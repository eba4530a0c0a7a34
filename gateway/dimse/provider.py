"""Answers the requests of one association, one after the other (PS3.7 §9, §10).

C-ECHO is answered here. C-STORE, N-CREATE, N-SET and N-ACTION are received whole and handed to a
handler, whose outcome becomes a status in one place; nothing a handler does ends the association.
What an N-ACTION comes to is told between two requests (see `event_reports`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

from pydicom.uid import generate_uid

from gateway.dimse.commands import (
    RESPONSE,
    Command,
    CommandField,
    Element,
    NRequest,
    Peer,
    StoreRequest,
    encode_answer,
)
from gateway.dimse.event_reports import EventReports, Result
from gateway.dimse.limits import DimseLimits
from gateway.dimse.messages import Message, data_set, drain, read_command
from gateway.dimse.negotiation import (
    INSTANCE_AVAILABILITY,
    PROCEDURE_STEP,
    STORAGE,
    STORAGE_COMMITMENT,
    VERIFICATION,
    Context,
)
from gateway.dimse.receiving import Spooling, receive_data_set, spooled
from gateway.dimse.spool import NO_ROOM, MemorySink
from gateway.dimse.statuses import Refused, Status, StoreStatus
from gateway.dimse.upper_layer import UpperLayer
from gateway.errors import GatewayError, InvalidRequest, Unavailable
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

_STORE_STATUS: Mapping[type[Exception], int] = {
    InvalidRequest: StoreStatus.DATA_SET_DOES_NOT_MATCH,
    Unavailable: StoreStatus.OUT_OF_RESOURCES,
    TimeoutError: StoreStatus.OUT_OF_RESOURCES,
    Exception: StoreStatus.CANNOT_UNDERSTAND,
}
_N_STATUS: Mapping[type[Exception], int] = {
    InvalidRequest: Status.INVALID_ATTRIBUTE_VALUE,
    Unavailable: Status.RESOURCE_LIMITATION,
    TimeoutError: Status.RESOURCE_LIMITATION,
    Exception: Status.PROCESSING_FAILURE,
}


OPERATIONS: Mapping[int, frozenset[str]] = {
    CommandField.C_STORE_RQ: STORAGE,
    CommandField.N_CREATE_RQ: frozenset((INSTANCE_AVAILABILITY, PROCEDURE_STEP)),
    CommandField.N_SET_RQ: frozenset((PROCEDURE_STEP,)),
    CommandField.N_ACTION_RQ: frozenset((STORAGE_COMMITMENT,)),
}
"""Which operation is asked of which SOP class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What to do with what arrives: each returns a status of the standard, or what is to be told.

    They must not return before the news is durable; what `store` is given is to be written to its
    end first (`SpoolFile.finish`, or `end`). `Refused`, `InvalidRequest` and `Unavailable`
    are answered with their status and their message as Error Comment; any other exception is
    logged and answered as a failure.
    """

    store: Callable[[StoreRequest], Awaitable[int]]
    n_create: Callable[[NRequest], Awaitable[int]]
    n_set: Callable[[NRequest], Awaitable[int]]
    n_action: Callable[[NRequest], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    comment: str = ""
    instance: str = ""
    error_id: int = 0


class Provider:
    """Serves one association. `is_busy` tells whether a message is under way.

    Args:
        long_one: held while a long notification is handled, on whichever association.
    """

    def __init__(
        self,
        layer: UpperLayer,
        peer: Peer,
        *,
        handlers: Handlers,
        spooling: Spooling,
        long_one: asyncio.Lock,
        limits: DimseLimits,
    ) -> None:
        self.is_busy = False
        self._layer = layer
        self._peer = peer
        self._handlers = handlers
        self._spooling = spooling
        self._long_one = long_one
        self._limits = limits
        self._reports = EventReports(layer)

    async def serve_one(self) -> None:
        """Wait for one request and answer it; while none comes, tell what there is to tell.

        Raises:
            ProtocolError: the peer broke the protocol.
            AssociationEnded: it released, aborted or left.
            TimeoutError: it went silent, or its message stayed unfinished.
        """
        await self._reports.tell_next()
        fragment, context = await self._layer.next_fragment()
        self.is_busy = True
        try:
            command = await read_command(self._layer, fragment, self._limits)
            if command.field & RESPONSE:
                await self._reports.answered(command, fragment.context_id, self._limits)
                return
            answer = await self._answer(command, fragment.context_id, context)
            if answer is not None:
                encoded = encode_answer(
                    command,
                    answer.status,
                    comment=answer.comment,
                    error_id=answer.error_id,
                    instance=answer.instance,
                )
                await self._layer.send_command(encoded, context_id=fragment.context_id)
        finally:
            self.is_busy = False

    async def end(self) -> None:
        """The association has ended, and not by us."""
        await self._reports.end()

    async def _answer(self, command: Command, context_id: int, context: Context) -> _Answer | None:
        if command.field == CommandField.C_CANCEL_RQ:  # by now all is answered; it has no answer
            return None
        answer = _immediate_answer(command, context)
        if answer is None and command.field == CommandField.C_STORE_RQ:
            return await self._store(command, context_id, context)
        if answer is None:
            return await self._notify(command, context_id, context)
        if command.has_data_set:
            async with asyncio.timeout(self._limits.message_s):
                await drain(data_set(self._layer, context_id), self._limits)
        return answer

    async def _store(self, command: Command, context_id: int, context: Context) -> _Answer:
        message = Message(command, context_id, context)
        async with spooled(
            self._layer, message, self._peer, self._spooling, self._limits
        ) as request:
            if request is None:
                return _Answer(StoreStatus.OUT_OF_RESOURCES, NO_ROOM)
            return await self._ask(self._handlers.store(request), _STORE_STATUS)

    async def _notify(self, command: Command, context_id: int, context: Context) -> _Answer:
        # The SCP allots the instance's UID where the SCU leaves it out (PS3.7 §10.1.5.1.4).
        instance = command.sop_instance or Uid(generate_uid(prefix=None))
        received = MemorySink(bytes_max=self._limits.notification_bytes_max)
        if not await receive_data_set(self._layer, context_id, received, self._limits):
            return _Answer(Status.RESOURCE_LIMITATION, NO_ROOM)
        request = NRequest(
            peer=self._peer,
            sop_class=Uid(context.abstract_syntax),
            sop_instance=instance,
            transfer_syntax=Uid(context.transfer_syntax),
            encoded=received.data,
            action_type=command.number(Element.ACTION_TYPE),
        )
        is_short = len(request.encoded) <= self._limits.notification_bytes_short
        async with nullcontext() if is_short else self._long_one:
            outcome = self._handle(command.field, request, context_id, context)
            return replace(await self._ask(outcome, _N_STATUS), instance=instance)

    async def _handle(
        self, field: int, request: NRequest, context_id: int, context: Context
    ) -> int:
        if field == CommandField.N_SET_RQ:
            return await self._handlers.n_set(request)
        if field == CommandField.N_CREATE_RQ:
            return await self._handlers.n_create(request)
        result = await self._handlers.n_action(request)
        self._reports.add(result, context_id, context)
        return Status.SUCCESS

    async def _ask(
        self, outcome: Awaitable[int], statuses: Mapping[type[Exception], int]
    ) -> _Answer:
        try:
            async with asyncio.timeout(self._limits.handler_s):
                return _Answer(await outcome)
        except Exception as error:
            status = next(statuses[kind] for kind in type(error).__mro__ if kind in statuses)
            error_id = 0
            if isinstance(error, Refused):
                status, error_id = error.status, error.error_id
            if isinstance(error, GatewayError):  # its message holds no patient data
                fields = {"status": f"{status:04X}", "reason": str(error)}
                log.warning("request_refused", extra=fields)
                return _Answer(status, str(error), error_id=error_id)
            log.exception("handler_failed", extra={"status": f"{status:04X}"})
            return _Answer(status)


def _immediate_answer(command: Command, context: Context) -> _Answer | None:
    """What can be answered without a handler; None for what is a handler's."""
    name = context.abstract_syntax
    if command.field == CommandField.C_ECHO_RQ and name == VERIFICATION:
        return _Answer(Status.SUCCESS)
    if name not in OPERATIONS.get(command.field, frozenset()):
        return _Answer(Status.UNRECOGNISED_OPERATION)
    if not command.has_data_set:
        return _Answer(Status.MISTYPED_ARGUMENT, "no data set follows")
    if command.sop_class != name:
        return _Answer(Status.SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of its context")
    # An N-CREATE may leave its instance out, the others may not.
    may_lack = command.field == CommandField.N_CREATE_RQ and command.names_no_instance
    if not may_lack and command.sop_instance is None:
        return _Answer(Status.INVALID_SOP_INSTANCE, "the SOP instance is no UID")
    return None
