"""Ports for programs that must be told one, of which no two runs of tests are given the same.

They lie below the range from which the system gives ports to clients, so that none is taken
meanwhile. A run has a row of them for itself: it holds the first as long as it lives.
"""

import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice

from tests.support.program import HOST

_PORTS = range(20_000, 30_000)
_PORTS_OF_A_RUN = 500


def free_port() -> int:
    """A port that nobody listens on now."""
    return free_ports(1)


def free_ports(number: int) -> int:
    """The first of so many ports in a row that nobody listens on now."""
    for _tried in range(_PORTS_OF_A_RUN):
        given = list(islice(_row().ports, number))
        if given[-1] == given[0] + number - 1 and all(map(_is_free, given)):
            return given[0]
    raise AssertionError("no ports are free")


class _Row:
    """Ports that are given in turn, the longest free first, while its own socket is bound."""

    def __init__(self, held: socket.socket) -> None:
        self._held = held
        first: int = held.getsockname()[1]
        self.ports: Iterator[int] = cycle(range(first + 1, first + _PORTS_OF_A_RUN))


@cache
def _row() -> _Row:
    for first in _PORTS[::_PORTS_OF_A_RUN]:
        held = socket.socket()
        try:
            held.bind((HOST, first))
        except OSError:
            held.close()
        else:
            return _Row(held)
    raise AssertionError("too many runs of tests at once")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
