"""Draws what goes over DICOM's own wire: instances that come in, and studies that are pulled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes

from benchmarks.gateway.ingest import Ingest
from benchmarks.gateway.pull import Pull
from benchmarks.kit.drawing import PEER, SUBJECT, a_picture
from benchmarks.kit.results import Spread, plain

_SECOND_PEER: Final = "#7f8c99"
_COLOURS: Final = (SUBJECT, PEER, _SECOND_PEER)


def draw_ingest(measured: Sequence[Ingest], file: Path) -> None:
    """Rates on the left, CPU on the right; the whiskers are the least and the most."""
    places = [f"associations: {one.associations}" for one in measured]
    with a_picture(file, title="Instances taken in by C-STORE", columns=2) as (rates, costs):
        rates.set_ylabel("instances a second")
        costs.set_ylabel("CPU ms each")
        for panel, figure in ((rates, "rate"), (costs, "cpu_ms")):
            sides = {
                name: [Spread.of([getattr(s, figure) for s in one.turns[name]]) for one in measured]
                for name in measured[0].turns
            }
            _bars(panel, sides, places)
        rates.legend(frameon=False, fontsize=8)


def draw_pull(measured: Sequence[Pull], file: Path) -> None:
    """Rates on the left, the wait for the first on the right."""
    places = [one.way for one in measured]
    with a_picture(file, title="A study of a PACS, pulled", columns=2) as (rates, firsts):
        rates.set_ylabel("instances a second")
        firsts.set_ylabel("ms to the first")
        for panel, figure in ((rates, "rate"), (firsts, "first_ms")):
            ours = [Spread.of([getattr(turn, figure) for turn in one.ours]) for one in measured]
            dcmtk = [
                Spread.of([getattr(turn, figure) for turn in one.dcmtk])
                for one in measured
                if one.dcmtk
            ]
            _bars(panel, {"gateway": ours, "DCMTK": dcmtk}, places)
        rates.legend(frameon=False, fontsize=8)


def _bars(panel: Axes, sides: Mapping[str, Sequence[Spread]], places: Sequence[str]) -> None:
    width = 0.8 / len(sides)
    for at, (name, spreads) in enumerate(sides.items()):
        bars = panel.bar(
            [place - 0.4 + width * (at + 0.5) for place in range(len(spreads))],
            [one.median for one in spreads],
            width=width * 0.95,
            color=_COLOURS[at],
            label=name,
            yerr=[
                [one.median - one.least for one in spreads],
                [one.most - one.median for one in spreads],
            ],
            error_kw={"lw": 0.8},
        )
        panel.bar_label(bars, [plain(one.median) for one in spreads], fontsize=7, padding=3)
    panel.set_xticks(range(len(places)), places)
