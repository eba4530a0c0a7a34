"""Receives instances that a peer stores, into the spool: as acceptor, and in answer to a C-GET."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.dimse.commands import Element, Peer, StoreRequest
from gateway.dimse.limits import DimseLimits
from gateway.dimse.messages import Message, data_set, drain
from gateway.dimse.spool import NoRoom, Sink, SpoolFile, file_header
from gateway.dimse.upper_layer import UpperLayer
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True)
class Spooling:
    """Where instances are spooled."""

    new_path: Callable[[], Path]
    """Names a file that does not exist, in a folder that does."""
    executor: Executor
    """Writes."""


@asynccontextmanager
async def spooled(
    layer: UpperLayer, message: Message, peer: Peer, spooling: Spooling, limits: DimseLimits
) -> AsyncIterator[StoreRequest | None]:
    """The instance of a C-STORE request, read whole; None, once it is read, if there is no room.

    Its last bytes are in memory until its file is finished. What lies at its path in the end is
    removed.
    """
    command, context = message.command, message.context
    instance = Uid(command.text(Element.AFFECTED_SOP_INSTANCE) or "")
    header = file_header(
        sop_class=context.abstract_syntax,
        sop_instance=instance,
        transfer_syntax=context.transfer_syntax,
    )
    path = spooling.new_path()
    file = SpoolFile(path, header, spooling.executor, bytes_max=limits.message_bytes_max)
    try:
        if not await receive_data_set(layer, message.context_id, file, limits):
            yield None
            return
        yield StoreRequest(
            peer=peer,
            sop_class=Uid(context.abstract_syntax),
            sop_instance=instance,
            transfer_syntax=Uid(context.transfer_syntax),
            spooled=file.path,
            file=file,
            originator_ae=command.text(Element.ORIGINATOR_AE),
            originator_message_id=command.number(Element.ORIGINATOR_MESSAGE_ID),
        )
    finally:
        file.discard()


async def receive_data_set(
    layer: UpperLayer, context_id: int, sink: Sink, limits: DimseLimits
) -> bool:
    """Read the data set into the sink; False, once it is read, if the sink cannot take it."""
    async with asyncio.timeout(limits.message_s):
        pieces = data_set(layer, context_id)
        try:
            async for data in pieces:
                await sink.write(data)
        except NoRoom:
            await drain(pieces, limits)
            return False
        return True
