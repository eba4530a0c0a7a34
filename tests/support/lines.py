"""A line to a PostgreSQL server that a test can silence or cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.postgresql import PostgresqlServer


@dataclass
class Line:
    """Passes bytes on both ways, as a network does."""

    socket: str
    port: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Bytes get through; cleared, they are swallowed by nobody and reach nobody."""
    fatal: bytes = b""
    """What, once it has reached the server, makes its answer the end of the line."""
    cuts: int = 0
    """How often that has come about."""
    refused: int = 0
    """How many connections to come are closed at once."""
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Of the server's database, by this line."""
        return f"postgresql://drim@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def cut(self) -> None:
        """End what is connected, without a word."""
        for end in self._ends:
            end.transport.abort()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        await self.heard.wait()
        if self.refused:
            self.refused -= 1
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_unix_connection(self.socket)
        ends = {writer, to_server}
        self._ends |= ends
        cut = asyncio.Event()
        both = [
            asyncio.create_task(self._carry(reader, to_server, watched=cut)),
            asyncio.create_task(self._carry(from_server, writer, ended_by=cut)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            for end in ends:
                end.transport.abort()
            self._ends -= ends

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        watched: asyncio.Event | None = None,
        ended_by: asyncio.Event | None = None,
    ) -> None:
        while data := await reader.read(65536):
            await self.heard.wait()
            if ended_by is not None and ended_by.is_set():
                return
            if watched is not None and self.fatal and self.fatal in data:
                self.fatal, self.cuts = b"", self.cuts + 1
                watched.set()
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def a_line_to(server: PostgresqlServer) -> AsyncIterator[Line]:
    """A line, until the block ends."""
    line = Line(str(server.folder / ".s.PGSQL.5432"))
    line.heard.set()
    listening = await asyncio.start_server(line.connect, "127.0.0.1", 0)
    line.port = listening.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        listening.close()
        line.heard.set()
        line.cut()
