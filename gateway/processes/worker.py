"""A process that does one piece of work after another for the pool that started it.

It may be lost at any time: it holds nothing, keeps no core (a picture of a patient could be read
in it), and ends when the pool's process does. What it answers is plain values, because the one
that asked must be able to read the answer of a process that a hostile file has taken over.
"""

import ctypes
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

from gateway import errors
from gateway.errors import GatewayError

LENGTH: Final = struct.Struct("<Q")
"""What comes before each task and each answer: its length."""
RESULT_BYTES_MAX: Final = 64 * 2**20
"""Of an answer; what may be larger is written to a file."""
READY: Final = b"R"

EXIT_OUT_OF_MEMORY: Final = 3
"""Exit status of a worker whose memory was not enough; what it holds is gone with it."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NAME: Final = 15
_NAME: Final = b"drim-worker"

Task = tuple[Callable[..., object], tuple[object, ...]]
Answer = tuple[str, Any]


def main() -> None:
    """Work until the pool closes its end: `descriptor`, `parent` and `memory_bytes` are told."""
    descriptor, parent, memory_bytes = (int(word) for word in sys.argv[1:])
    _confine(parent, memory_bytes)
    with socket.socket(fileno=descriptor) as channel:
        channel.sendall(READY)
        while (task := _receive(channel)) is not None:
            answer = _answer(task)
            channel.sendall(LENGTH.pack(len(answer)) + answer)


def _confine(parent: int, memory_bytes: int) -> None:
    # The pool says when it is over: Ctrl-C and systemd signal every process of the group.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, _NAME, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was told to watch it
        os._exit(0)
    # Of what is written to, so that a large file may still be mapped to be read.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _receive(channel: socket.socket) -> bytearray | None:
    head = _exactly(channel, LENGTH.size)
    return None if head is None else _exactly(channel, LENGTH.unpack(head)[0])


def _exactly(channel: socket.socket, size_bytes: int) -> bytearray | None:
    """That many bytes; None where the pool has closed its end."""
    received = bytearray(size_bytes)
    rest = memoryview(received)
    while rest:
        count = channel.recv_into(rest)
        if not count:
            return None
        rest = rest[count:]
    return received


def _answer(task: bytearray) -> bytes:
    try:
        function, arguments = pickle.loads(task)
        answer = pickle.dumps(("result", function(*arguments)), protocol=5)
    except MemoryError:
        os._exit(EXIT_OUT_OF_MEMORY)
    except GatewayError as error:
        answer = pickle.dumps(("refused", (_known_name(error), str(error))))
    except OSError as error:
        answer = pickle.dumps(("failed", (error.errno, os.strerror(error.errno or 0))))
    except Exception as error:  # a bug: where it is, not what it says, which may quote a patient
        answer = pickle.dumps(("bug", (type(error).__name__, _places(error))))
    if len(answer) > RESULT_BYTES_MAX:
        answer = pickle.dumps(("bug", ("OverflowError", ["the result is too long"])))
    return answer


def _known_name(error: GatewayError) -> str:
    """Of its class, or of the nearest above it that the pool knows."""
    kinds: list[type[GatewayError]] = [
        kind for kind in type(error).__mro__ if vars(errors).get(kind.__name__) is kind
    ]
    return kinds[0].__name__


def _places(error: Exception) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames]


if __name__ == "__main__":
    main()
