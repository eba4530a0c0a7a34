"""Graphics and texts of a presentation state, drawn over a picture (PS3.3 §C.10.5)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset

from gateway.pixels.annotation import printable
from gateway.pixels.attributes import items, numbers, text
from gateway.pixels.geometry import Turn
from gateway.pixels.grayscale import Shades

MARKS_MAX: Final = 1024
"""Of one state."""
POINTS_MAX: Final = 4096
"""Of one mark."""
TEXT_LENGTH_MAX: Final = 1024

_Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A graphic, or a text at a point."""

    kind: str
    points: tuple[_Point, ...]
    in_pixels: bool
    """Points count the image's columns and rows from 1; else they are fractions of the picture."""
    filled: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Where a part of an image came to lie in a picture."""

    left: int
    top: int
    width: int
    height: int
    turn: Turn
    picture_width: int
    picture_height: int

    def place(self, point: _Point, *, in_pixels: bool) -> _Point:
        """Where a point lies in the picture."""
        x, y = point
        if in_pixels:
            x, y = (x - 0.5 - self.left) / self.width, (y - 0.5 - self.top) / self.height
            for _ in range(self.turn.clockwise_degrees // 90):
                x, y = 1 - y, x
            if self.turn.flipped:
                x = 1 - x
        return x * self.picture_width, y * self.picture_height


def marks_in(annotation: Dataset) -> Iterator[Mark]:
    """The marks of one item of the Graphic Annotation Sequence, as far as they can be read."""
    for one in items(annotation, "GraphicObjectSequence"):
        values = numbers(one, "GraphicData")[: 2 * POINTS_MAX]
        yield Mark(
            kind=text(one, "GraphicType"),
            points=tuple(zip(values[0::2], values[1::2], strict=False)),
            in_pixels=text(one, "GraphicAnnotationUnits") != "DISPLAY",
            filled=text(one, "GraphicFilled") == "Y",
        )
    for one in items(annotation, "TextObjectSequence"):
        anchor = numbers(one, "AnchorPoint")
        units = "AnchorPointAnnotationUnits"
        if len(anchor) != 2:
            anchor = numbers(one, "BoundingBoxTopLeftHandCorner")
            units = "BoundingBoxAnnotationUnits"
        if len(anchor) == 2:
            yield Mark(
                kind="TEXT",
                points=((anchor[0], anchor[1]),),
                in_pixels=text(one, units) != "DISPLAY",
                text=str(one.get("UnformattedTextValue") or "")[:TEXT_LENGTH_MAX],
            )


def draw_marks(picture: Shades, marks: Sequence[Mark], mapping: Mapping) -> Shades:
    """The picture with the marks on it, white with a black rim."""
    if not marks:
        return picture
    image = Image.fromarray(np.ascontiguousarray(picture))
    drawing = ImageDraw.Draw(image)
    thick = max(1, min(image.size) // 400)
    for ink, width in ((0, thick + 2), (255, thick)):
        colour = ink if image.mode == "L" else (ink, ink, ink)
        for mark in marks[:MARKS_MAX]:
            points = [mapping.place(point, in_pixels=mark.in_pixels) for point in mark.points]
            _draw(drawing, mark, points, colour, width)
    return np.asarray(image)


def _draw(
    drawing: ImageDraw.ImageDraw,
    mark: Mark,
    points: list[_Point],
    ink: int | tuple[int, int, int],
    width: int,
) -> None:
    match mark.kind, points:
        case "TEXT", [at]:
            size = max(10, min(drawing.im.size) // 36)
            lines = "\n".join(printable(line) for line in mark.text.splitlines())
            font = ImageFont.load_default(size)
            drawing.multiline_text(at, lines, fill=ink, font=font, stroke_width=width // 2)
        case "POINT", [(x, y), *_]:
            drawing.ellipse((x - width, y - width, x + width, y + width), fill=ink)
        case "POLYLINE" | "INTERPOLATED", [_, _, *_]:
            drawing.line(points, fill=ink, width=width)
            if mark.filled and len(points) > 2:
                drawing.polygon(points, fill=ink)
        case "CIRCLE", [center, edge, *_]:
            radius = float(np.hypot(edge[0] - center[0], edge[1] - center[1]))
            _draw_closed(drawing, _ring(center, (radius, 0.0), (0.0, radius)), mark, ink, width)
        case "ELLIPSE", [a, b, c, d, *_]:
            center = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
            major = ((b[0] - a[0]) / 2, (b[1] - a[1]) / 2)
            minor = ((d[0] - c[0]) / 2, (d[1] - c[1]) / 2)
            _draw_closed(drawing, _ring(center, major, minor), mark, ink, width)


def _ring(center: _Point, major: _Point, minor: _Point) -> list[_Point]:
    angles = np.linspace(0, 2 * np.pi, 73)
    return [
        (
            float(center[0] + major[0] * np.cos(angle) + minor[0] * np.sin(angle)),
            float(center[1] + major[1] * np.cos(angle) + minor[1] * np.sin(angle)),
        )
        for angle in angles
    ]


def _draw_closed(
    drawing: ImageDraw.ImageDraw,
    ring: list[_Point],
    mark: Mark,
    ink: int | tuple[int, int, int],
    width: int,
) -> None:
    if mark.filled:
        drawing.polygon(ring, fill=ink)
    drawing.line(ring, fill=ink, width=width)
