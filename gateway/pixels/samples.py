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
    if described.signed:
        return (samples << (cell_bits - described.high_bit - 1)) >> (
            cell_bits - described.bits_stored
        )
    return (samples >> below) & ((1 << described.bits_stored) - 1)
