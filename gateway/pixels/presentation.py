"""How a softcopy presentation state shows a frame (PS3.4 §N.2, PS3.3 §A.33).

Grayscale, colour and pseudo-colour states. Their transformations stand for those of the image; what
the image says of its own look does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw
from pydicom import Dataset

from gateway.pixels.appearance import (
    modality_of,
    palette_of,
    pixel_aspect_of,
    table_in,
    voi_of,
)
from gateway.pixels.attributes import item, items, number, numbers, text, whole
from gateway.pixels.geometry import NothingShown, Turn, Viewport, fit
from gateway.pixels.grayscale import GrayLook, Shades, Stored, shade
from gateway.pixels.marks import Mapping, Mark, draw_marks, marks_in
from gateway.pixels.palette import colour_samples

REFERENCES_MAX: Final = 1024
"""Images that one state shows."""
PRESENTATIONS: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (1, 2, 3))
"""The classes of states that are shown: grayscale, colour and pseudo-colour softcopy."""
PSEUDO_COLOUR: Final = "1.2.840.10008.5.1.4.1.1.11.3"

_SHAPES: Final = frozenset({"RECTANGULAR", "CIRCULAR", "POLYGONAL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image that a state shows."""

    series: str
    instance: str
    frames: tuple[int, ...]
    """Counted from 1; none of them is all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame of an image, with its header."""

    header: Dataset
    number: int
    """Counted from 1."""
    samples: Stored
    bits: int


def references_of(state: Dataset) -> list[Reference]:
    """The images that a state shows (PS3.3 §C.11.11)."""
    found = []
    for series in items(state, "ReferencedSeriesSequence"):
        for image in items(series, "ReferencedImageSequence"):
            frames = numbers(image, "ReferencedFrameNumber")
            reference = Reference(
                series=text(series, "SeriesInstanceUID"),
                instance=text(image, "ReferencedSOPInstanceUID"),
                frames=tuple(int(one) for one in frames),
            )
            found.append(reference)
    return found[:REFERENCES_MAX]


def present(state: Dataset, frame: Frame, viewport: Viewport | None) -> Shades:
    """The picture of a frame as the state shows it.

    Raises:
        NothingShown: the area that it displays lies outside the image.
        BadTable: a palette of the state contradicts itself.
    """
    shown = _shutter(state, _shaded(state, frame))
    area = next(_for(state, "DisplayedAreaSelectionSequence", frame), None)
    left, top, right, bottom = _area(area, shown)
    turn = Turn(
        whole(state, "ImageRotation", 0) // 90 * 90 % 360, text(state, "ImageHorizontalFlip") == "Y"
    )
    aspect = pixel_aspect_of(frame.header if area is None else area, frame.number - 1)
    upright = turn.clockwise_degrees % 180 == 0
    turned = turn.apply(shown[top:bottom, left:right])
    picture = fit(turned, viewport, pixel_aspect=aspect if upright else 1 / aspect)
    mapping = Mapping(
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
        turn=turn,
        picture_width=picture.shape[1],
        picture_height=picture.shape[0],
    )
    return draw_marks(picture, list(_marks(state, frame)), mapping)


