"""The benchmarks run, with tiny counts: asked for the shape of what they tell, never for speed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app


@pytest.mark.parametrize("protocol", ["ITI-65", "ITI-41"])
def test_publishing_is_measured_beside_a_bare_loop(tmp_path: Path, protocol: str) -> None:
    few = "--submissions 5 --references 3 --connections 2 --rounds 1".split()
    of_one = ["--engine", "sqlite", "--protocol", protocol]

    run = CliRunner().invoke(app, ["publish", *few, *of_one, "--into", str(tmp_path)])

    assert run.exit_code == 0, run.output
    told = json.loads((tmp_path / "publish.json").read_text())
    [pairing] = told["pairings"]
    assert pairing["rate_ratio"].keys() == {"median", "least", "most"}
    assert len(pairing["turns"]["index"]) == len(pairing["turns"]["loop"]) == 1
    assert told["machine"]["cores"] >= 1
    assert (tmp_path / "publish.png").read_bytes().startswith(b"\x89PNG")
