"""The gateway or the index as a process that a test kills, stops and starts again."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.support.programs import HOST

START_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
POLL_EVERY_S = 0.02
_TAIL_LINES = 25


class RealProgram:
    """A program that can be killed, or stopped, and started again."""

    def __init__(
        self, name: str, module: str, settings: Mapping[str, str], *, port: int, log: Path
    ) -> None:
        self.name, self._module = name, module
        self._settings, self._port = settings, port
        self._process: subprocess.Popen[bytes] | None = None
        self._log = log
        self._log_start_bytes = 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that it wrote since its last start."""
        with self._log.open("rb") as log:
            log.seek(self._log_start_bytes)
            return log.read().decode(errors="replace")

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process and do not wait for it."""
        assert not self.is_running, "it runs already"
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GATEWAY_", "INDEX_"))
        }
        with self._log.open("ab") as log:
            self._log_start_bytes = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, "serve", "--open-access"],
                env={**inherited, **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self._process

    def limit_files(self, bytes_max: int) -> None:
        """Let no file grow beyond this, from now on: for it the disk is full there."""
        assert self._process is not None, "it never ran"
        limits = (bytes_max, resource.RLIM_INFINITY)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, limits)

    def start(self) -> None:
        """Start it and return once it is ready.

        Raises:
            AssertionError: it ends, or is not ready in time; the end of its log is told.
        """
        process = self.launch()
        given_up_at = time.monotonic() + START_WITHIN_S
        while not _answers(self._port, "/health/ready"):
            assert process.poll() is None, f"{self.name} ended:\n{self._tail()}"
            assert time.monotonic() < given_up_at, f"{self.name} is not ready:\n{self._tail()}"
            time.sleep(POLL_EVERY_S)

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more on return."""
        assert self._process is not None, "it never ran"
        self._process.kill()
        self._process.wait()

    def stop(self, within_s: float = STOP_WITHIN_S) -> int:
        """SIGTERM; its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        assert self._process is not None, "it never ran"
        self._process.terminate()
        return self._process.wait(within_s)

    def close(self) -> None:
        """End it if it runs, whatever the test left."""
        if self.is_running:
            self.kill()

    def _tail(self) -> str:
        return "\n".join(self.log.splitlines()[-_TAIL_LINES:])


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
