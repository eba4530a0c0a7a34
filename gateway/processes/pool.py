"""Runs functions in a few worker processes, each of which may die without harm to the others.

`app` makes one pool for the gateway. A worker that crashes, hangs or wants too much memory fails
the work that it was doing, and the next work gets a new one.

A function is named by its module, so it stands at a module's top level; its arguments are pickled
and its result is plain values (None, numbers, text, bytes, and lists, tuples and dicts of them),
at most `RESULT_BYTES_MAX`. What is larger goes by files: their paths are arguments.
"""

import asyncio
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final, TypeVar, TypeVarTuple

from gateway import errors
from gateway.errors import GatewayError, Unavailable, WorkerDied
from gateway.processes.worker import EXIT_OUT_OF_MEMORY, LENGTH, READY, RESULT_BYTES_MAX

log = logging.getLogger(__name__)

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

START_S_MAX: Final = 30.0
"""For a worker's start, before the time of its first work counts."""
CANCELLED_S_MAX: Final = 1.0
"""What a work that nobody waits for any more gets before its worker is killed: most are done by
then, and a new worker costs more."""
RETRY_AFTER_S: Final = 2.0
_TOGETHER_BYTES: Final = 2**17
"""Of an answer, that are taken by one call."""

_INHERITED: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")
# One thread a worker: there are as many workers as cores, and each thread of OpenBLAS maps memory.
_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}


