"""Draws what a manifest costs, beside plain pydicom."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.drawing import PEER, SUBJECT, a_picture
from benchmarks.manifests import Deed
from benchmarks.results import Spread


def draw(deeds: Sequence[Deed], file: Path) -> None:
    """A pair of bars for each deed; the whiskers are the least and the most."""
    with a_picture(file, title="A manifest, by the gateway and by plain pydicom") as [panel]:
        panel.set_ylabel("CPU ms")
        sides = (
            ("gateway", SUBJECT, -0.2, [Spread.of(one.ours) for one in deeds]),
            ("pydicom", PEER, 0.2, [Spread.of(one.pydicom) for one in deeds]),
        )
        for name, colour, shift, spreads in sides:
            bars = panel.bar(
                [place + shift for place in range(len(spreads))],
                [one.median for one in spreads],
                width=0.38,
                color=colour,
                label=name,
                yerr=[
                    [one.median - one.least for one in spreads],
                    [one.most - one.median for one in spreads],
                ],
                error_kw={"lw": 0.8},
            )
            panel.bar_label(bars, [f"{one.median:.3g}" for one in spreads], fontsize=8, padding=3)
        panel.set_xticks(range(len(deeds)), [one.name for one in deeds])
        panel.legend(frameon=False, fontsize=8)
