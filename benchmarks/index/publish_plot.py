"""Draws rates of submissions, and their CPU, beside those of the bare loop."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.index.publish import Pairing, Turn
from benchmarks.kit.drawing import PEER, SUBJECT, a_picture
from benchmarks.kit.results import Spread


def draw(pairings: Sequence[Pairing], file: Path) -> None:
    """Rates on the left, CPU on the right; the whiskers are the least and the most."""
    title = "Submissions held durably, by the index and by a bare loop"
    with a_picture(file, title=title, columns=2) as (rates, costs):
        rates.set_ylabel("submissions a second")
        _bars(rates, pairings, lambda turn: turn.rate)
        costs.set_ylabel("CPU ms each, with the server's")
        _bars(costs, pairings, lambda turn: turn.cpu_ms + turn.server_cpu_ms)
        rates.legend(frameon=False, fontsize=8)


def _bars(panel: Axes, pairings: Sequence[Pairing], figure: Callable[[Turn], float]) -> None:
    sides = (
        ("index", SUBJECT, -0.2, [one.index for one in pairings]),
        ("bare loop", PEER, 0.2, [one.loop for one in pairings]),
    )
    for name, colour, shift, turns in sides:
        spreads = [Spread.of(list(map(figure, one))) for one in turns]
        panel.bar(
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
    labels = [f"{one.protocol}\n{one.engine}" for one in pairings]
    panel.set_xticks(range(len(pairings)), labels, fontsize=8)
