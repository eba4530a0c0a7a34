"""A suite that did not run does not look like one that passed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

SUITE = """
from tests.support.peers import peer

def test_a_peer_answers():
    peer("storescu")
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "test_meeting_a_peer.py"
    path.write_text(SUITE)
    return path


def test_a_skipped_suite_is_named_with_its_reason_and_what_helps(suite: Path) -> None:
    run = _run_without_peers(suite, require_peers="")

    assert run.returncode == 0
    assert "test_meeting_a_peer.py (1): dcmtk is not installed; try: make peers" in run.stdout


def test_a_missing_peer_is_a_failure_where_peers_are_required(suite: Path) -> None:
    run = _run_without_peers(suite, require_peers="1")

    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "dcmtk is not installed" in run.stdout


def _run_without_peers(suite: Path, *, require_peers: str) -> subprocess.CompletedProcess[str]:
    """Run the suite as a machine would that has no peer on its path."""
    environment = os.environ | {"PATH": str(suite.parent), "REQUIRE_PEERS": require_peers}
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(suite.parent)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "tests.conftest", str(suite)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
