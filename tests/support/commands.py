"""Runs a command of the gateway to its end, as a person at a terminal does."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ENDS_WITHIN_S = 120


def gateway_command(
    *arguments: str | Path, settings: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What became of `drim-gateway` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
