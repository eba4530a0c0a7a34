"""Work for a pool of processes: what it should do, and what hostile bytes make it do."""

import ctypes
import os
import pickle
import signal
import socket
import sys
import time
from pathlib import Path

from gateway.errors import NotAcceptable


def add(one: int, other: int) -> int:
    """What a good work does."""
    return one + other


def process_id() -> int:
    """Of the worker that is at work."""
    return os.getpid()


def echo(content: bytes) -> bytes:
    """What was sent, from there and back."""
    return content


def environment() -> dict[str, str]:
    """What the worker could tell about the gateway's settings."""
    return dict(os.environ)


def read_null() -> None:
    """Crash as a codec with a wild pointer does."""
    ctypes.string_at(0)


def be_killed() -> None:
    """End as one whom the kernel chose when memory ran out."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang(started: Path) -> None:
    """Say who hangs, and never return."""
    started.write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def take_memory(size_bytes: int) -> int:
    """Write to that much memory."""
    return len(bytearray(size_bytes))


def sleep(seconds: float) -> int:
    """Take a while."""
    time.sleep(seconds)
    return os.getpid()


class _OfOurOwn(NotAcceptable):
    """What a module above the pool knows."""


def refuse() -> None:
    """Say what is wrong with the work, by an error that the pool does not know itself."""
    raise _OfOurOwn("it has no pixels")


def fail_to_read() -> None:
    """Fail as a disk does, with a name that nobody should see."""
    Path("/nowhere/EXEMPLE^CAMILLE").read_bytes()


def stumble() -> None:
    """Fail as a bug of ours does, with a name that nobody should see."""
    raise ValueError("EXEMPLE^CAMILLE")


class _Trap:
    def __init__(self, sprung: Path) -> None:
        self._sprung = sprung

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._sprung),)


def answer_with_a_trap(sprung: Path) -> None:
    """Answer, as one whom a file has taken over, with what makes a folder where it is read."""
    trap = pickle.dumps(("result", _Trap(sprung)))
    with socket.socket(fileno=os.dup(int(sys.argv[1]))) as channel:
        channel.sendall(len(trap).to_bytes(8, "little") + trap)
    time.sleep(60)


def promise_too_much() -> None:
    """Announce an answer larger than any may be."""
    with socket.socket(fileno=os.dup(int(sys.argv[1]))) as channel:
        channel.sendall((2**60).to_bytes(8, "little"))
    time.sleep(60)
