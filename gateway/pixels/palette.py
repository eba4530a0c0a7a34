"""From stored values to colours: palettes, and colour samples (PS3.3 §C.7.6.3.1.2, §C.7.9)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway.pixels.grayscale import Shades, Stored
from gateway.pixels.lut import LookupTable


@dataclass(frozen=True, slots=True)
class Palette:
    """The red, green and blue of each stored value."""

    red: LookupTable
    green: LookupTable
    blue: LookupTable

    def paint(self, stored: Stored) -> Shades:
        """The colours of a frame of one sample."""
        tables = [_eight_bits(table) for table in (self.red, self.green, self.blue)]
        entries = min(len(table) for table in tables)
        colours = np.stack([table[:entries] for table in tables], axis=1)
        places = np.clip(stored.astype(np.int64) - self.red.first, 0, entries - 1)
        return colours.take(places, axis=0)

    def paint_over(self, gray: Shades, stored: Stored) -> Shades:
        """Gray, with colours where a value is in the palette (supplemental palette, PS3.3
        §C.7.6.19)."""
        last = self.red.first + len(self.red.entries)
        within = (stored >= self.red.first) & (stored < last)
        picture = np.repeat(gray[..., None], 3, axis=2)
        picture[within] = self.paint(stored)[within]
        return picture


def _eight_bits(table: LookupTable) -> NDArray[np.uint8]:
    shifted: NDArray[np.uint16] = np.right_shift(table.entries, max(table.bits - 8, 0))
    return shifted.astype(np.uint8)


def rgb_of_ybr(samples: Stored) -> Stored:
    """The colours of luminance and chrominance of 8 bits (YBR_FULL, PS3.3 §C.7.6.3.1.2).

    Raises:
        ValueError: they are of more bits.
    """
    if samples.dtype != np.uint8:
        raise ValueError("luminance and chrominance are of 8 bits")
    return np.asarray(Image.fromarray(samples, "YCbCr").convert("RGB"))


def colour_samples(stored: Stored, bits: int) -> Shades:
    """Colour samples of up to 32 bits in the 8 that a picture has."""
    if stored.dtype == np.uint8 and bits == 8:
        return stored
    if stored.dtype.kind == "f":
        raise ValueError("colour samples are whole numbers")
    spread = np.floor_divide(stored.astype(np.int64) * 255, 2**bits - 1)
    samples: Shades = np.clip(spread, 0, 255).astype(np.uint8)
    return samples
