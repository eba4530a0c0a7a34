"""A real program beside a test: it is started, killed or stopped, and started again."""

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path

HOST = "127.0.0.1"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
POLL_EVERY_S = 0.02
TAIL_LINES = 25


class Program:
    """A child process that answers HTTP, and its log; it is named after that.

    Args:
        settings: of its environment.
        port: where it is asked whether it is ready.
        ready_at: the path that is answered 200 once it is.
    """

    def __init__(
        self,
        command: Sequence[str],
        settings: Mapping[str, str],
        *,
        log: Path,
        port: int,
        ready_at: str = "/health/ready",
    ) -> None:
        self.name = log.stem
        self._command, self._settings = command, settings
        self._log, self._log_start_bytes = log, 0
        self._port, self._ready_at = port, ready_at
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None, "it never ran"
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it wrote to its standard output and error since its last start."""
        with self._log.open("rb") as log:
            log.seek(self._log_start_bytes)
            return log.read().decode(errors="replace")

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.splitlines()[-TAIL_LINES:])

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process and do not wait for it."""
        assert not self.is_running, "it runs already"
        with self._log.open("ab") as log:
            self._log_start_bytes = log.tell()
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self._process

    def start(self) -> None:
        """Start it and return once it is ready.

        Raises:
            AssertionError: it ends, or is not ready in time; the end of its log is told.
        """
        process = self.launch()
        given_up_at = time.monotonic() + START_WITHIN_S
        while not self._is_ready():
            assert process.poll() is None, f"{self.name} ended:\n{self.tail()}"
            assert time.monotonic() < given_up_at, f"{self.name} is not ready:\n{self.tail()}"
            time.sleep(POLL_EVERY_S)

    def limit_files(self, bytes_max: int) -> None:
        """Let no file grow beyond this, from now on: for it the disk is full there."""
        assert self._process is not None, "it never ran"
        limits = (bytes_max, resource.RLIM_INFINITY)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, limits)

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

    def _is_ready(self) -> bool:
        connection = HTTPConnection(HOST, self._port, timeout=5)
        try:
            connection.request("GET", self._ready_at)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
