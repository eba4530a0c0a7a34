"""How large a picture is, and which part of the image it shows (PS3.18 §8.3.5.1.3).

Coordinates are those of the image as it is shown: x to the right, y down, from the top left corner.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from gateway.pixels.grayscale import Shades

SIDE_MAX: Final = 8192
"""Rows or columns of a picture."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """The size into which a picture fits, and the region of the image that it shows.

    A negative width or height of the region turns the image round. Elided ends are the image's.
    """

    width: int
    height: int
    left: float = 0.0
    top: float = 0.0
    region_width: float | None = None
    region_height: float | None = None

    @property
    def shows_all(self) -> bool:
        """Whether there is no word about a region."""
        return (self.left, self.top, self.region_width, self.region_height) == (0, 0, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """A part of an image, its sides as fractions of the image's (PS3.18 §9.5.1.2.5)."""

    left: float
    top: float
    right: float
    bottom: float

    def cut(self, picture: Shades) -> Shades:
        """That part of it: a pixel at least."""
        rows, columns = picture.shape[:2]
        vertical = _fraction(self.top, self.bottom, rows)
        return picture[vertical, _fraction(self.left, self.right, columns)]


class NothingShown(ValueError):
    """The region lies outside the image."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A spatial transformation (PS3.3 §C.10.6): the rotation comes first, then the flip."""

    clockwise_degrees: int = 0
    flipped: bool = False

    def apply(self, picture: Shades) -> Shades:
        turned = np.rot90(picture, -self.clockwise_degrees // 90 % 4)
        return turned[:, ::-1] if self.flipped else turned


def fit(picture: Shades, viewport: Viewport | None, *, pixel_aspect: float = 1.0) -> Shades:
    """The picture's region, as large as fits into the viewport.

    Args:
        pixel_aspect: height of a pixel over its width, 1 where it is square.

    Raises:
        NothingShown: the viewport's region lies outside the image.
    """
    if viewport is not None:
        picture = _region(picture, viewport)
    height, width = picture.shape[:2]
    true_height, true_width = _true_size(height, width, pixel_aspect)
    if viewport is None:
        scale = min(1.0, SIDE_MAX / max(true_height, true_width))
    else:
        scale = min(viewport.width / true_width, viewport.height / true_height)
    return resize(picture, round(true_width * scale), round(true_height * scale))


def resize(picture: Shades, width: int, height: int) -> Shades:
    """The picture at another size, at least one pixel wide and high."""
    width, height = max(1, width), max(1, height)
    if (height, width) == picture.shape[:2]:
        return picture
    image = Image.fromarray(np.ascontiguousarray(picture))
    smaller = width <= image.width and height <= image.height
    how = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    return np.asarray(image.resize((width, height), how, reducing_gap=2.0))


def _true_size(height: int, width: int, pixel_aspect: float) -> tuple[float, float]:
    """Height and width with square pixels; the coarser side is stretched, so nothing is lost."""
    if pixel_aspect > 1:
        return height * pixel_aspect, float(width)
    return float(height), width / pixel_aspect


def _region(picture: Shades, viewport: Viewport) -> Shades:
    rows, columns = picture.shape[:2]
    x_from, x_to, mirrored = _span(viewport.left, viewport.region_width, columns)
    y_from, y_to, upside_down = _span(viewport.top, viewport.region_height, rows)
    region = picture[y_from:y_to, x_from:x_to]
    return region[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def _fraction(start: float, end: float, size: int) -> slice:
    begin = min(round(start * size), size - 1)
    return slice(begin, max(begin + 1, round(end * size)))


def _span(start: float, length: float | None, size: int) -> tuple[int, int, bool]:
    """Where a region begins and ends along one side, and whether it is turned round."""
    long = size - start if length is None else abs(length)
    begin, end = max(0, round(start)), min(size, round(start + long))
    if begin >= end:
        raise NothingShown("the viewport's region lies outside the image")
    return begin, end, length is not None and length < 0
