"""Has the kernel send files as parts of HTTP bodies (sendfile(2)): their bytes pass no Python. A
small answer goes to it at once, head and body, which spares both sides a wake.

`serving` offers it to the application as an ASGI extension of this name, on connections that the
kernel can write to: those without TLS. A message of the same name stands for a part of a body, of
which more always follows: `pieces` of files, one after the other, `size_bytes` in all. `took` is
told, on the loop, how many bytes more the client's socket has taken.

Threads send them: they open the files, and go on until the socket takes no more or another body has
its turn, while the loop is free for others. They step back behind all else that wants a processor:
of a body nobody sees some milliseconds, of a small answer everybody does. What the kernel does not
hold in memory is left to other threads, which wait for the disk. What is one piece of an open file,
not long, and in memory is sent on the loop: that takes less than the hop to a thread; so is what
needs no file. A message
that is `by_thread` never is. Nothing is buffered here, and no thread waits for a client: one that
takes nothing costs its socket's buffer.
"""

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NamedTuple, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

FILES: Final = "drim.response.file"
THREADS: Final = 2
"""That send what is in memory. More would only take turns at the interpreter."""
DISK_THREADS: Final = 4
"""That wait for the disk."""
STEPS_BACK: Final = 10
"""Of niceness (sched(7)), behind the loop and all other threads and processes of the program."""
AT_ONCE_BYTES: Final = 2**20
"""Sent while the loop stands still: a tenth of a millisecond."""
SMALL_BYTES: Final = 64 * 1024
"""Of a body that is copied to go with its head."""
TURN_BYTES: Final = 2**22
"""Sent by a thread before it turns to another body: some milliseconds."""
_PROBE_BYTES: Final = 2**18
"""From one byte that is looked for in memory to the next; files are read in larger pieces."""
_UNKNOWN: Final = (errno.EAGAIN, errno.EOPNOTSUPP)  # not in memory, or not to be told


class Piece(NamedTuple):
    """Bytes, and after them some of a file."""

    before: bytes
    file: int | str
    """An open one, or the path of one that is opened for this piece."""
    offset: int
    size_bytes: int
    """Of the file; 0 where there is none."""
    views: tuple[memoryview, ...] = ()
    """Bytes that follow those before, and that are passed on without a copy."""


class SendingThreads:
    """Threads that send for all requests. Whoever makes them closes them."""

    def __init__(self) -> None:
        self.from_memory: Executor = _executor(THREADS, "sending")
        self.from_disk: Executor = _executor(DISK_THREADS, "sending-disk")

    def close(self) -> None:
        """Wait for the turns that have begun."""
        self.from_memory.shutdown()
        self.from_disk.shutdown()


def _executor(threads: int, name: str) -> Executor:
    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_step_back)


def _step_back() -> None:
    """Linux counts niceness for each thread."""
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread) + STEPS_BACK
    os.setpriority(os.PRIO_PROCESS, thread, niceness)


def sending_files(app: ASGIApp, cycle: RequestResponseCycle, threads: SendingThreads) -> ASGIApp:
    """The application, with the extension offered for one request.

    Args:
        cycle: of that request.
        threads: of all requests.
    """

    async def offered(scope: Scope, receive: Receive, send: Send) -> None:
        sender = _Sender(cycle, threads)
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

    def __init__(self, cycle: RequestResponseCycle, threads: SendingThreads) -> None:
        self._cycle = cycle
        self._threads = threads
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
            await self._send_files(message)
        elif self._head is not None and self._fits(message):
            await self._send_at_once(message)
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

    def _fits(self, message: Message) -> bool:
        """Whether it is the whole body of an answer, and small; nothing waits to be sent."""
        cycle = self._cycle
        is_whole = not message.get("more_body", False) and cycle.scope["method"] != "HEAD"
        small = len(message.get("body", b"")) <= SMALL_BYTES
        return is_whole and small and not cycle.flow.write_paused

    async def _send_at_once(self, message: Message) -> None:
        transport = self._cycle.transport
        self._cycle.transport = _HeadWithBody(transport)
        try:
            await self.pass_head()
            await self._cycle.send(cast(ASGISendEvent, message))
        finally:
            self._cycle.transport = transport

    async def pass_head(self) -> None:
        """Send the head of the response, if it was held back."""
        if self._head is not None:
            head, self._head = self._head, None
            await self._cycle.send(cast(ASGISendEvent, head))

    async def _send_files(self, message: Message) -> None:
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
        sending = _Sending(self._socket, self._frame(message["size_bytes"]), message["pieces"])
        try:
            at_once = not message["by_thread"] and sending.is_at_hand()
            await self._send_all(sending, message["took"], at_once=at_once)
        except ConnectionError:
            cycle.transport.abort()
        finally:
            sending.close()

    def _frame(self, size_bytes: int) -> bytes:
        """What goes in front of so many bytes of the body."""
        if not self._cycle.chunked_encoding:
            if size_bytes > self._cycle.expected_content_length:
                raise RuntimeError("a body is longer than its Content-Length")
            self._cycle.expected_content_length -= size_bytes
            return b""
        frame = b"%b%x\r\n" % (self._owed, size_bytes)
        self._owed = b"\r\n"
        return frame

    async def _send_all(
        self, sending: "_Sending", took: Callable[[int], None], *, at_once: bool
    ) -> None:
        while not sending.ended:
            sent_before = sending.sent_bytes
            if at_once:
                sending.go_on()
            elif sending.waits_for_disk:
                await _to_the_end(self._threads.from_disk, sending.go_on)
            else:
                await _to_the_end(self._threads.from_memory, sending.go_on_from_memory)
            at_once = at_once and sending.is_in_memory
            if sending.sent_bytes > sent_before:
                took(sending.sent_bytes - sent_before)
            if sending.refused:
                await self._until_writable()

    async def _until_writable(self) -> None:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        writable: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._socket.fileno(), _set, writable)
        try:
            await writable
        finally:
            loop.remove_writer(self._socket.fileno())


