"""Draws the memory of the index against the submissions that it has taken."""

from pathlib import Path

from benchmarks.index.memory import FLAT, Curve
from benchmarks.kit.drawing import ENGINE_COLOURS, a_picture


def draw(curve: Curve, file: Path) -> None:
    """Every sample, and the band in which it counts as flat."""
    title = "Memory of the index's process, as submissions come"
    with a_picture(file, title=title) as [panel]:
        colour, settled = ENGINE_COLOURS[curve.engine], curve.settled_mib
        panel.axhspan(settled * (1 - FLAT), settled * (1 + FLAT), color=colour, alpha=0.1)
        counts = [one.submissions for one in curve.samples]
        panel.plot(counts, [one.mib for one in curve.samples], color=colour, lw=1.2)
        panel.set_ylim(bottom=0)
        panel.set_xlabel("submissions")
        panel.set_ylabel("MiB resident")
