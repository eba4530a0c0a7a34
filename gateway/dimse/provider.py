"""Answers the requests of one association, one after the other (PS3.7 §9, §10).

C-ECHO is answered here. C-STORE and N-CREATE are received whole and handed to a handler, whose
outcome becomes a status in one place; nothing a handler does ends the association.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.uid import generate_uid

from gateway.dimse.commands import (
    RESPONSE,
    Command,
    CommandField,
    Element,
    NCreateRequest,
    Peer,
    StoreRequest,
    decode_command,
    encode_answer,
)
from gateway.dimse.limits import DimseLimits
from gateway.dimse.negotiation import INSTANCE_AVAILABILITY, STORAGE, VERIFICATION, Context
from gateway.dimse.pdus import Fragment, ProtocolError
from gateway.dimse.spool import MemorySink, NoRoom, Sink, SpoolFile, file_header
from gateway.dimse.statuses import AbortReason, Status, StoreStatus
from gateway.dimse.upper_layer import UpperLayer
from gateway.errors import AccessDenied, GatewayError, InvalidRequest, Unavailable
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

_STORE_STATUS: Mapping[type[Exception], int] = {
    InvalidRequest: StoreStatus.DATA_SET_DOES_NOT_MATCH,
    AccessDenied: Status.NOT_AUTHORISED,
    Unavailable: StoreStatus.OUT_OF_RESOURCES,
    TimeoutError: StoreStatus.OUT_OF_RESOURCES,
    Exception: StoreStatus.CANNOT_UNDERSTAND,
}
_CREATE_STATUS: Mapping[type[Exception], int] = {
    InvalidRequest: Status.INVALID_ATTRIBUTE_VALUE,
    AccessDenied: Status.NOT_AUTHORISED,
    Unavailable: Status.RESOURCE_LIMITATION,
    TimeoutError: Status.RESOURCE_LIMITATION,
    Exception: Status.PROCESSING_FAILURE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What to do with what arrives: each returns a status of the standard.

    Success must not be returned before the news is durable. An `InvalidRequest`, `AccessDenied` or
    `Unavailable` is answered with its status and its message as Error Comment; any other exception
    is logged and answered as a failure.
    """

    store: Callable[[StoreRequest], Awaitable[int]]
    n_create: Callable[[NCreateRequest], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    comment: str = ""
    instance: str = ""


_NO_ROOM = "the data set is too long, or there is no room for it"


class Provider:
    """Serves one association. `is_busy` tells whether a message is under way."""

    def __init__(
        self,
        layer: UpperLayer,
        peer: Peer,
        *,
        handlers: Handlers,
        spool: Callable[[], Path],
        executor: Executor,
        limits: DimseLimits,
    ) -> None:
        self.is_busy = False
        self._layer = layer
        self._peer = peer
        self._handlers = handlers
        self._spool = spool
        self._executor = executor
        self._limits = limits

    async def serve_one(self) -> None:
        """Wait for one request and answer it.

        Raises:
            ProtocolError: the peer broke the protocol.
            AssociationEnded: it released, aborted or left.
            TimeoutError: it went silent, or its message stayed unfinished.
        """
        fragment, context = await self._layer.next_fragment()
        self.is_busy = True
        try:
            command = await self._read_command(fragment)
            answer = await self._answer(command, fragment.context_id, context)
            if answer is not None:
                encoded = encode_answer(
                    command, answer.status, comment=answer.comment, instance=answer.instance
                )
                await self._layer.send_command(encoded, context_id=fragment.context_id)
        finally:
            self.is_busy = False

    async def _read_command(self, fragment: Fragment) -> Command:
        context_id, encoded = fragment.context_id, bytearray()
        async with asyncio.timeout(self._limits.message_s):
            while True:
                encoded += fragment.data
                if (
                    not fragment.is_command
                    or fragment.context_id != context_id
                    or len(encoded) > self._limits.command_bytes_max
                ):
                    raise ProtocolError(AbortReason.SERVICE_USER)
                if fragment.is_last:
                    return decode_command(bytes(encoded))
                fragment, _ = await self._layer.next_fragment()

    async def _answer(self, command: Command, context_id: int, context: Context) -> _Answer | None:
        if command.field & RESPONSE:  # we asked nothing
            raise ProtocolError(AbortReason.SERVICE_USER)
        if command.field == CommandField.C_CANCEL_RQ:  # by now all is answered; it has no answer
            return None
        answer = _immediate_answer(command, context)
        if answer is None and command.field == CommandField.C_STORE_RQ:
            return await self._store(command, context_id, context)
        if answer is None:
            return await self._n_create(command, context_id, context)
        if command.has_data_set:
            async with asyncio.timeout(self._limits.message_s):
                await self._drain(self._data_set(context_id))
        return answer

    async def _store(self, command: Command, context_id: int, context: Context) -> _Answer:
        instance = Uid(command.text(Element.AFFECTED_SOP_INSTANCE) or "")
        header = file_header(
            sop_class=context.abstract_syntax,
            sop_instance=instance,
            transfer_syntax=context.transfer_syntax,
        )
        file = SpoolFile(
            self._spool(), header, self._executor, bytes_max=self._limits.message_bytes_max
        )
        try:
            if not await self._receive(context_id, file):
                return _Answer(StoreStatus.OUT_OF_RESOURCES, _NO_ROOM)
            request = StoreRequest(
                peer=self._peer,
                sop_class=Uid(context.abstract_syntax),
                sop_instance=instance,
                transfer_syntax=Uid(context.transfer_syntax),
                spooled=file.path,
                digest_sha256=file.digest_sha256,
                size_bytes=file.size_bytes,
                originator_ae=command.text(Element.ORIGINATOR_AE),
                originator_message_id=command.number(Element.ORIGINATOR_MESSAGE_ID),
            )
            return await self._ask(self._handlers.store(request), _STORE_STATUS)
        finally:
            file.discard()

    async def _n_create(self, command: Command, context_id: int, context: Context) -> _Answer:
        # The SCP allots the instance's UID where the SCU leaves it out (PS3.7 §10.1.5.1.4).
        instance = command.uid(Element.AFFECTED_SOP_INSTANCE) or Uid(generate_uid(prefix=None))
        received = MemorySink(bytes_max=self._limits.notification_bytes_max)
        if not await self._receive(context_id, received):
            return _Answer(Status.RESOURCE_LIMITATION, _NO_ROOM)
        request = NCreateRequest(
            peer=self._peer,
            sop_class=Uid(context.abstract_syntax),
            sop_instance=instance,
            transfer_syntax=Uid(context.transfer_syntax),
            encoded=received.data,
        )
        answer = await self._ask(self._handlers.n_create(request), _CREATE_STATUS)
        return replace(answer, instance=instance)

    async def _receive(self, context_id: int, sink: Sink) -> bool:
        """Read the data set into the sink; False, once it is read, if the sink cannot take it."""
        async with asyncio.timeout(self._limits.message_s):
            data_set = self._data_set(context_id)
            try:
                async for data in data_set:
                    await sink.write(data)
                await sink.finish()
            except NoRoom:
                await self._drain(data_set)
                return False
            return True

    async def _drain(self, data_set: AsyncIterator[memoryview]) -> None:
        # The refusal reaches the sender only once it has sent everything.
        drained_bytes = 0
        async for data in data_set:
            drained_bytes += len(data)
            if drained_bytes > self._limits.drained_bytes_max:
                raise ProtocolError(AbortReason.SERVICE_USER)

    async def _data_set(self, context_id: int) -> AsyncIterator[memoryview]:
        is_last = False
        while not is_last:
            fragment, _ = await self._layer.next_fragment()
            if fragment.is_command or fragment.context_id != context_id:
                raise ProtocolError(AbortReason.SERVICE_USER)
            is_last = fragment.is_last
            yield fragment.data

    async def _ask(
        self, outcome: Awaitable[int], statuses: Mapping[type[Exception], int]
    ) -> _Answer:
        try:
            async with asyncio.timeout(self._limits.handler_s):
                return _Answer(await outcome)
        except Exception as error:
            status = next(statuses[kind] for kind in type(error).__mro__ if kind in statuses)
            if isinstance(error, GatewayError):  # its message holds no patient data
                fields = {"status": f"{status:04X}", "reason": str(error)}
                log.warning("request_refused", extra=fields)
                return _Answer(status, str(error))
            log.exception("handler_failed", extra={"status": f"{status:04X}"})
            return _Answer(status)


def _immediate_answer(command: Command, context: Context) -> _Answer | None:
    """What can be answered without a handler; None for what is a handler's."""
    name = context.abstract_syntax
    match command.field:
        case CommandField.C_ECHO_RQ if name == VERIFICATION:
            return _Answer(Status.SUCCESS)
        case CommandField.C_STORE_RQ if name in STORAGE:
            pass
        case CommandField.N_CREATE_RQ if name == INSTANCE_AVAILABILITY:
            pass
        case _:
            return _Answer(Status.UNRECOGNISED_OPERATION)
    if not command.has_data_set:
        return _Answer(Status.MISTYPED_ARGUMENT, "no data set follows")
    if command.uid(Element.AFFECTED_SOP_CLASS) != name:
        return _Answer(Status.SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of its context")
    # An N-CREATE may leave its instance out, a C-STORE may not.
    instance = command.elements.get(Element.AFFECTED_SOP_INSTANCE)
    may_lack = command.field == CommandField.N_CREATE_RQ and not instance
    if not may_lack and command.uid(Element.AFFECTED_SOP_INSTANCE) is None:
        return _Answer(Status.INVALID_SOP_INSTANCE, "the SOP instance is no UID")
    return None
