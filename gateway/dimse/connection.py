"""A connection whose bytes are read where the kernel put them, without a copy.

Pieces that were read stay as they are for whoever holds them; what arrives next goes elsewhere.
"""

import asyncio
import socket
import sys
from ssl import SSLContext
from typing import Final, Self, cast

if sys.platform == "linux":
    from socket import TCP_QUICKACK

ROOM_BYTES: Final = 64 * 1024
"""For what is not asked for yet, such as the first PDU of a message."""


class Connection(asyncio.BufferedProtocol):
    """One end of a connection. One task reads and writes it.

    Args:
        buffered_bytes: read ahead of whoever reads; one longer piece may be asked for.
    """

    def __init__(self, *, buffered_bytes: int) -> None:
        self._buffered_bytes = buffered_bytes
        self._room = bytearray()
        self._start = self._end = 0
        """Between them lies what has come and was not read yet."""
        self._is_paused = False
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._is_closed = asyncio.Event()
        self._transport: asyncio.Transport

    @classmethod
    async def of(
        cls,
        accepted: socket.socket,
        tls: SSLContext | None,
        *,
        buffered_bytes: int,
        handshake_s: float,
        shutdown_s: float,
    ) -> Self:
        """The connection that was accepted, once it has come to terms with TLS where that is
        spoken (see `gateway.connections.open_streams`).

        Raises:
            OSError: there is no connection any more, or no TLS, in the time that it has.
        """
        # With TLS, uvloop returns a protocol of its own that stands before this one.
        connection = cls(buffered_bytes=buffered_bytes)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection,
            accepted,
            ssl=tls,
            ssl_handshake_timeout=handshake_s if tls else None,
            ssl_shutdown_timeout=shutdown_s if tls else None,
        )
        return connection

    @classmethod
    async def to(
        cls, host: str, port: int, tls: SSLContext | None, *, buffered_bytes: int, shutdown_s: float
    ) -> Self:
        """A new connection.

        Raises:
            OSError: it cannot be made, or does not come to terms by TLS (`SSLError`).
        """
        connection = cls(buffered_bytes=buffered_bytes)
        await asyncio.get_running_loop().create_connection(
            lambda: connection,
            host,
            port,
            ssl=tls,
            ssl_shutdown_timeout=shutdown_s if tls else None,
        )
        return connection

    def holds(self, count: int) -> bool:
        """Whether the next so many bytes have come, so that reading them waits for nothing."""
        return self._end - self._start >= count

    async def read(self, count: int) -> memoryview:
        """The next so many bytes.

        Raises:
            OSError: the connection ends before.
        """
        if not self.holds(count):
            await self._wait_for(count)
        piece = memoryview(self._room)[self._start : self._start + count]
        self._start += count
        return piece

    async def wait(self) -> None:
        """Wait until there is something to read.

        Raises:
            OSError: the connection ends before.
        """
        if self._start == self._end:
            await self._wait_for(1)

    async def skip(self) -> None:
        """Read on to the connection's end."""
        while not self._is_over:
            self._start = self._end
            await self._arrival()

    def write(self, data: bytes) -> bool:
        """Send; False where the peer is slow to take what was sent, and `drain` must be waited for.

        Raises:
            OSError: the connection has ended.
        """
        if self._is_closed.is_set():
            raise ConnectionResetError
        self._transport.write(data)
        return self._may_write.is_set()

    async def drain(self) -> None:
        """Wait for as long as the peer is slow."""
        await self._may_write.wait()

    def write_at_once(self, data: bytes) -> None:
        """Send if the peer takes it now; else end the connection."""
        self._transport.write(data)
        if self._transport.get_write_buffer_size():
            self._transport.abort()

    async def close(self) -> None:
        """Send what was written, and end the connection."""
        self._transport.close()
        await self._is_closed.wait()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        opened = transport.get_extra_info("socket")
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._is_closed.set()
        self._may_write.set()
        self._end_reading()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._may_write.set()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what comes (see `asyncio.BufferedProtocol`)."""
        if self._end == len(self._room):
            self._make_room(ROOM_BYTES)
        return memoryview(self._room)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come (see `asyncio.BufferedProtocol`)."""
        self._end += nbytes
        if self._end == len(self._room) and self._end - self._start >= ROOM_BYTES:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The peer sends no more; it may still read, unless by TLS, which cannot end in part."""
        self._end_reading()
        return self._transport.get_extra_info("sslcontext") is None

    async def _wait_for(self, count: int) -> None:
        if len(self._room) - self._start < count:
            self._make_room(max(count, ROOM_BYTES if count < ROOM_BYTES else self._buffered_bytes))
        while self._end - self._start < count:
            if self._is_over:
                raise ConnectionResetError
            await self._arrival()

    async def _arrival(self) -> None:
        """Wait for more."""
        if self._transport.is_closing():
            await self._is_closed.wait()
            return
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        if sys.platform == "linux":
            # A peer with Nagle's algorithm holds the end of what it says until we acknowledge the
            # start, 40 ms later. The kernel forgets the wish, so it is told each time.
            opened = self._transport.get_extra_info("socket")
            opened.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _make_room(self, size_bytes: int) -> None:
        left = memoryview(self._room)[self._start : self._end]
        room = bytearray(max(size_bytes, 2 * len(left)))
        room[: len(left)] = left
        self._room, self._start, self._end = room, 0, len(left)

    def _end_reading(self) -> None:
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
