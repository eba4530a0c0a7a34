"""The commands that documents name, to be run as they stand there but for ports and programs."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
README, MANUAL = "README.md", "docs/operations.md"


def block(containing: str, *, document: str = README) -> str:
    """The one fenced block of a document that holds this text, with the programs of this run."""
    blocks = re.findall(r"^```\w+\n(.*?)^```$", (ROOT / document).read_text(), re.M | re.S)
    [found] = [one for one in blocks if containing in one]
    return str(found).replace(".venv/bin/", f"{Path(sys.executable).parent}/")


def run(commands: str, folder: Path, *, ports: Mapping[int, int]) -> str:
    """What the commands told; each of them must succeed.

    Args:
        ports: those that are listened on, by the default that stands in the commands.
    """
    for default, port in ports.items():
        commands = re.sub(rf"\b{default}\b", str(port), commands)
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