class WorkerPool:
    """Worker processes, each started when it is first needed. Whoever makes it closes it.

    Args:
        workers: how many there may be.
        waiting_max: works that may wait for a worker.
        memory_mib_max: what each worker may allocate, in MiB.
    """

    def __init__(self, *, workers: int, waiting_max: int, memory_mib_max: int) -> None:
        self._free = asyncio.Semaphore(workers)
        self._waiting = 0
        self._waiting_max = waiting_max
        self._memory_bytes = memory_mib_max * 2**20
        self._idle: list[_Worker] = []
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def run(self, function: Callable[[*Ts], R], *args: *Ts, within_s: float) -> R:
        """What `function` returns, or the `GatewayError` or `OSError` that it raises.

        Cancelled, it returns only once nothing of the work is left, which is soon.

        Args:
            within_s: after which its worker is killed; waiting for a worker is not counted.

        Raises:
            Unavailable: too many works wait already, or the pool is closed.
            WorkerDied: the worker crashed, or asked for too much time or memory.
        """
        task = pickle.dumps((function, args), protocol=5)
        await self._wait_for_a_worker()
        name = f"{function.__module__}.{function.__qualname__}"
        running = asyncio.create_task(self._work(task, name, within_s))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            result: R = await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running}, timeout=CANCELLED_S_MAX)
            running.cancel()
            await asyncio.wait({running})
            if not running.cancelled():
                running.exception()  # looked at, for there is nobody left to tell
            if not _is_cancelled():
                raise Unavailable(_ENDING) from None
            raise
        return result

    async def close(self) -> None:
        """End every worker, also in the middle of its work."""
        self._closed = True
        for running in self._running:
            running.cancel()
        if self._running:
            await asyncio.wait(self._running)
        while self._idle:
            await self._idle.pop().end()

    async def _wait_for_a_worker(self) -> None:
        if self._free.locked() and self._waiting >= self._waiting_max:
            raise Unavailable(
                "too much work waits for the gateway's processes", retry_after_s=RETRY_AFTER_S
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        if self._closed:
            self._free.release()  # the next who waits is to hear of it, too
            raise Unavailable(_ENDING)

    async def _work(self, task: bytes, name: str, within_s: float) -> Any:
        try:
            worker = await self._take()
            try:
                async with asyncio.timeout(within_s):
                    kind, told = _read_answer(await worker.answer(task))
            except BaseException as error:
                cause = await worker.end()
                if isinstance(error, TimeoutError):
                    cause = "time"
                elif isinstance(error, asyncio.CancelledError):
                    raise
                log.warning("worker_died", extra={"work": name, "cause": cause})
                raise WorkerDied(_DIED.get(cause, _CRASHED)) from error
            self._idle.append(worker)
        finally:
            self._free.release()
        if kind == "result":
            return told
        raise _raised(kind, told, name)

    async def _take(self) -> "_Worker":
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await worker.end()
        return await _Worker.start(self._memory_bytes)


_ENDING: Final = "the gateway is ending"
_CRASHED: Final = "the process that worked on it ended"
_DIED: Final = {
    "time": "it takes more time than a work may have",
    "memory": "it takes more memory than a work may have",
}


class _Worker:
    """One process, and our end of the socket to it."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._process = process
        self._channel = channel

    @classmethod
    async def start(cls, memory_bytes: int) -> "_Worker":
        """A process that is ready to work.

        Raises:
            Unavailable: none could be started.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            told = (theirs.fileno(), os.getpid(), memory_bytes)
            try:
                # On the loop's own thread: the kernel ends a worker with the thread that made it.
                process = subprocess.Popen(  # noqa: ASYNC220
                    [sys.executable, "-P", "-m", "gateway.processes.worker", *map(str, told)],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    # What a codec prints may be the words of a hostile file.
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except OSError as error:
                ours.close()
                raise Unavailable("no process can be started") from error
        ours.setblocking(False)
        worker = cls(process, ours)
        try:
            async with asyncio.timeout(START_S_MAX):
                if await asyncio.get_running_loop().sock_recv(ours, len(READY)) != READY:
                    raise EOFError
        except BaseException as error:
            cause = await worker.end()
            if isinstance(error, asyncio.CancelledError):
                raise
            log.error("worker_not_started", extra={"cause": cause})
            raise Unavailable("a process did not start", retry_after_s=RETRY_AFTER_S) from error
        return worker

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    async def answer(self, task: bytes) -> bytes | bytearray:
        """What it answers to a task.

        Raises:
            OSError, EOFError: it died, or answers more than it may.
        """
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._channel, LENGTH.pack(len(task)) + task)
        # Most answers come whole with their length.
        came = await loop.sock_recv(self._channel, _TOGETHER_BYTES)
        if not came:
            raise EOFError
        if len(came) < LENGTH.size:
            came = bytes(await self._receive(LENGTH.size, came))
        (size_bytes,) = LENGTH.unpack_from(came)
        if size_bytes > RESULT_BYTES_MAX:
            raise EOFError
        return await self._receive(size_bytes, came[LENGTH.size :])

    async def end(self) -> str:
        """Kill the process and wait until it is gone; says how it had ended, if it had."""
        self._channel.close()
        # One that is dying of itself keeps the status that it dies with.
        self._process.kill()
        status = await asyncio.to_thread(self._process.wait)
        if status == EXIT_OUT_OF_MEMORY:
            return "memory"
        return signal.Signals(-status).name if status < 0 else f"exit {status}"

    async def _receive(self, size_bytes: int, begun: bytes) -> bytes | bytearray:
        """That many bytes, of which the first are there already.

        Raises:
            OSError, EOFError: as `answer`.
        """
        if len(begun) > size_bytes:  # more than it said
            raise EOFError
        if len(begun) == size_bytes:
            return begun
        received = bytearray(begun) + bytes(size_bytes - len(begun))
        loop = asyncio.get_running_loop()
        rest = memoryview(received)[len(begun) :]
        while rest:
            count = await loop.sock_recv_into(self._channel, rest)
            if not count:
                raise EOFError
            rest = rest[count:]
        return received


class _Plain(pickle.Unpickler):
    """Reads plain values alone: a process that a file has taken over could name any function."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError("an answer holds more than plain values")


def _read_answer(answer: bytes | bytearray) -> tuple[str, Any]:
    kind, told = _Plain(BytesIO(answer)).load()
    return kind, told


def _raised(kind: str, told: Any, name: str) -> Exception:
    match kind, told:
        case "refused", (str(error), str(message)):
            known = getattr(errors, error, None)
            if isinstance(known, type) and issubclass(known, GatewayError):
                return known(message)
        case "failed", (int(errno), str(message)):
            return OSError(errno, message)
        case "bug", (str(error), list(places)):
            log.error("work_failed", extra={"work": name, "error": error, "trace": places})
            return RuntimeError(f"{name} failed: {error}")
    return WorkerDied(_CRASHED)


def _is_cancelled() -> bool:
    """Whether it is the caller who is cancelled, and not the work, as by `close`."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _environment() -> dict[str, str]:
    """What a worker is told of ours: no passwords, which stand in settings of the same place."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return kept | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
