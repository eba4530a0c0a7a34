"""Draws how many studies' searches are answered in a second, and how long one takes."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.gateway.qido import Compared, Size
from benchmarks.kit.drawing import PEER, SUBJECT, a_picture


def draw(compared: Sequence[Compared], sizes: Sequence[Size], file: Path) -> None:
    """Beside Orthanc, and as the archive grows; with the least and the most of the rounds."""
    title = "Studies of a patient by QIDO-RS"
    with a_picture(file, title=title, columns=2) as [rates, growth]:
        _draw_rates(rates, compared)
        _draw_growth(growth, sizes)


def _draw_rates(panel: Axes, compared: Sequence[Compared]) -> None:
    for at, one in enumerate(compared):
        for shift, asked, colour in ((-0.2, one.gateway, SUBJECT), (0.2, one.orthanc, PEER)):
            spread = asked.per_s
            panel.bar(
                at + shift,
                spread.median,
                0.36,
                color=colour,
                label=asked.server if at == 0 else None,
                yerr=[[spread.median - spread.least], [spread.most - spread.median]],
            )
    panel.set_yscale("log")
    panel.set_xticks(range(len(compared)), [f"{one.gateway.clients} at once" for one in compared])
    panel.set_ylabel("searches a second")
    panel.legend(frameon=False, fontsize=8)


def _draw_growth(panel: Axes, sizes: Sequence[Size]) -> None:
    counts = [one.studies for one in sizes]
    for name, style in (("p99", "-o"), ("median", "--o")):
        spreads = [one.asked.p99_ms if name == "p99" else one.asked.p50_ms for one in sizes]
        panel.plot(
            counts,
            [one.median for one in spreads],
            style,
            color=SUBJECT,
            label=name,
            markersize=4,
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("studies in the gateway")
    panel.set_ylabel("ms")
    panel.legend(frameon=False, fontsize=8)
