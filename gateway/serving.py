"""Listens for HTTP until told to stop, and lets those who are being answered finish.

Both programs run on it.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.zero_copy import SendingThreads, sending_files

CONNECTIONS_MAX = 512
BACKLOG_MAX = 512
IDLE_S_MAX = 30
HEAD_BYTES_MAX = 64 * 1024
"""Of a request's first line and headers; a piece of the socket's own buffer comes on top."""
HEAD_S_MAX = 30
"""From the connection, a request's first byte, or the answer before, to the end of its head."""
STOP_S_MAX = 4
"""Seconds that answers under way have to finish once the program is told to stop. With those that
messages under way have after them, less than the 10 s after which container runtimes kill."""

YOUNG_OBJECTS = 10_000
"""Containers, made and not let go, at which garbage is looked for: few of ours form the cycles for
which alone it must be."""
TURN_S = 0.001
"""How long a thread holds the interpreter while another waits for it."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program: uvicorn raises them again before our files are closed."""
        yield


class _Protocol(HttpToolsProtocol):
    """uvicorn's own, with the limits that it lacks: it would take whatever comes before the blank
    line of anyone, or after their answer, for ever, and the application could not refuse it. Beside
    these, files are handed to the kernel."""

    def __init__(self, *args: Any, threads: SendingThreads, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._threads = threads

    _head_bytes = 0
    _is_in_body = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        self._is_in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_body = False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.transport.get_extra_info("sslcontext") is None:  # else the kernel has no key
            app = sending_files(app, cycle, self._threads)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Of the body that is answered nothing more is read, and what comes before the next head
        # has no reader at all: the next one has to come.
        if self._head_timer is None and not self.transport.is_closing():
            self._await_head()

    def data_received(self, data: bytes) -> None:
        timer, was_in_body = self._head_timer, self._is_in_body
        super().data_received(data)
        if timer is None or self._head_timer is not timer or was_in_body:
            return  # this piece holds the end of a head, the start of the next, or none of one
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self.transport.abort()

    def _await_head(self) -> None:
        self._end_head()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_S_MAX, self._head_is_late)

    def _head_is_late(self) -> None:
        answered: RequestResponseCycle | None = self.cycle  # None before the first request
        if answered is None or answered.response_complete:
            self.transport.abort()
        else:  # nothing may have been read since: the answer to the request before comes first
            self._await_head()

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the fastest loop that this machine has; None is asyncio's own."""
    # Without `log_config` it would put up handlers of its own, which quote exceptions.
    return uvicorn.Config("", log_config=None).get_loop_factory()


def listen(address: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: the address or port cannot be had.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.create_server((address, port), family=family, backlog=BACKLOG_MAX)
    # Connections inherit it. uvloop sets it for each, asyncio not on a socket that it did not make,
    # and an answer would then wait 40 ms for the acknowledgement of its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    """The root address at which the socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def tune_interpreter() -> None:
    """Set how Python looks for garbage, and how its threads take turns, for a program that serves.

    What was made until now stays until the program's end; by Python's own settings it would be
    looked through again and again, for a sixth of the time that a request takes. And a thread that
    comes back from a statement of the database would wait five milliseconds for a busy loop.
    """
    sys.setswitchinterval(TURN_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def stop_on_signals() -> asyncio.Event:
    """What SIGTERM and SIGINT set in the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def serve(app: ASGIApp, listening: socket.socket, *, stop: asyncio.Event) -> None:
    """Answer requests until `stop` is set, then finish those under way."""
    threads = SendingThreads()
    config = uvicorn.Config(
        app,
        http=partial(_Protocol, threads=threads),  # type: ignore[arg-type]
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,  # ours names routes, not addresses
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_S_MAX,
        timeout_graceful_shutdown=STOP_S_MAX,
    )
    server = _Server(config)
    with closing(threads):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listening]), name="http")
            await stop.wait()
            server.should_exit = True
