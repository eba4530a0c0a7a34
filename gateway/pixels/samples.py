"""The bits stored within the bits allocated (PS3.5 §8.1.1): what else a cell holds is no image."""

from gateway.pixels.description import PixelDescription
from gateway.pixels.native import Samples


def bits_stored(samples: Samples, described: PixelDescription) -> Samples:
    """The values of the samples, without overlays or whatever stands beside them in their cells.

    Args:
        described: the samples, as they were decoded.
    """
    cell_bits = samples.dtype.itemsize * 8
    if described.floating or described.bits_allocated == 1:
        return samples
    below = described.high_bit + 1 - described.bits_stored
    if described.bits_stored + below == cell_bits:
        return samples >> below if below else samples
    if not below and _fit(samples, described):
        return samples  # nothing stands beside them, and looking costs less than cutting
    if described.signed:
        return (samples << (cell_bits - described.high_bit - 1)) >> (
            cell_bits - described.bits_stored
        )
    return (samples >> below) & ((1 << described.bits_stored) - 1)


def _fit(samples: Samples, described: PixelDescription) -> bool:
    bits = described.bits_stored
    if not described.signed:
        return bool(samples.max() < 1 << bits)
    return bool(samples.max() < 1 << bits - 1 and samples.min() >= -(1 << bits - 1))
