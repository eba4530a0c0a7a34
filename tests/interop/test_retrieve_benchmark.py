"""The benchmark of retrieval runs, with tiny counts: asked for its shape, never for speed."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.peers import ROOT, orthanc_plugin, peer


def test_retrieving_is_measured_beside_orthanc_and_nginx(tmp_path: Path) -> None:
    for program in ("Orthanc", "nginx", "curl", "dcmsend"):
        peer(program)
    orthanc_plugin("DicomWeb")
    few = "--studies 2 --instances 3 --clients 2 --fetches 4 --rounds 2 --metadata 5".split()
    # By itself, as it goes into a network of its own.
    command = [sys.executable, "-m", "benchmarks", "retrieve", *few, "--into", str(tmp_path)]

    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
        env={name: one for name, one in os.environ.items() if name != "DRIM_ALONE"},
    )  # fmt: skip

    assert run.returncode == 0, run.stderr[-2000:]
    told = json.loads((tmp_path / "retrieve.json").read_text())
    [load] = told["loads"]
    assert load["clients"] == 2
    for name in ("gateway", "orthanc", "nginx"):
        assert load[name]["mib_per_s"]["least"] > 0
    assert load["rate_to_orthanc"].keys() == {"median", "least", "most"}
    for name in ("gateway", "nginx"):
        waits = told["metadata_beside_downloads"][name]
        assert all(len(one) == 2 for one in waits["p99_ms"].values())
        assert waits["unbounded_to_idle"]["least"] > 0
    assert (tmp_path / "retrieve.png").read_bytes().startswith(b"\x89PNG")
