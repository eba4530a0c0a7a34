"""Listens for HTTP until told to stop, and lets those who are being answered finish.

Both programs run on it.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

CONNECTIONS_MAX = 512
BACKLOG_MAX = 512
IDLE_S_MAX = 30
STOP_S_MAX = 4
"""Seconds that answers under way have to finish once the program is told to stop. With those that
messages under way have after them, less than the 10 s after which container runtimes kill."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program: uvicorn raises them again before our files are closed."""
        yield


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
    return socket.create_server((address, port), family=family, backlog=BACKLOG_MAX)


def url_of(listening: socket.socket) -> str:
    """The root address at which the socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stop_on_signals() -> asyncio.Event:
    """What SIGTERM and SIGINT set in the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def serve(app: ASGIApp, listening: socket.socket, *, stop: asyncio.Event) -> None:
    """Answer requests until `stop` is set, then finish those under way."""
    config = uvicorn.Config(
        app,
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
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listening]), name="http")
        await stop.wait()
        server.should_exit = True
