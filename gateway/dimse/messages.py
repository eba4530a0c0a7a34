"""Reads a message of an association piece by piece (PS3.7 §6.3): its command set, its data set."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.dimse.commands import Command, Element, decode_command
from gateway.dimse.limits import DimseLimits
from gateway.dimse.negotiation import Context
from gateway.dimse.pdus import Fragment, ProtocolError
from gateway.dimse.statuses import AbortReason
from gateway.dimse.upper_layer import UpperLayer


@dataclass(frozen=True, slots=True)
class Message:
    """A command set that the peer sent; its data set, if it has one, is still to be read."""

    command: Command
    context_id: int
    context: Context

    @property
    def status(self) -> int:
        """Of an answer."""
        return self.command.number(Element.STATUS) or 0


async def read_command(layer: UpperLayer, fragment: Fragment, limits: DimseLimits) -> Command:
    """The command set that begins with this fragment.

    Raises:
        ProtocolError: something else comes between, or it is too long or none.
        TimeoutError: it stays unfinished.
    """
    if fragment.is_command and fragment.is_last and len(fragment.data) <= limits.command_bytes_max:
        return decode_command(bytes(fragment.data))  # as almost every one comes
    context_id, encoded = fragment.context_id, bytearray()
    async with asyncio.timeout(limits.message_s):
        while True:
            encoded += fragment.data
            if (
                not fragment.is_command
                or fragment.context_id != context_id
                or len(encoded) > limits.command_bytes_max
            ):
                raise ProtocolError(AbortReason.SERVICE_USER)
            if fragment.is_last:
                return decode_command(bytes(encoded))
            fragment, _ = await layer.next_fragment()


async def data_set(layer: UpperLayer, context_id: int) -> AsyncIterator[memoryview]:
    """The pieces of the data set that follows.

    Raises:
        ProtocolError: something else comes between.
    """
    is_last = False
    while not is_last:
        fragment, _ = await layer.next_fragment()
        if fragment.is_command or fragment.context_id != context_id:
            raise ProtocolError(AbortReason.SERVICE_USER)
        is_last = fragment.is_last
        yield fragment.data


async def drain(pieces: AsyncIterator[memoryview], limits: DimseLimits) -> None:
    """Read on to the end: an answer reaches the sender only once it has sent everything.

    Raises:
        ProtocolError: that would be too much.
    """
    drained_bytes = 0
    async for piece in pieces:
        drained_bytes += len(piece)
        if drained_bytes > limits.drained_bytes_max:
            raise ProtocolError(AbortReason.SERVICE_USER)
