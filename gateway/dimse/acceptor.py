"""Listens for DICOM associations and serves each in a task of its own.

`app` runs one server per gateway. Whatever a peer sends or leaves unsent, its association alone
ends; the number of associations and what each may hold or wait for is bounded by `DimseLimits`.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Self

from gateway.dimse.commands import Peer
from gateway.dimse.limits import DimseLimits
from gateway.dimse.negotiation import negotiate
from gateway.dimse.pdus import ProtocolError, decode_request, decode_titles
from gateway.dimse.provider import Handlers, Provider
from gateway.dimse.statuses import AbortReason, RejectReason
from gateway.dimse.upper_layer import AssociationEnded, UpperLayer

log = logging.getLogger(__name__)

Admits = Callable[[Peer], RejectReason | None]
"""Why a peer may not associate, or None if it may."""

REFUSALS_MAX = 32  # connections over the limit that are told so at one time; more are just closed
SPOOL_THREADS = 4


class DimseServer:
    """The acceptor of all inbound associations. Made by `start`, ended by `close`."""

    def __init__(
        self,
        *,
        handlers: Handlers,
        admits: Admits,
        spool: Callable[[], Path],
        limits: DimseLimits,
    ) -> None:
        self._handlers = handlers
        self._admits = admits
        self._spool = spool
        self._limits = limits
        self._executor = ThreadPoolExecutor(SPOOL_THREADS, thread_name_prefix="dimse-spool")
        self._ids = count(1)
        self._providers: dict[asyncio.Task[None], Provider | None] = {}
        self._handshakes: dict[asyncio.Task[None], float] = {}
        """Since when each connection has not associated, on the loop's clock; the oldest first."""
        self._refusals = 0
        self._is_closing = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._owner: asyncio.Task[None]
        self._listener: asyncio.Server

    @classmethod
    async def start(
        cls,
        host: str,
        port: int,
        *,
        handlers: Handlers,
        admits: Admits,
        spool: Callable[[], Path],
        limits: DimseLimits | None = None,
    ) -> Self:
        """Listen; port 0 takes a free one.

        Args:
            spool: names a file that does not exist, in a folder that does, on the file system
                where instances are kept; the name tells nothing of what is in it.

        Raises:
            OSError: the address cannot be listened on.
        """
        server = cls(handlers=handlers, admits=admits, spool=spool, limits=limits or DimseLimits())
        owning = asyncio.Event()
        server._owner = asyncio.create_task(server._own_tasks(owning), name="dimse-server")
        await owning.wait()
        try:
            server._listener = await asyncio.start_server(
                server._accept, host, port, limit=server._limits.pdu_bytes_announced
            )
        except BaseException:
            server._is_closing.set()
            await server._owner
            raise
        return server

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def close(self, *, grace_s: float) -> None:
        """Stop listening, end idle associations, and give messages under way `grace_s` to end."""
        self._listener.close()
        self._is_closing.set()
        for task, provider in self._providers.items():
            if provider is None or not provider.is_busy:
                task.cancel()
        await asyncio.wait({self._owner}, timeout=grace_s)
        self._owner.cancel()
        with suppress(asyncio.CancelledError):
            await self._owner

    async def _own_tasks(self, owning: asyncio.Event) -> None:
        try:
            async with self._tasks:
                owning.set()
                await self._is_closing.wait()
        finally:
            self._executor.shutdown(cancel_futures=True)  # at most one write is under way

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_closing.is_set() or self._refusals >= REFUSALS_MAX:
            writer.transport.abort()
            return
        writer.get_extra_info("socket").setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        layer = UpperLayer(reader, writer, self._limits)
        if len(self._providers) >= self._limits.associations_max and not self._make_room():
            self._refusals += 1
            self._tasks.create_task(self._refuse(layer))
            return
        address = str(writer.get_extra_info("peername")[0])
        task = self._tasks.create_task(self._serve(layer, address))
        self._providers[task] = None
        self._handshakes[task] = asyncio.get_running_loop().time()
        task.add_done_callback(self._forget)

    def _make_room(self) -> bool:
        """End the oldest silent connection: a few from one address must not keep all others out."""
        silent_by = asyncio.get_running_loop().time() - self._limits.handshake_room_s
        for task, since in self._handshakes.items():
            if since > silent_by:
                return False
            log.warning("silent_connection_ended", extra={"associations": len(self._providers)})
            task.cancel()
            self._forget(task)
            return True
        return False

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._providers.pop(task, None)
        self._handshakes.pop(task, None)

    async def _refuse(self, layer: UpperLayer) -> None:
        log.warning("association_refused", extra={"associations": len(self._providers)})
        try:
            await layer.reject(RejectReason.LOCAL_LIMIT_EXCEEDED)
        finally:
            self._refusals -= 1
            await layer.close()

    async def _serve(self, layer: UpperLayer, address: str) -> None:
        fields: dict[str, str | int] = {"association": next(self._ids), "address": address}
        try:
            await self._associate(layer, address, fields)
        except AssociationEnded:
            log.info("association_ended", extra=fields)
        except TimeoutError:
            log.warning("association_timed_out", extra=fields)
            await layer.abort(AbortReason.SERVICE_USER)
        except ProtocolError as error:
            log.warning("association_aborted", extra={**fields, "reason": error.reason.name})
            await layer.abort(error.reason)
        except asyncio.CancelledError:
            layer.abort_at_once(AbortReason.SERVICE_USER)
            raise
        except Exception:  # a bug of ours ends this association, and no other
            log.exception("association_failed", extra=fields)
            await layer.abort(AbortReason.SERVICE_USER)
        finally:
            await layer.close()

    async def _associate(
        self, layer: UpperLayer, address: str, fields: dict[str, str | int]
    ) -> None:
        payload = await layer.read_request()
        calling_ae, called_ae = decode_titles(payload)
        peer = Peer(calling_ae=calling_ae, called_ae=called_ae, address=address)
        agreement = self._admits(peer) or negotiate(
            *decode_request(payload), pdu_bytes_announced=self._limits.pdu_bytes_announced
        )
        if isinstance(agreement, RejectReason):
            log.warning("association_rejected", extra={**fields, "reason": agreement.name})
            await layer.reject(agreement)
            return
        provider = Provider(
            layer,
            peer,
            handlers=self._handlers,
            spool=self._spool,
            executor=self._executor,
            limits=self._limits,
        )
        await layer.accept(agreement)
        log.info("association_accepted", extra=fields)
        await self._converse(layer, provider)

    async def _converse(self, layer: UpperLayer, provider: Provider) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._providers[task] = provider
        del self._handshakes[task]
        while not self._is_closing.is_set():
            await provider.serve_one()
        layer.abort_at_once(AbortReason.SERVICE_USER)
