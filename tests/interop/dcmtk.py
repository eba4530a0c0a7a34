"""Runs the command-line programs of DCMTK against the gateway."""

import os
import subprocess
from pathlib import Path

from tests.support.peers import peer
from tests.support.program import HOST
from tests.support.programs import NO_DELAY

ENDS_WITHIN_S = 60


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What became of a program, with all that it told in `stdout`."""
    return subprocess.run(
        [peer(program), *arguments],
        env=os.environ | NO_DELAY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )


def archived(port: int, title: str, *files: Path) -> None:
    """Send the files to a PACS, as a modality does."""
    to = called(port, title=title)
    sent = run("dcmsend", "-aet", "STORESCU", "--decompress-never", *to, *files)
    assert sent.returncode == 0, sent.stdout


def called(port: int, *, title: str = "DRIMBOX") -> list[str]:
    """Arguments that name the gateway to a program of DCMTK."""
    return ["-aec", title, HOST, str(port)]
