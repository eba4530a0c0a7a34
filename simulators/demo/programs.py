"""Starts the programs of the demo, watches them, and stops them whatever happens."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Self

from aiohttp import ClientError, ClientSession, ClientTimeout

HOST = "127.0.0.1"
START_WITHIN_S = 60.0
_STOP_WITHIN_S = 15.0
_PROBE_EVERY_S = 0.05
_TAIL_LINES = 15
_LINE_BYTES_MAX = 64 * 1024


class ProgramFailed(Exception):
    """A program did not start, or ended before the story did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the programs of one demo listen, on loopback."""

    gateway: int
    dicom: int
    mllp: int
    index: int
    centre: int

    @classmethod
    def from_base(cls, base: int) -> Self:
        """Five ports in a row."""
        return cls(gateway=base, dicom=base + 1, mllp=base + 2, index=base + 3, centre=base + 4)

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody listens on now."""
        sockets = [socket.socket() for _ in range(5)]
        try:
            for one in sockets:
                one.bind((HOST, 0))
            numbers = [one.getsockname()[1] for one in sockets]
        finally:
            for one in sockets:
                one.close()
        return cls(
            gateway=numbers[0],
            dicom=numbers[1],
            mllp=numbers[2],
            index=numbers[3],
            centre=numbers[4],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a program is started: `python -m`, its arguments, and its settings as environment."""

    name: str
    arguments: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)
    is_heard: bool = False
    """Whether the demo reads its standard output, which else goes to its log."""


class Program:
    """A child process of the demo."""

    def __init__(self, name: str, log: Path, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._log, self._process = log, process

    async def lines(self) -> AsyncIterator[str]:
        """What a program that is heard says, until it ends."""
        assert self._process.stdout is not None, "it is not heard"
        async for line in self._process.stdout:
            yield line.decode(errors="replace").rstrip()

    async def fail_when_it_ends(self) -> NoReturn:
        """Wait for the program's end, which nobody but the demo should bring about.

        Raises:
            ProgramFailed: it has ended.
        """
        code = await self._process.wait()
        raise ProgramFailed(f"{self.name} ended with {code}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])

    async def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_WITHIN_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running(launch: Launch, log_folder: Path) -> AsyncIterator[Program]:
    """Have a program run meanwhile; it is stopped whatever happens."""
    # Settings of the caller's own gateway are not those of the demo's.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("GATEWAY_", "INDEX_"))
    }
    path = log_folder / f"{launch.name}.log"
    with path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *launch.arguments,
            env={**inherited, **launch.settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if launch.is_heard else log,
            stderr=log,
            limit=_LINE_BYTES_MAX,
            # Ctrl-C is for the demo, which then stops its programs in their order.
            start_new_session=True,
        )
    program = Program(launch.name, path, process)
    try:
        yield program
    finally:
        await program.stop()


async def wait_until_ready(session: ClientSession, program: Program, url: str) -> None:
    """Return once the program's readiness probe says yes.

    Raises:
        ProgramFailed: it does not within `START_WITHIN_S`.
    """
    try:
        async with asyncio.timeout(START_WITHIN_S):
            while True:
                if await _is_ready(session, url):
                    return
                await asyncio.sleep(_PROBE_EVERY_S)
    except TimeoutError:
        raise ProgramFailed(f"{program.name} is not ready:\n{program.tail()}") from None


async def _is_ready(session: ClientSession, url: str) -> bool:
    try:
        timeout = ClientTimeout(total=5)
        async with session.get(f"{url}/health/ready", timeout=timeout) as response:
            return response.status == 200
    except (ClientError, TimeoutError):
        return False
