"""Draws what a manifest costs, beside plain pydicom."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.gateway.manifests import Deed
from benchmarks.kit.drawing import draw_pairs
from benchmarks.kit.results import Spread


def draw(deeds: Sequence[Deed], file: Path) -> None:
    """A pair of bars for each deed."""
    sides = {
        "gateway": [Spread.of(one.ours) for one in deeds],
        "pydicom": [Spread.of(one.pydicom) for one in deeds],
    }
    title = "A manifest, by the gateway and by plain pydicom"
    draw_pairs(file, [one.name for one in deeds], sides, title=title)
