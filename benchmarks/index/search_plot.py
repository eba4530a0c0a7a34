"""Draws how long a search takes against how much the index holds."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.index.search import Size
from benchmarks.kit.drawing import ENGINE_COLOURS, a_picture


def draw(sizes: Sequence[Size], file: Path) -> None:
    """Median and p99, with the least and the most of the rounds."""
    title = "Search for a patient's documents (ITI-67), warm"
    with a_picture(file, title=title) as [panel]:
        for engine, of_engine in groupby(sizes, key=lambda one: one.engine):
            told = list(of_engine)
            counts = [one.entries for one in told]
            colour = ENGINE_COLOURS[engine]
            for name, style in (("p99", "-o"), ("median", "--o")):
                spreads = [one.p99_ms if name == "p99" else one.median_ms for one in told]
                panel.plot(
                    counts,
                    [one.median for one in spreads],
                    style,
                    color=colour,
                    label=f"{engine}, {name}",
                    markersize=4,
                )
                panel.fill_between(
                    counts,
                    [one.least for one in spreads],
                    [one.most for one in spreads],
                    color=colour,
                    alpha=0.15,
                )
        panel.set_xscale("log")
        panel.set_ylim(bottom=0)
        panel.set_xlabel("entries in the index")
        panel.set_ylabel("ms")
        panel.legend(frameon=False, fontsize=8)
