"""Runs real programs beside a test: the gateway, the index and Orthanc, on loopback.

Each gets free ports, a folder of its own and a log. It is stopped however the test ends, and its
last lines are shown where it did not start or a test failed (see `tests/interop/conftest.py`).
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path

from tests.support.peers import peer

HOST = "127.0.0.1"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
PROBE_EVERY_S = 0.05
TAIL_LINES = 25

# DCMTK, and Orthanc with it, leaves Nagle's algorithm on: each message would wait for 40 ms.
NO_DELAY = {"TCP_NODELAY": "1"}

# Below the range from which the system gives ports to clients, so that none is taken meanwhile.
_PORTS = count(20_000 + os.getpid() * 7 % 10_000)


class DidNotStart(Exception):
    """A program ended, or was not ready in time; the message has the end of its log."""


class Program:
    """A child process and its log."""

    def __init__(self, name: str, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self._log = log
        self._process = process

    @property
    def told(self) -> str:
        """All that it wrote to its standard output and error."""
        return self._log.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.told.splitlines()[-TAIL_LINES:])

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True, kw_only=True)
class Index:
    """A running index."""

    program: Program
    http: int

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://{HOST}:{self.http}"


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A running gateway, by its ports."""

    program: Program
    data_dir: Path
    http: int
    dicom: int
    mllp: int

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://{HOST}:{self.http}"

    @property
    def dicomweb(self) -> str:
        """The root of its DICOMweb services."""
        return f"{self.url}/dicom-web"


@dataclass(frozen=True, kw_only=True)
class Orthanc:
    """A running Orthanc, by its ports."""

    program: Program
    http: int
    dicom: int


def free_port() -> int:
    """A port that nobody listens on now."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


@contextmanager
def an_index(folder: Path, *, open_access: bool = True) -> Iterator[Index]:
    """An index, ready for requests."""
    http = free_port()
    settings = {"INDEX_HTTP_PORT": str(http), "INDEX_DATA_DIR": str(folder / "index")}
    command = _serve("indexer.server", open_access=open_access)
    with _running("index", command, folder, settings, lambda: _is_ready(http)) as program:
        yield Index(program=program, http=http)


@contextmanager
def a_gateway(
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
    dicom: int | None = None,
    open_access: bool = True,
) -> Iterator[Gateway]:
    """A gateway, ready for requests.

    Args:
        settings: of the environment, beside folder and ports.
        dicom: its DICOM port, where a peer must know it beforehand.
    """
    http, mllp, dicom = free_port(), free_port(), dicom or free_port()
    environment = {
        "GATEWAY_DATA_DIR": str(folder / "gateway"),
        "GATEWAY_HTTP_PORT": str(http),
        "GATEWAY_DICOM_PORT": str(dicom),
        "GATEWAY_MLLP_PORT": str(mllp),
        **(settings or {}),
    }
    command = _serve("gateway", open_access=open_access)
    with _running("gateway", command, folder, environment, lambda: _is_ready(http)) as program:
        data_dir = folder / "gateway"
        yield Gateway(program=program, data_dir=data_dir, http=http, dicom=dicom, mllp=mllp)


@contextmanager
def an_orthanc(folder: Path, *, modalities: Mapping[str, tuple[str, int]]) -> Iterator[Orthanc]:
    """An Orthanc, title ORTHANC, ready for associations.

    Args:
        modalities: AE title and port of whom it knows, by its own name for each.
    """
    http, dicom = free_port(), free_port()
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "orthanc"),
                "IndexDirectory": str(folder / "orthanc"),
                "HttpPort": http,
                "HttpBindAddresses": [HOST],
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "DicomPort": dicom,
                "DicomAet": "ORTHANC",
                "DicomCheckCalledAet": True,
                # It listens on every interface: nobody from elsewhere may do anything.
                "DicomAlwaysAllowEcho": False,
                "DicomAlwaysAllowStore": False,
                "DicomCheckModalityHost": True,
                "DicomModalities": {
                    name: [title, HOST, port] for name, (title, port) in modalities.items()
                },
            }
        )
    )
    command = [str(peer("Orthanc")), str(configuration)]
    with _running("orthanc", command, folder, NO_DELAY, lambda: _answers(http, "/system")) as one:
        yield Orthanc(program=one, http=http, dicom=dicom)


def _serve(module: str, *, open_access: bool) -> list[str]:
    return [sys.executable, "-m", module, "serve", *(["--open-access"] if open_access else [])]


@contextmanager
def _running(
    name: str,
    command: Sequence[str],
    folder: Path,
    settings: Mapping[str, str],
    is_ready: Callable[[], bool],
) -> Iterator[Program]:
    # Settings of a gateway on this machine are none of the test's.
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GATEWAY_", "INDEX_"))
    }
    path = folder / f"{name}.log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            command,
            env={**inherited, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    program = Program(name, path, process)
    try:
        _wait_until(is_ready, program)
        yield program
    finally:
        program.stop()


def _wait_until(is_ready: Callable[[], bool], program: Program) -> None:
    given_up_at = time.monotonic() + START_WITHIN_S
    while not is_ready():
        if program.has_ended or time.monotonic() > given_up_at:
            raise DidNotStart(f"{program.name}:\n{program.tail()}")
        time.sleep(PROBE_EVERY_S)


def _is_ready(port: int) -> bool:
    return _answers(port, "/health/ready")


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
