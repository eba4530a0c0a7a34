"""A frame that is encoded without loss comes back bit by bit; one with loss, nearly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NotAcceptable
from gateway.pixels import syntaxes
from gateway.pixels.decode import decode_frame, decoded_description
from gateway.pixels.description import PixelDescription
from gateway.pixels.encode import NEAR, encode_frame, encoded_description
from gateway.pixels.native import Samples
from tests.support.pixels import described, descriptions, samples_of

ANY = descriptions(
    photometric=["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"],
    allocated=[8, 16],
)
TOO_SMALL = 200
"""Samples of a frame for which JPEG-LS may be refused."""
LOSSLESS = [one for one in syntaxes.ENCODED if one not in syntaxes.LOSSY_ENCODED]


@pytest.mark.parametrize("syntax", LOSSLESS)
@given(told=ANY, seed=st.integers(0, 2**32 - 1), smooth=st.booleans())
def test_a_lossless_frame_comes_back_bit_by_bit(
    syntax: str, told: PixelDescription, seed: int, smooth: bool
) -> None:
    try:
        encoded_as = encoded_description(told, syntax)
    except NotAcceptable:
        # A single bit is none of JPEG-LS, nor a palette of what may be lossy.
        assert told.bits_stored == 1 or told.photometric == "PALETTE COLOR"
        return
    samples = samples_of(told, seed, smooth=smooth)

    if (frame := _encoded(samples, told, syntax)) is None:
        return

    assert len(frame) % 2 == 0
    assert decoded_description(encoded_as, syntax) == told
    again = decode_frame(frame, encoded_as, syntax)
    assert again.dtype == samples.dtype
    np.testing.assert_array_equal(again, samples)


@given(
    told=descriptions(photometric=["MONOCHROME2", "RGB"], allocated=[8, 16]),
    seed=st.integers(0, 2**32 - 1),
    smooth=st.booleans(),
)
def test_no_sample_of_a_near_lossless_frame_is_further_away(
    told: PixelDescription, seed: int, smooth: bool
) -> None:
    try:
        encoded_as = encoded_description(told, syntaxes.JPEG_LS_NEAR)
    except NotAcceptable:
        assert told.bits_stored < 4
        return
    samples = samples_of(told, seed, smooth=smooth)

    if (frame := _encoded(samples, told, syntaxes.JPEG_LS_NEAR)) is None:
        return

    again = decode_frame(frame, encoded_as, syntaxes.JPEG_LS_NEAR)
    assert np.abs(again.astype(int) - samples.astype(int)).max() <= NEAR


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "RGB"])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_picture_in_jpeg_is_near_the_one_that_was_encoded(photometric: str, seed: int) -> None:
    told = described(
        rows=64,
        columns=96,
        samples=3 if photometric == "RGB" else 1,
        bits_allocated=8,
        bits_stored=8,
        high_bit=7,
        photometric=photometric,
    )
    samples = samples_of(told, seed, smooth=True)
    encoded_as = encoded_description(told, syntaxes.JPEG_BASELINE)

    frame = encode_frame(samples, told, syntaxes.JPEG_BASELINE)

    again = decode_frame(frame, encoded_as, syntaxes.JPEG_BASELINE)
    error = again.astype(float) - samples.astype(float)
    assert 20 * np.log10(255 / np.sqrt((error**2).mean())) > 38
    assert encoded_as.photometric == ("YBR_FULL_422" if photometric == "RGB" else photometric)


def _encoded(samples: Samples, told: PixelDescription, syntax: str) -> bytes | None:
    """The frame; None where it is too small for the encoder of JPEG-LS."""
    try:
        return encode_frame(samples, told, syntax)
    except NotAcceptable:
        assert syntax in syntaxes.JPEG_LS_ALL
        assert samples.size < TOO_SMALL
        return None
