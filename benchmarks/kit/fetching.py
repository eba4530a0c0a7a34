"""Fetches large bodies as viewers do, by curl, which throws them away: a body passes no Python."""

import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

from benchmarks.kit.peers import Server
from benchmarks.kit.processes import STEP_S
from tests.support.peers import peer
from tests.support.program import HOST

_WITHIN_S = 300.0
_ENDLESS = 1000  # fetches: more than end while anything is measured
_AWAY = ("--output", "/dev/null")
_TOLD = "%{http_code} %{size_download} %{time_starttransfer}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of fetches, all of which were answered 200."""

    seconds: float
    """From the start of the first client to the end of the last."""
    sizes_bytes: Sequence[int]
    """Of each body."""
    first_byte_s: Sequence[float]
    """From the start of each request to the first byte of its answer."""
    cpu_seconds: float
    """Of the server, meanwhile: a step of what counts it at least, so that it can be divided by."""

    @property
    def mib_per_s(self) -> float:
        """Of all clients together."""
        return sum(self.sizes_bytes) / 2**20 / self.seconds

    @property
    def cpu_s_per_gib(self) -> float:
        """Of the server alone."""
        return self.cpu_seconds / (sum(self.sizes_bytes) / 2**30)


def fetch(
    server: Server, paths: Sequence[str], *, accept: str, clients: int = 1, each: int = 1
) -> Fetched:
    """Have so many clients fetch at once, each so many resources on one connection.

    They go through the paths in turn, each from another one on: what a server keeps of what it
    gave last helps it as little as it would on a day of many viewers.

    Raises:
        AssertionError: an answer is not 200, or was cut short.
    """
    commands = [_curl(server, islice(cycle(paths), at, at + each), accept) for at in range(clients)]
    cpu_before, began = server.cpu_seconds(), time.perf_counter()
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    told = [one.communicate(timeout=_WITHIN_S) for one in running]
    seconds = time.perf_counter() - began
    cpu = max(server.cpu_seconds() - cpu_before, STEP_S)
    for one, (_, error) in zip(running, told, strict=True):
        assert one.returncode == 0, f"{server.name} answered otherwise: {error[-300:]}"
    lines = [line.split() for out, _ in told for line in out.splitlines()]
    assert all(status == "200" for status, _, _ in lines)
    return Fetched(
        seconds=seconds,
        sizes_bytes=[int(size) for _, size, _ in lines],
        first_byte_s=[float(first) for _, _, first in lines],
        cpu_seconds=cpu,
    )


@contextmanager
def downloading(
    server: Server, paths: Sequence[str], *, accept: str, clients: int, rate_bytes: int | None
) -> Iterator[None]:
    """Have so many clients fetch again and again until the block ends.

    Args:
        rate_bytes: that each takes in a second; None for all that it can.
    """
    slowly = [] if rate_bytes is None else ["--limit-rate", str(rate_bytes)]
    running = [
        subprocess.Popen(
            _curl(server, islice(cycle(paths), at, at + _ENDLESS), accept) + slowly,
            stdout=subprocess.DEVNULL,
        )
        for at in range(clients)
    ]
    try:
        yield
        assert all(one.poll() is None for one in running), "a download ended meanwhile"
    finally:
        for one in running:
            one.kill()
            one.wait()


def _curl(server: Server, paths: Iterable[str], accept: str) -> list[str]:
    """Fetches the paths on one connection, and tells of each."""
    command = [str(peer("curl")), "--no-progress-meter", "--fail", "--header", f"Accept: {accept}"]
    urls = (f"http://{HOST}:{server.port}{path}" for path in paths)
    return [*command, "--write-out", _TOLD, *(word for url in urls for word in (*_AWAY, url))]
