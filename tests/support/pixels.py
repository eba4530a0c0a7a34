"""Frames of any description, and how they are written natively."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from gateway.pixels.description import PixelDescription
from gateway.pixels.native import Samples


def described(**told: object) -> PixelDescription:
    """A slice of 12 bits, but for what is told."""
    slice_ = PixelDescription(
        rows=5,
        columns=7,
        samples=1,
        bits_allocated=16,
        bits_stored=12,
        high_bit=11,
        signed=False,
        photometric="MONOCHROME2",
    )
    return replace(slice_, **told)  # type: ignore[arg-type]


@st.composite
def descriptions(
    draw: st.DrawFn, *, photometric: Sequence[str], allocated: Sequence[int]
) -> PixelDescription:
    """What a data set may say, of small frames."""
    bits_allocated = draw(st.sampled_from(allocated))
    bits_stored = draw(st.integers(1, bits_allocated))
    kind = draw(st.sampled_from(photometric))
    return described(
        rows=draw(st.integers(1, 24)),
        columns=draw(st.integers(1, 24)),
        samples=1 if kind.startswith(("MONO", "PALETTE")) else 3,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1,
        signed=kind.startswith("MONO") and draw(st.booleans()),
        photometric=kind,
    )


def samples_of(told: PixelDescription, seed: int, *, smooth: bool = False) -> Samples:
    """Samples of that description: any at all, or a picture."""
    random = np.random.default_rng(seed)
    lowest = -(1 << (told.bits_stored - 1)) if told.signed else 0
    count = 1 << told.bits_stored
    if not smooth:
        return random.integers(lowest, lowest + count, told.shape).astype(told.dtype)
    rows, columns = np.mgrid[: told.rows, : told.columns]
    waves = np.sin(columns / 23) * np.cos(rows / 17) + random.normal(0, 0.01, rows.shape)
    picture = lowest + ((waves / 2.2 + 0.5) * count).clip(0, count - 1)
    if told.samples > 1:
        picture = np.stack([picture, picture[::-1], picture[:, ::-1]], axis=-1)
    return picture.astype(told.dtype)
