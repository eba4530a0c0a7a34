"""A run of tests that is told to end ends what it has started."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.peers import ROOT

A_TEST = """
import time
from pathlib import Path

HERE = Path(__file__).parent

def test_that_takes_long():
    (HERE / "server").touch()
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        (HERE / "server").unlink()
"""


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_what_a_test_has_started_ends_with_the_run(tmp_path: Path, told: signal.Signals) -> None:
    (tmp_path / "test_long.py").write_text(A_TEST)
    command = [sys.executable, "-m", "pytest", "-s", "-p", "tests.conftest"]
    command += ["-c", str(ROOT / "pyproject.toml"), str(tmp_path / "test_long.py")]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert any("begun" in line for line in run.stdout)

    run.send_signal(told)
    run.communicate(timeout=30)

    assert not (tmp_path / "server").exists()
    assert run.returncode == pytest.ExitCode.INTERRUPTED
