"""Listens for HL7 senders over TCP, with or without TLS, by the minimal lower layer protocol.

A connection carries any number of messages; they are handled one after another and answered in
their order. A sender that breaks the framing is told so and cut off, for nobody can know where its
next message begins.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.clock import Clock, at, system_clock
from gateway.connections import arrivals, listen, open_streams, why_no_tls
from gateway.hl7.acknowledgement import AckCode, acknowledge
from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.frames import END, START, BrokenFrame, FrameReader
from gateway.hl7.message import HEADER_BYTES_MAX, read_header

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024

Handle = Callable[[bytes, str], Awaitable[bytes]]
"""Takes a message and its sender's address, gives the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpLimits:
    """What one sender may ask of the server."""

    message_bytes_max: int = 32 * 1024 * 1024
    connections_max: int = 64
    idle_s: float = 3600.0
    """Between two messages: interface engines keep their connection open."""
    message_s: float = 60.0
    """From the first byte of a message to its last."""
    handle_s: float = 60.0
    """For a message to be taken; beyond it the sender is told to try again."""
    answer_s: float = 10.0
    """For the sender to take its answer."""
    handshake_s: float = 15.0
    """For the handshake of TLS, where it is spoken."""


class MllpServer:
    """Listens for senders. It owns a task per connection, which ends with it."""

    def __init__(
        self,
        *,
        handle: Handle,
        admits: Callable[[str], bool],
        limits: MllpLimits,
        clock: Clock,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._tls = tls
        self._handle = handle
        self._admits = admits
        self._limits = limits
        self._clock = clock
        self._connections: set[asyncio.Task[None]] = set()
        self._port = 0
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        host: str,
        port: int,
        *,
        handle: Handle,
        admits: Callable[[str], bool],
        limits: MllpLimits | None = None,
        clock: Clock = system_clock,
        tls: ssl.SSLContext | None = None,
    ) -> "MllpServer":
        """Listen at once; port 0 takes a free one.

        Args:
            handle: gives the answer to each message. Where it raises, the sender is told to try
                again.
            admits: whether a sender at this address may speak at all; others are cut off unheard.
            tls: spoken on every connection; None for none.

        Raises:
            OSError: the address is not free.
        """
        server = cls(
            handle=handle, admits=admits, limits=limits or MllpLimits(), clock=clock, tls=tls
        )
        listening = listen(host, port)
        server._port = listening.getsockname()[1]
        server._listener = asyncio.create_task(server._accept(listening), name="mllp-server")
        return server

    @property
    def port(self) -> int:
        """The port that it listens on.

        Raises:
            RuntimeError: it listens no more.
        """
        if self._listener is None or self._listener.done():
            raise RuntimeError("the MLLP server does not listen")
        return self._port

    async def close(self) -> None:
        """Stop listening and cut off every sender; a message not yet answered comes again."""
        tasks = [*self._connections, *([self._listener] if self._listener else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        async for connection, peer in arrivals(listening):
            if not self._admits(peer):
                log.warning("mllp_peer_refused", extra={"peer": peer})
                connection.close()
            elif len(self._connections) >= self._limits.connections_max:
                log.warning("mllp_connections_exhausted", extra={"peer": peer})
                connection.close()
            else:
                # A sender that is switched off says nothing; the system finds out.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                task = asyncio.create_task(self._serve(connection, peer))
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)

    async def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            reader, writer = await open_streams(
                connection,
                self._tls,
                buffered_bytes=READ_BYTES,
                handshake_s=self._limits.handshake_s,
                shutdown_s=self._limits.answer_s,
            )
        except OSError as error:  # those of `ssl` are such
            fields = {"peer": peer, "reason": why_no_tls(error)}
            log.warning("mllp_handshake_failed", extra=fields)
        else:
            await self._serve_stream(reader, writer, peer)

    async def _serve_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str
    ) -> None:
        try:
            await self._converse(reader, writer, peer)
        except (TimeoutError, OSError) as error:
            log.info("mllp_connection_lost", extra={"peer": peer, "error": type(error).__name__})
        except Exception:
            log.exception("mllp_connection_failed", extra={"peer": peer})
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            try:
                async with asyncio.timeout(self._limits.answer_s):
                    await writer.wait_closed()
            except (TimeoutError, OSError):
                writer.transport.abort()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str
    ) -> None:
        frames = FrameReader(message_bytes_max=self._limits.message_bytes_max)
        try:
            while (message := await self._next_message(reader, frames)) is not None:
                await self._answer(writer, await self._handled(message, peer))
        except RefusedMessage as fault:
            log.warning("mllp_frame_refused", extra={"peer": peer, "reason": str(fault)})
            code = AckCode.REJECTED if isinstance(fault, BrokenFrame) else AckCode.ERROR
            await self._answer(writer, self._refusal(frames.head, code, fault))
            await self._linger(reader, writer)

    async def _next_message(
        self, reader: asyncio.StreamReader, frames: FrameReader
    ) -> bytes | None:
        """The next message; None once the sender has hung up between two of them.

        Raises:
            TimeoutError: the sender was silent for too long.
            BrokenFrame: what came is no frame, or its end did not come in time.
            RefusedMessage: the message is too long.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.idle_s
        begun = False
        while (message := frames.take()) is None:
            if frames.within_message and not begun:
                begun, deadline = True, loop.time() + self._limits.message_s
            try:
                async with asyncio.timeout_at(deadline):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                if not begun:
                    raise
                raise BrokenFrame("its end, FS CR, did not come in time") from None
            if not data:
                if begun:
                    raise ConnectionResetError("the sender hung up inside a message")
                return None
            frames.feed(data)
        return message

    async def _handled(self, message: bytes, peer: str) -> bytes:
        try:
            async with asyncio.timeout(self._limits.handle_s):
                return await self._handle(message, peer)
        except Exception:  # the next message, and the other senders, must still be served
            log.exception("mllp_message_not_handled", extra={"peer": peer})
            fault = RefusedMessage("it cannot be taken now: try again", code=ErrorCode.INTERNAL)
            return self._refusal(message[:HEADER_BYTES_MAX], AckCode.REJECTED, fault)

    def _refusal(self, head: bytes, code: AckCode, fault: RefusedMessage) -> bytes:
        return acknowledge(read_header(head), code, fault, answered_at=at(self._clock()))

    async def _answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        async with asyncio.timeout(self._limits.answer_s):
            writer.write(START + answer + END)
            await writer.drain()

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read what is still on its way: closing over it would reset the connection, and the
        sender would lose the answer that says why."""
        if writer.can_write_eof():  # TLS cannot be ended on one side only
            writer.write_eof()
        left = self._limits.message_bytes_max
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.answer_s):
                while left > 0 and (data := await reader.read(READ_BYTES)):
                    left -= len(data)
