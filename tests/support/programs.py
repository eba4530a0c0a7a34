"""Runs the programs that tests meet, on loopback: the gateway, the index, Orthanc and nginx.

Each gets free ports, a folder of its own and a log, and is ended however the test ends.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support import confined as confined_program
from tests.support.peers import peer
from tests.support.ports import free_port
from tests.support.program import HOST, Program

TAKES_WITHIN_S = 30.0
"""For Orthanc to take an instance."""

# DCMTK, and Orthanc with it, leaves Nagle's algorithm on: each message would wait for 40 ms.
NO_DELAY = {"TCP_NODELAY": "1"}

# A test that runs at night is no other than by day.
AT_NO_NIGHT = {"GATEWAY_SWEEP_FROM": "", "GATEWAY_SWEEP_TO": ""}


def at_night_now() -> dict[str, str]:
    """Settings by which it is night, for long enough."""
    now = datetime.now(ZoneInfo("Europe/Paris"))
    begins, ends = now - timedelta(hours=1), now + timedelta(hours=2)
    return {"GATEWAY_SWEEP_FROM": f"{begins:%H:%M}", "GATEWAY_SWEEP_TO": f"{ends:%H:%M}"}


@dataclass(frozen=True, kw_only=True)
class _Running:
    """A program that runs and listens for HTTP."""

    program: Program
    http: int

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://{HOST}:{self.http}"


@dataclass(frozen=True, kw_only=True)
class Index(_Running):
    """A running index."""


@dataclass(frozen=True, kw_only=True)
class Gateway(_Running):
    """A running gateway, by its ports."""

    data_dir: Path
    dicom: int
    mllp: int

    @property
    def dicomweb(self) -> str:
        """The root of its DICOMweb services."""
        return f"{self.url}/dicom-web"


@dataclass(frozen=True, kw_only=True)
class Orthanc(_Running):
    """A running Orthanc, by its ports."""

    dicom: int

    def took(self, instance: Path) -> dict[str, str]:
        """What it calls the instance, once it has taken the file over its own API."""
        connection = HTTPConnection(HOST, self.http, timeout=TAKES_WITHIN_S)
        try:
            connection.request("POST", "/instances", body=instance.read_bytes())
            response = connection.getresponse()
            assert response.status == 200, f"Orthanc answered {response.status}"
            names: dict[str, str] = json.loads(response.read())
            return names
        finally:
            connection.close()


@dataclass(frozen=True, kw_only=True)
class Nginx(_Running):
    """A running nginx, with the folder whose files it gives."""

    served: Path


@contextmanager
def an_index(
    folder: Path, *, settings: Mapping[str, str] | None = None, open_access: bool = True
) -> Iterator[Index]:
    """An index, ready for requests.

    Args:
        settings: of the environment, beside folder and port.
    """
    http = free_port()
    environment = {"INDEX_HTTP_PORT": str(http), "INDEX_DATA_DIR": str(folder / "index")}
    environment |= settings or {}
    command = serving("indexer.server", open_access=open_access)
    with _started(Program(command, environment, log=folder / "index.log", port=http)) as program:
        yield Index(program=program, http=http)


@contextmanager
def a_gateway(
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
    http: int | None = None,
    dicom: int | None = None,
    open_access: bool = True,
) -> Iterator[Gateway]:
    """A gateway, ready for requests.

    Args:
        settings: of the environment, beside folder and ports.
        http: its HTTP port, where a peer must know it beforehand.
        dicom: its DICOM port, likewise.
    """
    http, mllp, dicom = http or free_port(), free_port(), dicom or free_port()
    environment = {
        "GATEWAY_DATA_DIR": str(folder / "gateway"),
        "GATEWAY_HTTP_PORT": str(http),
        "GATEWAY_DICOM_PORT": str(dicom),
        "GATEWAY_MLLP_PORT": str(mllp),
        **AT_NO_NIGHT,
        **(settings or {}),
    }
    command = serving("gateway", open_access=open_access)
    with _started(Program(command, environment, log=folder / "gateway.log", port=http)) as program:
        data_dir = folder / "gateway"
        yield Gateway(program=program, data_dir=data_dir, http=http, dicom=dicom, mllp=mllp)


@contextmanager
def an_orthanc(
    folder: Path,
    *,
    modalities: Mapping[str, tuple[str, int]],
    options: Mapping[str, object] | None = None,
    reaches: Sequence[int] = (),
) -> Iterator[Orthanc]:
    """An Orthanc, title ORTHANC, ready for associations.

    Orthanc 1.10, and DCMTK beneath it, listen on every interface and cannot be told another. So it
    runs where loopback is the only one (see `confined`). Where the system does not allow that, it
    still refuses everyone but those in `modalities`, all of them on this machine.

    Args:
        modalities: AE title and port of whom it knows, by its own name for each.
        options: of its configuration, beside those that are set here.
        reaches: ports that it may connect to, beside those of `modalities`.
    """
    http, dicom = free_port(), free_port()
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "orthanc"),
                "IndexDirectory": str(folder / "orthanc"),
                "HttpPort": http,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "DicomPort": dicom,
                "DicomAet": "ORTHANC",
                "DicomCheckCalledAet": True,
                # Nobody from elsewhere may do anything.
                "DicomAlwaysAllowEcho": False,
                "DicomAlwaysAllowStore": False,
                "DicomCheckModalityHost": True,
                "DicomModalities": {
                    name: [title, HOST, port] for name, (title, port) in modalities.items()
                },
                **(options or {}),
            }
        )
    )
    known = [port for _title, port in modalities.values()]
    confined = _confined((http, dicom), (*known, *reaches))
    command = [*confined, str(peer("Orthanc")), str(configuration)]
    log = folder / "orthanc.log"
    program = Program(command, NO_DELAY, log=log, port=http, ready_at="/system")
    with _started(program):
        yield Orthanc(program=program, http=http, dicom=dicom)


@contextmanager
def an_nginx(folder: Path, *, server: str = "") -> Iterator[Nginx]:
    """An nginx that gives the files of a folder, as its own manual would have it set.

    Args:
        server: more of its `server` block.
    """
    served, http = folder / "served", free_port()
    served.mkdir()
    (served / "ready").write_text("yes")
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    default_type application/octet-stream;
{temporary}
    server {{
        listen {HOST}:{http};
        root {served};
        {server}
    }}
}}
"""
    )
    command = [str(peer("nginx")), "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    program = Program(command, {}, log=folder / "nginx.log", port=http, ready_at="/ready")
    with _started(program):
        yield Nginx(program=program, http=http, served=served)


def serving(module: str, *, open_access: bool = True) -> list[str]:
    """The command that has one of our programs serve."""
    return [sys.executable, "-m", module, "serve", *(["--open-access"] if open_access else [])]


def _confined(ports_in: Sequence[int], ports_out: Sequence[int]) -> list[str]:
    """What a command follows that listens on every interface; nothing where loopback is all."""
    if os.environ.get(confined_program.ALONE):
        return []
    lists = [",".join(map(str, ports)) for ports in (ports_in, ports_out)]
    return [sys.executable, confined_program.__file__, *lists]


@contextmanager
def _started(program: Program) -> Iterator[Program]:
    try:
        program.start()
        yield program
    finally:
        program.close()
