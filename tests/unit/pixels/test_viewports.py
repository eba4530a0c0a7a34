"""Size, region and turning of a picture (PS3.18 §8.3.5.1.3)."""

import numpy as np
import pytest

from gateway.pixels.geometry import SIDE_MAX, NothingShown, Turn, Viewport, fit

PICTURE = np.arange(24, dtype=np.uint8).reshape(4, 6)


def size(picture: np.ndarray) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]


@pytest.mark.parametrize(
    "viewport, expected",
    [((12, 12), (12, 8)), ((100, 2), (3, 2)), ((6, 4), (6, 4)), ((1, 1), (1, 1))],
)
def test_a_picture_fits_and_keeps_its_proportions(
    viewport: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert size(fit(PICTURE, Viewport(*viewport))) == expected


def test_a_region_is_cut_out() -> None:
    shown = fit(PICTURE, Viewport(2, 2, 1, 1, 2, 2))

    assert shown.tolist() == [[7, 8], [13, 14]]


def test_a_region_without_an_end_goes_to_the_edge() -> None:
    shown = fit(PICTURE, Viewport(2, 1, 4, 3))

    assert shown.tolist() == [[22, 23]]


def test_negative_sizes_turn_the_region_round() -> None:
    mirrored = fit(PICTURE, Viewport(6, 4, 0, 0, -6, None))
    upside_down = fit(PICTURE, Viewport(6, 4, 0, 0, None, -4))

    assert mirrored.tolist() == PICTURE[:, ::-1].tolist()
    assert upside_down.tolist() == PICTURE[::-1].tolist()


def test_a_region_that_leaves_the_image_shows_what_is_within() -> None:
    assert fit(PICTURE, Viewport(2, 2, 4, 2, 100, 100)).tolist() == [[16, 17], [22, 23]]


def test_a_region_outside_the_image_shows_nothing() -> None:
    with pytest.raises(NothingShown):
        fit(PICTURE, Viewport(10, 10, 6, 0, 5, 5))


def test_a_pixel_that_is_higher_than_wide_is_stretched() -> None:
    assert size(fit(PICTURE, None, pixel_aspect=2)) == (6, 8)
    assert size(fit(PICTURE, None, pixel_aspect=0.5)) == (12, 4)


def test_a_picture_is_never_larger_than_a_side_may_be() -> None:
    assert size(fit(np.zeros((1, SIDE_MAX), np.uint8), None, pixel_aspect=0.1)) == (SIDE_MAX, 1)


@pytest.mark.parametrize(
    "turn, expected",
    [
        (Turn(), [[1, 2], [3, 4]]),
        (Turn(90), [[3, 1], [4, 2]]),
        (Turn(180), [[4, 3], [2, 1]]),
        (Turn(270, flipped=True), [[4, 2], [3, 1]]),
        (Turn(0, flipped=True), [[2, 1], [4, 3]]),
    ],
)
def test_a_picture_is_rotated_clockwise_and_then_flipped(
    turn: Turn, expected: list[list[int]]
) -> None:
    assert turn.apply(np.array([[1, 2], [3, 4]], np.uint8)).tolist() == expected
