"""Draws what a rendered picture costs, beside Orthanc."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.gateway.rendered import Pairing
from benchmarks.kit.drawing import draw_pairs
from benchmarks.kit.results import Spread


def draw(pairings: Sequence[Pairing], file: Path) -> None:
    """A pair of bars for each type of picture."""
    sides = {
        "gateway": [Spread.of(one.ours_ms) for one in pairings],
        "Orthanc": [Spread.of(one.orthanc_ms) for one in pairings],
    }
    title = "A picture of 512 x 512, by the gateway and by Orthanc"
    draw_pairs(file, [one.kind for one in pairings], sides, title=title)
