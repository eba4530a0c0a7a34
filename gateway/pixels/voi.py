"""What part of the values is shown, and how: the VOI transformation (PS3.3 §C.11.2)."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class Function(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """A window onto the values.

    Raises:
        ValueError: its width is one that its function cannot have.
    """

    center: float
    width: float
    function: Function = Function.LINEAR

    def __post_init__(self) -> None:
        if not np.isfinite(self.center) or not np.isfinite(self.width):
            raise ValueError("a window's center and width are finite")
        if self.function is Function.LINEAR and self.width < 1:
            raise ValueError("a linear window is at least 1 wide")
        if self.width <= 0:
            raise ValueError("a window's width is more than 0")

    def apply(self, values: Values) -> Values:
        """Where in the window each value lies: 0 dark, 1 bright."""
        if self.function is Function.SIGMOID:
            steep = np.clip(-4 * (values - self.center) / self.width, -700, 700)
            return 1 / (1 + np.exp(steep))
        if self.function is Function.LINEAR_EXACT:
            shown = (values - self.center) / self.width + 0.5
        elif self.width == 1:  # a step: the formula would divide by nothing
            shown = np.where(values > self.center - 0.5, 1.0, 0.0)
        else:
            shown = (values - (self.center - 0.5)) / (self.width - 1) + 0.5
        return np.clip(shown, 0, 1)


def window_between(lowest: float, highest: float) -> Window:
    """The window that shows the lowest value dark, the highest bright, and all between.

    Where they are one and the same, it is dark.
    """
    if highest <= lowest:
        highest = lowest + 1
    return Window((lowest + highest) / 2, highest - lowest, Function.LINEAR_EXACT)