class _HeadWithBody(asyncio.Transport):
    """Stands for a transport while an answer is written: its head, then its body."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head:
            self._transport.write(self._head + data)
        self._head = bytes(data)

    def close(self) -> None:
        self._transport.close()


class _Sending:
    """What of one message is not sent yet. It is used by one thread at a time.

    Args:
        frame: goes before all pieces.
    """

    def __init__(self, to: socket.socket, frame: bytes, pieces: Iterator[Piece]) -> None:
        self._socket = to
        self._pieces = pieces
        self._before = [memoryview(frame)] if frame else []
        self._file = -1
        self._offset = self._count = 0
        self._opened: int | None = None
        """A file that was opened here."""
        self.ended = False
        self.refused = False
        """Whether the socket takes no more now."""
        self.waits_for_disk = False
        """Whether the next bytes are not in memory."""
        self.sent_bytes = 0

    @property
    def is_in_memory(self) -> bool:
        """Whether what is begun needs no file."""
        return not self._count

    def is_at_hand(self) -> bool:
        """Whether the first piece can be sent at once."""
        self._begin_next()
        return self._count <= AT_ONCE_BYTES and (
            not self._count or _is_in_memory(self._file, self._offset, self._count)
        )

    def go_on_from_memory(self) -> None:
        """As `go_on`, but only until the disk must be asked."""
        self._go_on(may_wait=False)

    def go_on(self) -> None:
        """Send until the end, until it is another's turn, or until the socket takes no more.

        Raises:
            ConnectionError: there is no client any more.
            OSError: a file cannot be read, or is shorter than it was.
        """
        self._go_on(may_wait=True)

    def close(self) -> None:
        """Close what was opened here."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None

    def _go_on(self, *, may_wait: bool) -> None:
        turn_ends_at = self.sent_bytes + TURN_BYTES
        self.refused = self.waits_for_disk = False
        try:
            while self.sent_bytes < turn_ends_at:
                if self._before:
                    self._send_before()
                elif self._count:
                    count = min(self._count, turn_ends_at - self.sent_bytes)
                    if not may_wait and not _is_in_memory(self._file, self._offset, count):
                        self.waits_for_disk = True
                        return
                    self._send_file(count)
                elif not self._begin_next():
                    self.ended = True
                    return
        except BlockingIOError:
            self.refused = True

    def _begin_next(self) -> bool:
        self.close()
        piece = next(self._pieces, None)
        if piece is None:
            return False
        if not piece.size_bytes:
            self._file = -1
        elif isinstance(piece.file, str):
            self._file = self._opened = os.open(piece.file, os.O_RDONLY | os.O_CLOEXEC)
        else:
            self._file = piece.file
        self._before += [one for one in (memoryview(piece.before), *piece.views) if len(one)]
        self._offset, self._count = piece.offset, piece.size_bytes
        return True

    def _send_before(self) -> None:
        # It waits for what comes next, to leave with it.
        flags = socket.MSG_MORE if self._count else 0
        sent = self._socket.sendmsg(self._before, (), flags)
        self.sent_bytes += sent
        while self._before and sent >= len(self._before[0]):
            sent -= len(self._before.pop(0))
        if sent:
            self._before[0] = self._before[0][sent:]

    def _send_file(self, count: int) -> None:
        sent = os.sendfile(self._socket.fileno(), self._file, self._offset, count)
        if not sent:
            raise OSError(errno.EIO, "the file is shorter than it was")
        self._offset += sent
        self._count -= sent
        self.sent_bytes += sent


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


async def _to_the_end(threads: Executor, act: Callable[[], None]) -> None:
    """Run it on a thread, and wait for that even when cancelled: it has numbers of open files,
    which are given to others once they are closed."""
    submitted = threads.submit(act)
    running = asyncio.wrap_future(submitted)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        submitted.cancel()  # unless it has begun
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # looked at, for there is nobody left to tell
        raise
