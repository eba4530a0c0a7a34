"""An association that we ask for, and what is said on it (PS3.8 §7.1, PS3.7 §9.3).

Who asks a PACS, or tells a peer a result, opens one as a context: it is released when all went
well, and else aborted.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from socket import gaierror
from ssl import SSLContext, SSLError

from pynetdicom.pdu_primitives import A_ASSOCIATE

from gateway.dimse.commands import RESPONSE, Command, CommandField, Element, encode_request
from gateway.dimse.connection import Connection
from gateway.dimse.limits import DimseLimits
from gateway.dimse.messages import Message, data_set, read_command
from gateway.dimse.negotiation import Context
from gateway.dimse.pdus import ProtocolError
from gateway.dimse.statuses import AbortReason
from gateway.dimse.upper_layer import AssociationEnded, AssociationRejected, UpperLayer


class NoAssociation(Exception):
    """There is no association with the peer, or no more; the message says why, after its name.

    Args:
        is_reached: whether there was a connection.
    """

    def __init__(self, message: str, *, is_reached: bool = True) -> None:
        super().__init__(message)
        self.is_reached = is_reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where a peer listens."""

    host: str
    port: int
    tls: SSLContext | None = None
    """What the connection must come to terms with before the association; None for none."""


class Association:
    """Our end of an association that we asked for. One task at a time uses it."""

    def __init__(
        self, layer: UpperLayer, contexts: Mapping[int, Context], limits: DimseLimits
    ) -> None:
        self.layer = layer
        self.contexts = contexts
        self.limits = limits
        self._message_id = 0

    def accepted(self, *sop_classes: str) -> tuple[int, Context] | None:
        """The context of the first of the classes that the peer took."""
        for name in sop_classes:
            for context_id, context in self.contexts.items():
                if context.abstract_syntax == name:
                    return context_id, context
        return None

    async def ask(
        self,
        field: CommandField,
        context_id: int,
        identifier: bytes = b"",
        *,
        message_id: int | None = None,
        destination: str = "",
    ) -> int:
        """Send a request; its message id, one of ours where none is given.

        Args:
            destination: of a C-MOVE.
        """
        if message_id is None:
            self._message_id = message_id = self._message_id % 0xFFFF + 1
        command = encode_request(
            field,
            sop_class=self.contexts[context_id].abstract_syntax,
            message_id=message_id,
            has_data_set=bool(identifier),
            destination=destination,
        )
        if identifier:
            await self.layer.send_message(command, identifier, context_id=context_id)
        else:
            await self.layer.send_command(command, context_id=context_id)
        return message_id

    async def receive(self) -> Message:
        """The next message.

        Raises:
            ProtocolError: it is broken.
            AssociationEnded: the peer ended the association.
            TimeoutError: none came within `idle_s`.
        """
        fragment, context = await self.layer.next_fragment()
        command = await read_command(self.layer, fragment, self.limits)
        return Message(command, fragment.context_id, context)

    async def receive_answer(self, field: CommandField, message_id: int) -> Message:
        """The next message, which must answer this request (see `receive`)."""
        message = await self.receive()
        ensure_answer(message.command, field, message_id)
        return message

    async def read_data_set(self, message: Message, *, bytes_max: int) -> bytes:
        """The data set of a message.

        Raises:
            ProtocolError: it has more bytes, or another message is in between.
        """
        received = bytearray()
        async with asyncio.timeout(self.limits.message_s):
            async for piece in data_set(self.layer, message.context_id):
                received += piece
                if len(received) > bytes_max:
                    raise ProtocolError(AbortReason.SERVICE_USER)
        return bytes(received)


def ensure_answer(command: Command, field: CommandField, message_id: int) -> None:
    """Return if the command answers this request.

    Raises:
        ProtocolError: it does not.
    """
    answers = command.number(Element.MESSAGE_ID_RESPONDED_TO)
    has_status = command.number(Element.STATUS) is not None
    if command.field != field | RESPONSE or answers != message_id or not has_status:
        raise ProtocolError(AbortReason.SERVICE_USER)


@asynccontextmanager
async def associated(
    to: Listener, asked: A_ASSOCIATE, limits: DimseLimits, *, connect_s: float
) -> AsyncIterator[Association]:
    """An association, whose contexts may be none.

    Raises:
        NoAssociation: it does not come about, or breaks off, also within the context.
    """
    layer = await _connect(to, limits, connect_s)
    try:
        yield Association(layer, await _requested(layer, asked), limits)
        await layer.release()
    except AssociationEnded:
        raise NoAssociation("broke off the association") from None
    except TimeoutError:
        layer.abort_at_once(AbortReason.SERVICE_USER)
        raise NoAssociation("does not answer in time") from None
    except ProtocolError as error:
        layer.abort_at_once(error.reason)
        raise NoAssociation("answers what it was not asked") from None
    except BaseException:
        layer.abort_at_once(AbortReason.SERVICE_USER)
        raise
    finally:
        await layer.close()


async def _requested(layer: UpperLayer, asked: A_ASSOCIATE) -> dict[int, Context]:
    try:
        return await layer.request(asked)
    except AssociationRejected as error:
        raise NoAssociation(f"rejects the association: {error}") from None
    except AssociationEnded:
        raise NoAssociation("refuses the association, or breaks it off") from None


async def _connect(to: Listener, limits: DimseLimits, connect_s: float) -> UpperLayer:
    try:
        async with asyncio.timeout(connect_s):
            connection = await Connection.to(
                to.host,
                to.port,
                to.tls,
                buffered_bytes=2 * limits.pdu_bytes_announced,
                shutdown_s=limits.artim_s,
            )
    except SSLError:
        raise NoAssociation("does not come to terms by TLS", is_reached=False) from None
    except (gaierror, UnicodeError):
        raise NoAssociation("has a name that leads to no address", is_reached=False) from None
    except OSError:  # its time is up, too
        raise NoAssociation("cannot be reached", is_reached=False) from None
    return UpperLayer(connection, limits)
