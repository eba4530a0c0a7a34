"""Has the kernel send files as parts of HTTP bodies (sendfile(2)): their bytes pass no Python.

`serving` offers it to the application as an ASGI extension of this name, on connections that the
kernel can write to: those without TLS. A message of the same name then stands for one of
`http.response.body` whose bytes are `before`, and `count` bytes of the open file `file` from
`offset` on; more of the body always follows.

What the kernel holds in memory is sent on the loop, one piece a turn of it, whoever's it is, so
that a hundred large bodies keep a small answer waiting for hardly longer than one. What the disk
must be asked for is sent by a thread. Nothing is buffered here: a client that takes nothing costs
its socket's buffer.
"""

import asyncio
import errno
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

R = TypeVar("R")

FILES: Final = "drim.response.file"
PIECE_BYTES: Final = 2**20
"""Sent at once, while the loop stands still: a tenth of a millisecond."""
TURN_S: Final = 0.0005
_PROBE_BYTES: Final = 2**18
"""From one byte that is looked for in memory to the next; files are read in larger pieces."""
_UNKNOWN: Final = (errno.EAGAIN, errno.EOPNOTSUPP)  # not in memory, or not to be told


class Turns:
    """Lets one sender of a loop send at a time, the one that has waited longest first.

    Args:
        clock: seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._called = False
        self._ends_at = 0.0

    async def next(self) -> None:
        """Return when it is the caller's turn, which lasts until it awaits something else. Where
        nobody else waits it goes on, until the loop has stood still for `TURN_S`."""
        if not self._waiting and self._clock() < self._ends_at:
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        self._call(loop)
        await turn

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._called and self._waiting:
            self._called = True
            loop.call_soon(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._called = False
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else it was cancelled
                turn.set_result(None)
                self._ends_at = self._clock() + TURN_S
                break
        self._call(loop)


def sending_files(app: ASGIApp, cycle: RequestResponseCycle, turns: Turns) -> ASGIApp:
    """The application, with the extension offered for one request.

    Args:
        cycle: of that request.
        turns: of all requests of the loop.
    """

    async def offered(scope: Scope, receive: Receive, send: Send) -> None:
        sender = _Sender(cycle, turns)
        scope.setdefault("extensions", {})[FILES] = {}
        try:
            await app(scope, receive, sender.send)
        except Exception:
            await sender.pass_head()  # what broke off a body is no answer of its own
            raise
        finally:
            sender.close()

    return offered


class _Sender:
    """Sends the messages of one response."""

    def __init__(self, cycle: RequestResponseCycle, turns: Turns) -> None:
        self._cycle = cycle
        self._turns = turns
        self._head: Message | None = None
        """Held back until it is known what follows it."""
        self._owed = b""
        """The end of a chunk, which goes with the beginning of the next."""
        self._socket: socket.socket | None = None

    async def send(self, message: Message) -> None:
        """Take any message of a response."""
        if message["type"] == "http.response.start":
            self._head = message
        elif message["type"] == FILES:
            await self._send_file(message)
        else:
            await self.pass_head()
            if self._owed and not self._cycle.disconnected:
                self._cycle.transport.write(self._owed)
                self._owed = b""
            await self._cycle.send(cast(ASGISendEvent, message))

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            if not self._cycle.transport.is_closing():
                self._cycle.transport.set_write_buffer_limits()

    async def pass_head(self) -> None:
        """Send the head of the response, if it was held back."""
        if self._head is not None:
            head, self._head = self._head, None
            await self._cycle.send(cast(ASGISendEvent, head))

    async def _send_file(self, message: Message) -> None:
        cycle = self._cycle
        if self._socket is None:
            # From now on the transport passes everything to the kernel at once, so that nothing of
            # it comes after what is sent past it.
            cycle.transport.set_write_buffer_limits(high=0)
        await self.pass_head()
        if cycle.flow.write_paused:
            await cycle.flow.drain()
        if cycle.disconnected or cycle.transport.is_closing() or cycle.scope["method"] == "HEAD":
            return
        if self._socket is None:
            # Another number of it: the loop watches the transport's own for the transport alone.
            theirs = cycle.transport.get_extra_info("socket")
            self._socket = socket.socket(fileno=os.dup(theirs.fileno()))
        try:
            await self._write(self._framed(message["before"], message["count"]))
            await self._write_file(message["file"], message["offset"], message["count"])
        except ConnectionError:
            cycle.transport.abort()

    def _framed(self, before: bytes, count: int) -> bytes:
        size_bytes = len(before) + count
        if not self._cycle.chunked_encoding:
            if size_bytes > self._cycle.expected_content_length:
                raise RuntimeError("a body is longer than its Content-Length")
            self._cycle.expected_content_length -= size_bytes
            return before
        framed = b"%b%x\r\n%b" % (self._owed, size_bytes, before)
        self._owed = b"\r\n"
        return framed

    async def _write(self, data: bytes) -> None:
        assert self._socket is not None
        while data:
            try:
                data = data[self._socket.send(data, socket.MSG_MORE) :]
            except BlockingIOError:
                await self._until_writable()

    async def _write_file(self, file: int, offset: int, count: int) -> None:
        assert self._socket is not None
        end = offset + count
        while offset < end:
            await self._turns.next()
            piece_bytes = min(PIECE_BYTES, end - offset)
            send = partial(os.sendfile, self._socket.fileno(), file, offset, piece_bytes)
            try:
                at_once = _is_in_memory(file, offset, piece_bytes)
                sent = send() if at_once else await _to_the_end(send)
            except BlockingIOError:
                await self._until_writable()
                continue
            if not sent:
                raise OSError(errno.EIO, "the file is shorter than it was")
            offset += sent

    async def _until_writable(self) -> None:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        writable: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._socket.fileno(), _set, writable)
        try:
            await writable
        finally:
            loop.remove_writer(self._socket.fileno())


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _is_in_memory(file: int, offset: int, count: int) -> bool:
    """Whether the kernel need not ask the disk; it is asked for bytes here and there."""
    byte = bytearray(1)
    last = offset + count - 1
    try:
        for at in (*range(offset, last, _PROBE_BYTES), last):
            os.preadv(file, [byte], at, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise
    return True


async def _to_the_end(act: Callable[[], R]) -> R:
    """Run it on a thread, and wait for that even when cancelled: it has numbers of open files,
    which are given to others once they are closed."""
    running = asyncio.get_running_loop().run_in_executor(None, act)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        running.exception()  # looked at, for there is nobody left to tell
        raise
