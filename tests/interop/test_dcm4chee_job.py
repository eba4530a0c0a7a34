"""The job beside a dcm4chee that the operations manual prints, run as it stands there.

No dcm4chee runs here: a server answers the search as PS3.18 §10.6 has it, with 204 for nothing.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from threading import Thread

import pytest

from tests.interop.test_orthanc_webhook import ADDRESS, MANUAL
from tests.interop.wire import asked
from tests.support.program import HOST
from tests.support.programs import Gateway

ARCHIVE = "http://dcm4chee:8080/dcm4chee-arc/aets/DCM4CHEE/rs"
FOUND = [{"0020000D": {"vr": "UI", "Value": [f"1.2.250.1.999.7.{one}"]}} for one in range(2)]

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@contextmanager
def an_archive(answer: bytes) -> Iterator[tuple[str, list[str]]]:
    """The address of an archive that answers so, and what it was asked."""
    asked_for: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked_for.append(self.path)
            self.send_response(200 if answer else 204)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with TCPServer((HOST, 0), Handler) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}", asked_for
        finally:
            server.shutdown()
            serving.join()


def run_job(archive: str, gateway: Gateway) -> "subprocess.CompletedProcess[str]":
    manual = MANUAL.read_text()
    [script] = [one for one in re.findall(r"```sh\n(.*?)```", manual, re.DOTALL) if ARCHIVE in one]
    assert ADDRESS in script
    script = script.replace(ARCHIVE, archive).replace(ADDRESS, gateway.url)
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )


def test_it_hands_on_the_studies_of_the_day(open_gateway: Gateway) -> None:
    with an_archive(json.dumps(FOUND).encode()) as (archive, asked_for):
        run = run_job(archive, open_gateway)

    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout) == {"announced": 2}
    [path] = asked_for
    assert re.fullmatch(r"/studies\?StudyDate=\d{8}&limit=1000", path)
    listed = asked(open_gateway.http, "/api/studies?limit=1000").json["studies"]
    assert {one["0020000D"]["Value"][0] for one in FOUND} <= {one["study_uid"] for one in listed}


def test_a_day_without_a_study_is_no_fault(open_gateway: Gateway) -> None:
    with an_archive(b"") as (archive, _):
        run = run_job(archive, open_gateway)

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_an_archive_that_does_not_answer_is_a_fault_that_is_told(open_gateway: Gateway) -> None:
    with an_archive(b"") as (archive, _):
        pass

    run = run_job(archive, open_gateway)

    assert run.returncode != 0
    assert "curl" in run.stderr
