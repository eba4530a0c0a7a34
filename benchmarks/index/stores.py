"""Where rows are kept while something is measured: a new SQLite file, or an emptied database."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from benchmarks.kit.processes import cpu_seconds, written_bytes
from gateway.storage.engines import open_at
from gateway.storage.migrations import migrate
from indexer.server.app import DATABASE_FILE
from tests.support.peers import postgresql_programs
from tests.support.postgresql import PostgresqlServer, a_postgresql_server

DURABLE: Final = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "jit": "off",
}
"""Of the server: its own values, apart from memory and from the log that a checkpoint may wait for.
A commit is on the disk when it is answered."""
FILLED_IN_BULK: Final = DURABLE | {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "maintenance_work_mem": "512MB",
    "max_parallel_maintenance_workers": "1",
    "autovacuum": "off",
}
"""The same where a transaction that fills an empty table logs nothing of it, and makes indexes by
two processes; whoever fills it cleans up, so that nothing does while searches are measured."""


class Engine(StrEnum):
    """What keeps the rows."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A place for the rows of one index."""

    folder: Path
    """The index's own."""
    server: PostgresqlServer | None

    @property
    def settings(self) -> Mapping[str, str]:
        """By which an index keeps its rows here."""
        told = {"INDEX_DATA_DIR": str(self.folder)}
        return told | ({"INDEX_DATABASE_URL": self.server.url} if self.server else {})

    @property
    def place(self) -> Path | str:
        """The SQLite file, or the URL."""
        return self.server.url if self.server else self.folder / DATABASE_FILE

    def server_cpu_seconds(self) -> float:
        """CPU of the database's own processes so far; none where it is a library."""
        return cpu_seconds(self.server.pid) if self.server else 0.0

    def server_written_bytes(self) -> int:
        """What the database's own processes caused to be written to disk so far."""
        return written_bytes(self.server.pid) if self.server else 0

    def size_bytes(self) -> int:
        """Of rows and their indexes."""
        if self.server:
            return int(self.server.ask("SELECT pg_database_size(current_database())"))
        return sum(one.stat().st_size for one in self.folder.iterdir())

    def make_tables(self) -> None:
        """Make the tables of an index, which hold nothing."""

        async def make() -> None:
            url = self.server.url if self.server else ""
            database = await open_at(url, self.folder / DATABASE_FILE)
            try:
                await migrate(database, "indexer.server.migrations")
            finally:
                await database.close()

        asyncio.run(make())


@contextmanager
def store_in(folder: Path, engine: Engine) -> Iterator[Store]:
    """The store that is in the folder, made if there is none; what it holds stays there."""
    place = folder / "index"
    place.mkdir(parents=True, exist_ok=True)
    if engine is Engine.SQLITE:
        yield Store(folder=place, server=None)
        return
    server = PostgresqlServer(
        programs=postgresql_programs(), folder=folder / "server", settings=FILLED_IN_BULK
    )
    if not server.folder.exists():
        server.folder.mkdir()
        server.make()
    server.start()
    try:
        yield Store(folder=place, server=server)
    finally:
        server.shut_down()


@contextmanager
def stores(engine: Engine) -> Iterator["Stores"]:
    """Stores of an engine, one at a time; its server runs until the block ends."""
    if engine is Engine.SQLITE:
        yield Stores(None)
    else:
        with a_postgresql_server(settings=DURABLE) as server:
            yield Stores(server)


@dataclass(frozen=True, slots=True)
class Stores:
    """Gives new stores, one at a time."""

    _server: PostgresqlServer | None

    @contextmanager
    def new(self) -> Iterator[Store]:
        """A store that holds nothing, gone when the block ends."""
        folder = Path(tempfile.mkdtemp(prefix="drim-benchmark-"))
        try:
            if self._server is not None:
                self._server.emptied()
            yield Store(folder=folder, server=self._server)
        finally:
            shutil.rmtree(folder)
