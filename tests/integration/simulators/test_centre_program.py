"""`drim-sim centre` says where it listens, serves, and ends when it is asked."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.imaging_centre.dimse import DicomAddress
from simulators.imaging_centre.modality import send_study
from simulators.synthetic.examination import Examination

END_WITHIN_S = 15
CENTRE = [sys.executable, "-m", "simulators", "centre"]


@pytest.fixture
def centre(tmp_path: Path, receiver: Any) -> Iterator["subprocess.Popen[str]"]:
    gateway = f"DRIMBOX={receiver.address.host}:{receiver.address.port}"
    program = subprocess.Popen(
        [
            *(*CENTRE, "--port", "0", "--folder", str(tmp_path / "kept"), "--quiet-s", "0"),
            *("--destination", gateway, "--notify", gateway),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    yield program
    program.kill()
    program.communicate()


def test_it_keeps_a_study_and_says_when_the_gateway_knows(
    centre: "subprocess.Popen[str]",
    tmp_path: Path,
    receiver: Any,
    a_study: Callable[[str], tuple[Examination, tuple[Path, ...]]],
) -> None:
    assert centre.stdout is not None
    examination, files = a_study("CR")

    word, place = centre.stdout.readline().split()
    send_study(files, DicomAddress("PACS", "127.0.0.1", int(place.rpartition(":")[2])))
    notified, study_uid, at_ms = centre.stdout.readline().split()

    assert (word, notified) == ("listening", "notified")
    assert study_uid == examination.study_uid
    assert int(at_ms) > 0
    assert len(list((tmp_path / "kept").iterdir())) == len(files)
    assert receiver.notified.get_nowait().StudyInstanceUID == study_uid


def test_it_ends_well_when_it_is_asked(centre: "subprocess.Popen[str]") -> None:
    assert centre.stdout is not None
    centre.stdout.readline()

    centre.send_signal(signal.SIGTERM)

    assert centre.wait(END_WITHIN_S) == 0


@pytest.mark.parametrize("address", ["DRIMBOX", "DRIMBOX=127.0.0.1", "=127.0.0.1:11112"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    ended = subprocess.run(
        [*CENTRE, "--folder", str(tmp_path), "--notify", address],
        capture_output=True,
        timeout=END_WITHIN_S,
    )

    assert ended.returncode == 2
