"""A connection whose bytes are read where the kernel put them, without a copy.

Pieces that were read stay as they are for whoever holds them; what arrives next goes elsewhere.
Where that is, is used again once nobody holds a piece of it: the kernel clears each page that it
gives, which takes as long as the bytes that are read there.
"""

import asyncio
import os
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
        self._spare = bytearray()
        """The room before this one, of which pieces may be held."""
        self._start = self._end = 0
        """Between them lies what has come and was not read yet."""
        self._wanted = 0
        """Bytes that are waited for."""
        self._is_paused = False
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._is_closed = asyncio.Event()
        self._transport: asyncio.Transport
        self._socket: socket.socket

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

    async def read(self, count: int, *, within_s: float) -> memoryview:
        """The next so many bytes.

        Raises:
            TimeoutError: they do not come in that time.
            OSError: the connection ends before.
        """
        if not self.holds(count):
            await self._wait_for(count, within_s)
        piece = memoryview(self._room)[self._start : self._start + count]
        self._start += count
        return piece

    async def wait(self, *, within_s: float) -> None:
        """Wait until there is something to read.

        Raises:
            TimeoutError: nothing comes in that time.
            OSError: the connection ends before.
        """
        if self._start == self._end:
            await self._wait_for(1, within_s)

    async def skip(self, *, within_s: float) -> None:
        """Read on to the connection's end.

        Raises:
            TimeoutError: it does not end in that time.
        """
        async with asyncio.timeout(within_s):
            while not self._is_over:
                self._start = self._end
                await self._arrival(1, within_s)

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
        # uvloop's own would ask the kernel for its address each time that it is used.
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._socket.close()
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
            self._make_room(max(ROOM_BYTES, len(self._room)))
        return memoryview(self._room)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come (see `asyncio.BufferedProtocol`)."""
        self._end += nbytes
        if self._end == len(self._room) and self._end - self._start >= ROOM_BYTES:
            self._is_paused = True
            self._transport.pause_reading()
        if self._end - self._start >= self._wanted:
            self._wake()
        else:
            self._acknowledge_at_once()

    def eof_received(self) -> bool:
        """The peer sends no more; it may still read, unless by TLS, which cannot end in part."""
        self._end_reading()
        return self._transport.get_extra_info("sslcontext") is None

    async def _wait_for(self, count: int, within_s: float) -> None:
        if len(self._room) - self._start < count:
            self._make_room(max(count, ROOM_BYTES if count < ROOM_BYTES else self._buffered_bytes))
        while self._end - self._start < count:
            if self._is_over:
                raise ConnectionResetError
            await self._arrival(count, within_s)

    async def _arrival(self, count: int, within_s: float) -> None:
        """Wait until so many bytes are there to be read, or the connection ends."""
        if self._transport.is_closing():
            await self._is_closed.wait()
            return
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        self._acknowledge_at_once()
        loop = asyncio.get_running_loop()
        self._waiter, self._wanted = loop.create_future(), count
        expiry = loop.call_later(within_s, self._expire, self._waiter)
        try:
            await self._waiter
        finally:
            expiry.cancel()
            self._waiter, self._wanted = None, 0

    def _acknowledge_at_once(self) -> None:
        if sys.platform == "linux":
            # A peer with Nagle's algorithm holds the end of what it says until we acknowledge the
            # start, 40 ms later. The kernel forgets the wish, so it is told each time.
            self._socket.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)

    def _make_room(self, size_bytes: int) -> None:
        left = memoryview(self._room)[self._start : self._end]
        size_bytes = max(size_bytes, 2 * len(left))
        can_reuse = len(self._spare) == size_bytes and not _is_held(self._spare)
        room = self._spare if can_reuse else bytearray(size_bytes)
        room[: len(left)] = left
        self._spare, self._room = self._room, room
        self._start, self._end = 0, len(left)

    def _end_reading(self) -> None:
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @staticmethod
    def _expire(waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_exception(TimeoutError())


def _is_held(room: bytearray) -> bool:
    """Whether somebody holds a piece of it: then it may not change its size."""
    try:
        room.pop()
    except BufferError:
        return True
    room.append(0)
    return False
