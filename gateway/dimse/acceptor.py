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
from socket import socket
from ssl import SSLContext
from typing import Self

from gateway.connections import arrivals, listen, why_no_tls
from gateway.dimse.commands import Peer
from gateway.dimse.connection import Connection
from gateway.dimse.limits import DimseLimits
from gateway.dimse.negotiation import agree
from gateway.dimse.pdus import ProtocolError, decode_titles
from gateway.dimse.provider import Handlers, Provider
from gateway.dimse.receiving import Spooling
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
        self._limits = limits
        self._executor = ThreadPoolExecutor(SPOOL_THREADS, thread_name_prefix="dimse-spool")
        self._spooling = Spooling(spool, self._executor)
        self._long_one = asyncio.Lock()
        self._ids = count(1)
        self._providers: dict[asyncio.Task[None], Provider | None] = {}
        self._handshakes: dict[asyncio.Task[None], float] = {}
        """Since when each connection has not associated, on the loop's clock; the oldest first."""
        self._refusals = 0
        self._is_closing = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._owner: asyncio.Task[None]
        self._listeners: list[asyncio.Task[None]] = []
        self.port: int
        """The TCP port that is listened on without TLS."""

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
            server.port = server.listen(host, port)
        except BaseException:
            server._is_closing.set()
            await server._owner
            raise
        return server

    def listen(self, host: str, port: int, *, tls: SSLContext | None = None) -> int:
        """Listen on one more port, whose associations share the limits; the port.

        Args:
            tls: what each connection must come to terms with before its association. Its handshake
                has `handshake_s`, counts as a silent connection, and keeps nobody else waiting.

        Raises:
            OSError: the address cannot be listened on.
        """
        listening = listen(host, port)
        self._listeners.append(self._tasks.create_task(self._accept(listening, tls)))
        return int(listening.getsockname()[1])

    async def close(self, *, grace_s: float) -> None:
        """Stop listening, end idle associations, and give messages under way `grace_s` to end."""
        for listener in self._listeners:
            listener.cancel()
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

    async def _accept(self, listening: socket, tls: SSLContext | None) -> None:
        async for connection, address in arrivals(listening):
            self._accepted(connection, address, tls)

    def _accepted(self, connection: socket, address: str, tls: SSLContext | None) -> None:
        if self._is_closing.is_set() or self._refusals >= REFUSALS_MAX:
            connection.close()
            return
        if len(self._providers) >= self._limits.associations_max and not self._make_room():
            self._refusals += 1
            self._tasks.create_task(self._refuse(connection, tls))
            return
        task = self._tasks.create_task(self._serve(connection, address, tls))
        self._providers[task] = None
        self._handshakes[task] = asyncio.get_running_loop().time()
        task.add_done_callback(self._forget)

    async def _open(self, connection: socket, tls: SSLContext | None) -> UpperLayer:
        opened = await Connection.of(
            connection,
            tls,
            buffered_bytes=2 * self._limits.pdu_bytes_announced,
            handshake_s=self._limits.handshake_s,
            shutdown_s=self._limits.artim_s,
        )
        return UpperLayer(opened, self._limits)

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

    async def _refuse(self, connection: socket, tls: SSLContext | None) -> None:
        log.warning("association_refused", extra={"associations": len(self._providers)})
        try:
            layer = await self._open(connection, tls)
            try:
                await layer.reject(RejectReason.LOCAL_LIMIT_EXCEEDED)
            finally:
                await layer.close()
        except OSError:  # it has gone, or has not come to terms
            connection.close()
        finally:
            self._refusals -= 1

    async def _serve(self, connection: socket, address: str, tls: SSLContext | None) -> None:
        fields: dict[str, str | int] = {"association": next(self._ids), "address": address}
        try:
            layer = await self._open(connection, tls)
        except OSError as error:
            log.warning("tls_refused", extra={**fields, "reason": why_no_tls(error)})
            return
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
        agreement = self._admits(peer) or agree(
            payload, pdu_bytes_announced=self._limits.pdu_bytes_announced
        )
        if isinstance(agreement, RejectReason):
            log.warning("association_rejected", extra={**fields, "reason": agreement.name})
            await layer.reject(agreement)
            return
        provider = Provider(
            layer,
            peer,
            handlers=self._handlers,
            spooling=self._spooling,
            long_one=self._long_one,
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
        try:
            while not self._is_closing.is_set():
                await provider.serve_one()
        except Exception:
            await provider.end()
            raise
        layer.abort_at_once(AbortReason.SERVICE_USER)
