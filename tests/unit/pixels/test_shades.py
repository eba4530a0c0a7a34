"""The grayscale pipeline (PS3.4 §N.2.1.2)."""

import numpy as np
import pytest

from gateway.pixels.grayscale import GrayLook, Padding, Rescale, shade
from gateway.pixels.lut import table_of
from gateway.pixels.voi import Function, Window

EXACT = Function.LINEAR_EXACT


def shades(stored: np.ndarray, **look: object) -> list[int]:
    return [int(one) for one in shade(stored, GrayLook(**look))]  # type: ignore[arg-type]


def test_stored_values_pass_the_rescale_before_the_window() -> None:
    """Hounsfield units: 24 stored is -1000, 1024 is 0, 2024 is 1000."""
    stored = np.array([24, 1024, 2024], np.uint16)

    assert shades(stored, modality=Rescale(1, -1024), voi=Window(0, 2000, EXACT)) == [0, 128, 255]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.float32, np.float64])
def test_values_below_zero_are_below(dtype: type) -> None:
    assert shades(np.array([-100, 0, 100], dtype), voi=Window(0, 200, EXACT)) == [0, 128, 255]


def test_monochrome_1_is_turned_after_the_window() -> None:
    stored = np.array([0, 50, 100, 200], np.uint8)

    assert shades(stored, voi=Window(50, 100, EXACT), inverse=True) == [255, 128, 0, 0]


def test_without_a_window_the_range_of_the_frame_is_shown() -> None:
    assert shades(np.array([1000, 1500, 2000], np.uint16)) == [0, 128, 255]


def test_without_a_window_eight_bits_are_shown_as_they_are() -> None:
    assert shades(np.array([10, 20, 200], np.uint8), bits=8) == [10, 20, 200]


def test_one_bit_is_black_and_white() -> None:
    assert shades(np.array([0, 1], np.uint8), bits=1) == [0, 255]


def test_padding_does_not_widen_the_range_and_is_black() -> None:
    stored = np.array([-2000, 0, 50, 100], np.int16)

    assert shades(stored, padding=Padding(-2000, -2000)) == [0, 0, 128, 255]
    assert shades(stored, padding=Padding(-2000, -2000), inverse=True) == [0, 255, 128, 0]


def test_a_voi_table_is_scaled_to_its_own_bits() -> None:
    table = table_of(0, np.array([0, 2048, 4095], np.uint16), 12)

    assert shades(np.array([0, 1, 2, 9], np.uint16), voi=table) == [0, 128, 255, 255]


def test_a_modality_table_stands_before_the_voi() -> None:
    table = table_of(0, np.array([1000, 500, 0], np.uint16), 16)

    assert shades(np.array([0, 1, 2], np.uint16), modality=table) == [255, 128, 0]


def test_a_presentation_table_comes_last() -> None:
    steps = table_of(0, np.array([0, 0, 255, 255], np.uint16), 8)

    assert shades(np.array([0, 60, 190, 255], np.uint8), bits=8, shape=steps) == [0, 0, 255, 255]


def test_what_is_no_number_is_black() -> None:
    stored = np.array([np.nan, np.inf, -np.inf, 0, 10], np.float32)

    assert shades(stored, voi=Window(5, 10, EXACT)) == [0, 255, 0, 0, 255]
    assert shades(stored)[3:] == [0, 255]


def test_a_frame_of_padding_alone_is_shown() -> None:
    assert shades(np.array([5, 5], np.uint16), padding=Padding(5, 5)) == [0, 0]
