"""The index as a program of its own, as it is run by whoever installs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.index.stores import Store
from benchmarks.kit.processes import cpu_seconds, resident_bytes, written_bytes
from tests.support.ports import free_port
from tests.support.program import Program
from tests.support.programs import serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A running index."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU of its process so far."""
        return cpu_seconds(self.pid)

    def written_bytes(self) -> int:
        """What it caused to be written to disk so far."""
        return written_bytes(self.pid)

    def resident_bytes(self) -> int:
        """Its memory that is resident now."""
        return resident_bytes(self.pid)


@contextmanager
def an_index_on(store: Store) -> Iterator[Subject]:
    """An index that keeps its rows in the store, until the block ends."""
    port = free_port()
    settings = {"INDEX_HTTP_PORT": str(port), **store.settings}
    log = store.folder.with_name(f"{store.folder.name}.log")
    command = serving("indexer.server")
    program = Program(command, settings, log=log, port=port)
    try:
        program.start()
        yield Subject(port=port, pid=program.pid)
        program.stop()
    finally:
        program.close()
        log.unlink()
