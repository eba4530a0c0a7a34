"""Pictures of figures: one look for all of them, drawn without a screen."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.kit.results import Spread, plain

SUBJECT: Final = "#1f5fa8"
PEER: Final = "#b9c2cc"
ENGINE_COLOURS: Final = {"sqlite": "#1f5fa8", "postgresql": "#c2571a"}


def draw_pairs(
    file: Path, names: Sequence[str], sides: Mapping[str, Sequence[Spread]], *, title: str
) -> None:
    """CPU ms of two sides, as a pair of bars for each name; whiskers are the least and the most."""
    with a_picture(file, title=title) as [panel]:
        panel.set_ylabel("CPU ms")
        looks = ((SUBJECT, -0.2), (PEER, 0.2))
        for (side, spreads), (colour, shift) in zip(sides.items(), looks, strict=True):
            bars = panel.bar(
                [place + shift for place in range(len(spreads))],
                [one.median for one in spreads],
                width=0.38,
                color=colour,
                label=side,
                yerr=[
                    [one.median - one.least for one in spreads],
                    [one.most - one.median for one in spreads],
                ],
                error_kw={"lw": 0.8},
            )
            panel.bar_label(bars, [plain(one.median) for one in spreads], fontsize=8, padding=3)
        panel.set_xticks(range(len(names)), names)
        panel.legend(frameon=False, fontsize=8)


@contextmanager
def a_picture(
    file: Path, *, title: str, columns: int = 1, height_in: float = 3.6
) -> Iterator[list[Axes]]:
    """The panels of a picture, which is written when the block ends."""
    figure = Figure(figsize=(5.2 * columns + 0.8, height_in), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = [figure.add_subplot(1, columns, number + 1) for number in range(columns)]
    for one in panels:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", color="#e5e8eb")
        one.set_axisbelow(True)
    yield panels
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without the date and the library's version, equal figures give equal files.
    figure.savefig(file, metadata={"Software": None})
