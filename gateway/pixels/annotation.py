"""Text that is burned into a picture."""

import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gateway.pixels.grayscale import Shades

LINES_MAX: Final = 8
"""Of one corner."""
LINE_LENGTH_MAX: Final = 64
"""Characters."""

_LINES_PER_PICTURE: Final = 36
_SIZE_MIN, _SIZE_MAX = 8, 96  # pixels
_APART: Final = {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "’": "'", "–": "-", "ß": "ss"}


def annotate(picture: Shades, *, top: Sequence[str], bottom: Sequence[str]) -> Shades:
    """The picture with lines of text in its upper and its lower left corner.

    White with a black rim, so that it is read on any ground; smaller where it would not fit.
    """
    image = Image.fromarray(np.ascontiguousarray(picture))
    upper, lower = _text(top), _text(bottom)
    drawing = ImageDraw.Draw(image)
    font, rim = _font(drawing, image, upper, lower)
    edge = 2 * rim
    for at, text, anchor in ((edge, upper, "la"), (image.height - edge, lower, "ld")):
        drawing.multiline_text(
            (edge, at),
            text,
            font=font,
            anchor=anchor,
            fill=_ink(image, 255),
            stroke_width=rim,
            stroke_fill=_ink(image, 0),
        )
    return np.asarray(image)


def printable(text: str) -> str:
    """The text in the letters that the font has: those of ASCII, without accents.

    So are the names of a French identity written (INS: capitals without accents).
    """
    apart = "".join(_APART.get(letter, letter) for letter in text)
    plain = unicodedata.normalize("NFKD", apart)
    bare = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" else "?" for letter in bare)


def _text(lines: Sequence[str]) -> str:
    return "\n".join(printable(line)[:LINE_LENGTH_MAX] for line in lines[:LINES_MAX])


def _font(
    drawing: ImageDraw.ImageDraw, image: Image.Image, *texts: str
) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, int]:
    """The font in a size that fits, and the width of its rim."""
    size = min(max(min(image.size) // _LINES_PER_PICTURE, _SIZE_MIN), _SIZE_MAX)
    while True:
        font, rim = ImageFont.load_default(size), max(1, size // 12)
        boxes = [drawing.multiline_textbbox((0, 0), text, font=font) for text in texts]
        widest = max(box[2] for box in boxes) + 4 * rim
        highest = sum(box[3] for box in boxes) + 6 * rim
        if size <= _SIZE_MIN or (widest <= image.width and highest <= image.height):
            return font, rim
        size = max(_SIZE_MIN, size * 3 // 4)


def _ink(image: Image.Image, level: int) -> int | tuple[int, int, int]:
    return level if image.mode == "L" else (level, level, level)