def _shaded(state: Dataset, frame: Frame) -> Shades:
    if frame.samples.ndim == 3:
        return colour_samples(frame.samples, frame.bits)
    signed = frame.samples.dtype.kind == "i"
    voi = next(_for(state, "SoftcopyVOILUTSequence", frame), None)
    shape = item(state, "PresentationLUTSequence")
    look = GrayLook(
        modality=modality_of(state, 0, signed=signed, big_endian=False),
        voi=None if voi is None else voi_of(voi, 0, big_endian=False),
        shape=None if shape is None else table_in(shape, signed=False, big_endian=False),
        inverse=text(state, "PresentationLUTShape") == "INVERSE",
    )
    shades = shade(frame.samples, look)
    if text(state, "SOPClassUID") != PSEUDO_COLOUR:
        return shades
    palette = palette_of(state, signed=False, big_endian=False)
    steps = len(palette.red.entries) - 1
    return palette.paint(palette.red.first + shades.astype(np.int64) * steps // 255)


def _for(state: Dataset, sequence: str, frame: Frame) -> Iterator[Dataset]:
    """The items that are for a frame: those that name it, and those that name none."""
    for one in items(state, sequence):
        named = items(one, "ReferencedImageSequence")
        if not named or any(_is_of(image, frame) for image in named):
            yield one


def _is_of(image: Dataset, frame: Frame) -> bool:
    if text(image, "ReferencedSOPInstanceUID") != text(frame.header, "SOPInstanceUID"):
        return False
    numbered = numbers(image, "ReferencedFrameNumber")
    return not numbered or frame.number in numbered


def _area(area: Dataset | None, picture: Shades) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is displayed, within the image (PS3.3 §C.10.4)."""
    rows, columns = picture.shape[:2]
    corners = (
        []
        if area is None
        else [
            *numbers(area, "DisplayedAreaTopLeftHandCorner"),
            *numbers(area, "DisplayedAreaBottomRightHandCorner"),
        ]
    )
    if len(corners) != 4:
        return 0, 0, columns, rows
    # The corners are those after the image is turned; they may come in any order.
    xs, ys = sorted(corners[0::2]), sorted(corners[1::2])
    left, right = max(0, int(xs[0]) - 1), min(columns, int(xs[1]))
    top, bottom = max(0, int(ys[0]) - 1), min(rows, int(ys[1]))
    if left >= right or top >= bottom:
        raise NothingShown("the displayed area lies outside the image")
    return left, top, right, bottom


def _shutter(state: Dataset, picture: Shades) -> Shades:
    """The picture with what its shutters hide covered (PS3.3 §C.7.6.11)."""
    shapes = _SHAPES & set(_texts(state, "ShutterShape"))
    if not shapes:
        return picture
    rows, columns = picture.shape[:2]
    seen = np.ones((rows, columns), bool)
    for shape in shapes:
        opening = Image.new("1", (columns, rows))
        _draw_opening(ImageDraw.Draw(opening), state, shape)
        seen &= np.asarray(opening)
    covered = picture.copy()
    covered[~seen] = whole(state, "ShutterPresentationValue", 0) >> 8 & 0xFF
    return covered


def _draw_opening(drawing: ImageDraw.ImageDraw, state: Dataset, shape: str) -> None:
    if shape == "RECTANGULAR":
        names = ("LeftVertical", "UpperHorizontal", "RightVertical", "LowerHorizontal")
        edges = [number(state, f"Shutter{name}Edge") for name in names]
        if None not in edges:
            left, top, right, bottom = (int(edge or 0) for edge in edges)
            # The edges themselves are hidden; they count from 1.
            if left < right - 1 and top < bottom - 1:
                drawing.rectangle((left, top, right - 2, bottom - 2), fill=1)
    elif shape == "CIRCULAR":
        center, radius = (
            numbers(state, "CenterOfCircularShutter"),
            number(state, "RadiusOfCircularShutter"),
        )
        if len(center) == 2 and radius is not None and radius > 0:
            y, x = center[0] - 1, center[1] - 1
            drawing.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    else:
        vertices = numbers(state, "VerticesOfThePolygonalShutter")
        corners = [(x - 1, y - 1) for y, x in zip(vertices[0::2], vertices[1::2], strict=False)]
        if len(corners) >= 3:
            drawing.polygon(corners, fill=1)


def _texts(ds: Dataset, keyword: str) -> list[str]:
    value = ds.get(keyword) or []
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _marks(state: Dataset, frame: Frame) -> Iterator[Mark]:
    for one in _for(state, "GraphicAnnotationSequence", frame):
        yield from marks_in(one)
