"""The benchmark of large studies runs, with few instances; their memory is asked for in earnest."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.peers import ROOT, peer

MORE_MIB_MAX = 64


def test_large_studies_take_little_memory(tmp_path: Path) -> None:
    for program in ("curl", "dcmsend"):
        peer(program)
    few = "--instances 3 --instances 300 --long-instances 4 --frames 300 --requests 2".split()
    # By itself, as it goes into a network of its own.
    command = [sys.executable, "-m", "benchmarks", "large", *few, "--into", str(tmp_path)]

    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
        env={name: one for name, one in os.environ.items() if name != "DRIM_ALONE"},
    )  # fmt: skip

    assert run.returncode == 0, run.stderr[-2000:]
    told = json.loads((tmp_path / "large.json").read_text())["studies"]
    assert [one["shape"]["instances"] for one in told] == [3, 300, 4]
    assert told[-1]["study"]["mib"] > 600
    answers = [one[name] for one in told for name in ("study", "metadata")]
    assert all(one["more_mib"] < MORE_MIB_MAX for one in answers)
    assert all(one["again_ms"]["least"] > 0 for one in answers)
