"""Draws how many requests a second are answered, and what each costs."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.kit.drawing import PEER, SUBJECT, a_picture
from benchmarks.kit.pairing import OURS, Pairing
from benchmarks.kit.results import plain

_COLOURS = {
    OURS: SUBJECT,
    "orthanc": PEER,
    "nginx": "#7d8894",
    "alone": SUBJECT,
    "its frame 1": "#7ba3d0",
}


def draw(measured: Sequence[Pairing], file: Path, *, title: str) -> None:
    """A bar for each side of each pairing: requests a second, and CPU; a whisker from the least to
    the most."""
    with a_picture(file, title=title, columns=2, height_in=4.2) as [rates, costs]:
        names = [
            f"{one.name}\n{side}, {one.clients} at once" for one in measured for side in one.came
        ]
        colours = [_COLOURS.get(side, PEER) for one in measured for side in one.came]
        for panel, label, figure in (
            (rates, "requests a second", Pairing.per_s),
            (costs, "CPU ms a request", Pairing.cpu_ms),
        ):
            spreads = [figure(one, side) for one in measured for side in one.came]
            bars = panel.barh(
                range(len(spreads)),
                [one.median for one in spreads],
                color=colours,
                xerr=[
                    [one.median - one.least for one in spreads],
                    [one.most - one.median for one in spreads],
                ],
                error_kw={"lw": 0.8},
            )
            panel.bar_label(bars, [plain(one.median) for one in spreads], fontsize=7, padding=4)
            panel.set_xscale("log")
            panel.set_xlabel(label)
            panel.invert_yaxis()
            panel.grid(axis="x", color="#e5e8eb")
            panel.grid(visible=False, axis="y")
        rates.set_yticks(range(len(names)), names, fontsize=7)
        costs.set_yticks([])
