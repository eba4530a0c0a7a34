"""Draws the rates and the CPU of the servers side by side."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.gateway.retrieve import Load
from benchmarks.kit.drawing import PEER, SUBJECT, a_picture
from benchmarks.kit.results import Spread

_COLOURS = {"gateway": SUBJECT, "orthanc": PEER, "nginx": "#e3d2a8"}
_WIDTH = 0.26


def draw(loads: Sequence[Load], file: Path) -> None:
    """Medians, with the least and the most of the rounds."""
    title = "WADO-RS of a study, stored uncompressed"
    with a_picture(file, title=title, columns=2) as [rates, costs]:
        for at, load in enumerate(loads):
            for side, (name, turns) in enumerate(load.turns.items()):
                figures = {
                    rates: [one.mib_per_s for one in turns],
                    costs: [one.cpu_s_per_gib for one in turns],
                }
                for panel, told in figures.items():
                    spread = Spread.of(told)
                    reach = [[spread.median - spread.least], [spread.most - spread.median]]
                    panel.bar(
                        at + (side - 1) * _WIDTH,
                        spread.median,
                        _WIDTH * 0.9,
                        yerr=reach,
                        color=_COLOURS[name],
                        label=name if at == 0 else None,
                        error_kw={"linewidth": 0.8, "ecolor": "#555555"},
                    )
        for panel, unit in ((rates, "MiB/s"), (costs, "CPU s/GiB of the server")):
            panel.set_xticks(range(len(loads)), [f"{one.clients} clients" for one in loads])
            panel.set_ylabel(unit)
        rates.legend(frameon=False, fontsize=8)
