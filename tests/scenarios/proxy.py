"""A TCP proxy that holds what passes until the test says go: a moment that lasts.

It stands between the gateway and the index, or its PACS, or a modality. What is held has left the
one program and has not reached the other, so either can be killed just there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto

from tests.support.program import HOST
from tests.support.world import WITHIN_S

CHUNK_BYTES = 64 * 1024


class Way(Enum):
    """Which of the two directions."""

    REQUEST = auto()
    ANSWER = auto()


Chosen = Callable[[bytes], bool]
"""Whether to hold from this chunk on."""


class Hold:
    """What is held on one way: of each connection all from its first chosen chunk on."""

    def __init__(self, way: Way, chosen: Chosen) -> None:
        self.way, self.chosen = way, chosen
        self._held = self._passed = 0
        self._news = asyncio.Condition()
        self._is_over = asyncio.Event()

    async def begun(self, connections: int = 1) -> None:
        """Wait until something is held on so many connections, those that died included."""
        async with asyncio.timeout(WITHIN_S), self._news:
            await self._news.wait_for(lambda: self._held >= connections)

    async def passed(self) -> None:
        """Wait until something that was held has been handed on."""
        async with asyncio.timeout(WITHIN_S), self._news:
            await self._news.wait_for(lambda: self._passed > 0)

    def go(self) -> None:
        """Let it pass, and all that follows."""
        self._is_over.set()

    async def wait(self, chunk: bytes) -> bool:
        """Return once the chunk may go on, and whether it was held."""
        if self._is_over.is_set() or not self.chosen(chunk):
            return False
        async with self._news:
            self._held += 1
            self._news.notify_all()
        await self._is_over.wait()
        return True

    async def note_passed(self) -> None:
        """What was held is handed on."""
        async with self._news:
            self._passed += 1
            self._news.notify_all()


class Proxy:
    """Passes on what comes at one port to another. Made by `open_proxy`."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._hold: Hold | None = None

    def hold(self, way: Way, chosen: Chosen = lambda _: True) -> Hold:
        """Hold, from now on, what goes this way; the hold before it ends."""
        if self._hold is not None:
            self._hold.go()
        self._hold = Hold(way, chosen)
        return self._hold

    async def listen(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._accept, HOST, self._port)

    async def refuse(self) -> None:
        """Refuse connections from now on, and break off those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.drop()

    async def drop(self) -> None:
        """Break off every connection; what was held is lost."""
        connections = list(self._connections)
        for one in connections:
            one.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with suppress(OSError, asyncio.CancelledError):
            await self._connect(reader, writer)
        writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self._target)
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._relay(Way.REQUEST, reader, back))
                ways.create_task(self._relay(Way.ANSWER, there, writer))
        finally:
            back.transport.abort()

    async def _relay(
        self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                hold = self._hold if self._hold is not None and self._hold.way is way else None
                was_held = hold is not None and await hold.wait(chunk)
                writer.write(chunk)
                await writer.drain()
                if hold is not None and was_held:
                    await hold.note_passed()
        with suppress(OSError, RuntimeError):
            writer.write_eof()


@asynccontextmanager
async def open_proxy(port: int, target: int) -> AsyncIterator[Proxy]:
    """A proxy from one port to another, both on loopback."""
    proxy = Proxy(port, target)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.refuse()
