"""The VOI functions (PS3.3 §C.11.2.1.2, §C.11.2.1.3), by the standard's own examples."""

import numpy as np
import pytest

from gateway.pixels.voi import Function, Window, window_between


def shown(window: Window, *values: float) -> list[float]:
    return [float(one) for one in window.apply(np.array(values))]


def test_a_linear_window_is_dark_and_bright_where_the_standard_says() -> None:
    """PS3.3 §C.11.2.1.2.1: c=2048, w=4096 is dark up to 0 and bright from 4095."""
    assert shown(Window(2048, 4096), -1, 0, 4095, 4096) == [0, 0, 1, 1]


def test_a_linear_window_rises_evenly_in_between() -> None:
    assert shown(Window(2048, 4096), 1, 2047.5) == pytest.approx([1 / 4095, 0.5])


def test_a_window_one_wide_is_a_step() -> None:
    assert shown(Window(100, 1), 99, 99.5, 99.6, 100) == [0, 0, 1, 1]


def test_an_exact_window_reaches_half_its_width_to_each_side() -> None:
    window = Window(10, 20, Function.LINEAR_EXACT)

    assert shown(window, -5, 0, 5, 10, 20, 30) == [0, 0, 0.25, 0.5, 1, 1]


def test_a_sigmoid_follows_its_formula() -> None:
    window = Window(50, 40, Function.SIGMOID)

    assert shown(window, 50, 60) == pytest.approx([0.5, 1 / (1 + np.exp(-1))])


def test_a_sigmoid_does_not_overflow() -> None:
    window = Window(0, 1e-6, Function.SIGMOID)

    assert shown(window, -1e9, 1e9) == pytest.approx([0, 1])


@pytest.mark.parametrize(
    "width, function",
    [
        (0.5, Function.LINEAR),
        (0, Function.LINEAR_EXACT),
        (-1, Function.SIGMOID),
        (float("inf"), Function.LINEAR),
    ],
)
def test_a_width_that_a_function_cannot_have_is_refused(width: float, function: Function) -> None:
    with pytest.raises(ValueError, match="wi"):
        Window(0, width, function)


def test_a_range_of_one_value_is_dark() -> None:
    assert shown(window_between(7, 7), 7) == [0]
