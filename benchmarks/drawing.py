"""Pictures of figures: one look for all of them, drawn without a screen."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

SUBJECT: Final = "#1f5fa8"
PEER: Final = "#b9c2cc"
ENGINE_COLOURS: Final = {"sqlite": "#1f5fa8", "postgresql": "#c2571a"}


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
