"""The demo plays its whole story with the real programs, and says so when they fail."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.support.ports import free_ports
from tests.support.program import HOST

PLAYED_WITHIN_S = 120
DEMO = [sys.executable, "-m", "simulators", "demo", "--once"]


def play(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*DEMO, *options], capture_output=True, text=True, timeout=PLAYED_WITHIN_S
    )


def test_each_study_comes_back_and_each_disagreement_is_set_aside(tmp_path: Path) -> None:
    played = play(
        *("--studies", "2", "--data-dir", str(tmp_path), "--json", str(tmp_path / "told.json"))
    )

    assert played.returncode == 0, played.stdout
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["ok"] is True
    assert [study["published"] for study in told["studies"]] == [True, True, False, False]
    assert [study["set_aside"] for study in told["studies"]] == [False, False, True, True]
    assert [study["digests_equal"] for study in told["studies"]] == [True, True, None, None]


def test_a_program_that_cannot_start_ends_the_demo_with_its_log(tmp_path: Path) -> None:
    base = free_ports(5)
    with socket.socket() as taken:
        taken.bind((HOST, base + 1))  # the gateway's DICOM port is the second of the five
        taken.listen()

        played = play("--port-base", str(base), "--data-dir", str(tmp_path))

    assert played.returncode == 1
    assert "gateway ended with" in played.stdout
    assert str(tmp_path / "logs") in played.stdout


def test_files_of_ones_own_play_too(tmp_path: Path) -> None:
    files = save_study(make_examination(9, 1, "CT"), tmp_path / "mine")

    played = play("--from", str(tmp_path / "mine"), "--json", str(tmp_path / "told.json"))

    assert played.returncode == 0, played.stdout
    [mine, *_] = json.loads((tmp_path / "told.json").read_text())["studies"]
    assert (mine["instances"], mine["digests_equal"]) == (len(files), True)


def test_an_empty_folder_is_no_demo(tmp_path: Path) -> None:
    played = play("--from", str(tmp_path))

    assert played.returncode == 1
    assert "no study" in played.stdout
    assert "logs" not in played.stdout


def test_a_place_that_cannot_be_written_is_told_before_the_story(tmp_path: Path) -> None:
    played = play("--json", str(tmp_path / "none" / "told.json"))

    assert played.returncode == 2
    assert "there is no folder" in played.stderr
    assert played.stdout == ""
