"""From stored values to shades of gray: the grayscale pipeline (PS3.4 §N.2.1.2).

Stored values pass the modality LUT, the VOI and the presentation LUT. For up to 16 bits all of it
is one table over every value that can be stored, and a table is kept: the slices of a series share
theirs.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.pixels.lut import LookupTable
from gateway.pixels.voi import Values, Window, window_between

TABLES_MAX: Final = 32
"""Tables that a process keeps, of 64 KiB each."""

Stored = NDArray[Any]
Shades = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rescale:
    """A line from stored values to the modality's own."""

    slope: float = 1.0
    intercept: float = 0.0

    def at(self, values: Values) -> Values:
        return values * self.slope + self.intercept


@dataclass(frozen=True, slots=True)
class Padding:
    """Values that stand where there is no image (PS3.3 §C.7.5.1.1.2)."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GrayLook:
    """How an image of one sample is shown."""

    modality: Rescale | LookupTable = Rescale()
    voi: Window | LookupTable | None = None
    """None: all that the frame holds, or all that `bits` can hold."""
    bits: int | None = None
    """Bits stored where these are the range to show without a VOI; None: the frame's own range."""
    shape: LookupTable | None = None
    """Presentation LUT; None: the identity."""
    inverse: bool = False
    padding: Padding | None = None


def shade(stored: Stored, look: GrayLook) -> Shades:
    """The shades of a frame, whose numbers have the byte order of this machine."""
    if look.voi is None:
        look = _with_range(stored, look)
    if stored.dtype.kind in "ui" and stored.dtype.itemsize <= 2:
        table = _table(look, stored.dtype.str)
        return table.take(stored.view(f"u{stored.dtype.itemsize}"))
    return _shades(stored.astype(np.float64), look)


@lru_cache(TABLES_MAX)
def _table(look: GrayLook, kind: str) -> Shades:
    dtype = np.dtype(kind)
    unsigned = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    return _shades(unsigned.view(dtype).astype(np.float64), look)


def _shades(values: Values, look: GrayLook) -> Shades:
    modality = look.modality.at(values)
    if isinstance(look.voi, LookupTable):
        shown = look.voi.at(modality) / look.voi.top
    else:
        assert look.voi is not None  # `shade` has put one in
        shown = look.voi.apply(modality)
    if look.shape is not None:
        # Its input is what the VOI gives, spread over its entries (PS3.3 §C.11.6.1).
        shown = look.shape.at(look.shape.first + shown * (len(look.shape.entries) - 1))
        shown /= look.shape.top
    if look.inverse:
        shown = 1 - shown
    if look.padding is not None:
        shown[(values >= look.padding.low) & (values <= look.padding.high)] = 0
    return np.rint(np.nan_to_num(shown) * 255).astype(np.uint8)


def _with_range(stored: Stored, look: GrayLook) -> GrayLook:
    """The look with a window over the range of what is stored."""
    if look.bits is None:
        low, high = _ends(stored, look.padding)
    elif stored.dtype.kind == "i":
        low, high = -(2.0 ** (look.bits - 1)), 2.0 ** (look.bits - 1) - 1
    else:
        low, high = 0.0, 2.0**look.bits - 1
    if isinstance(look.modality, Rescale):
        ends = look.modality.at(np.array([low, high]))
    else:  # a table need not keep the order of values
        ends = look.modality.at(np.arange(low, high + 1))
    window = window_between(float(ends.min()), float(ends.max()))
    return replace(look, voi=window, bits=None)


def _ends(stored: Stored, padding: Padding | None) -> tuple[float, float]:
    image = stored
    if padding is not None:
        image = stored[(stored < padding.low) | (stored > padding.high)]
    if stored.dtype.kind == "f":
        image = image[np.isfinite(image)]
    if image.size == 0:
        return 0.0, 1.0
    return float(image.min()), float(image.max())
