"""Frames that are not what they are said to be: refused with a reason, and never half a picture."""

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset

from gateway.errors import NotAcceptable
from gateway.pixels import syntaxes
from gateway.pixels.decode import decode_frame
from gateway.pixels.description import FRAME_BYTES_MAX, PixelDescription, describe_pixels
from gateway.pixels.encode import encode_frame, encoded_description
from gateway.pixels.heads import FrameUnreadable
from indexer.contract.identifiers import Uid
from tests.support.pixels import described, samples_of

SLICE = described(rows=64, columns=48, bits_allocated=8, bits_stored=8, high_bit=7)
FRAMES = {
    syntax: encode_frame(samples_of(SLICE, 1, smooth=True), SLICE, syntax)
    for syntax in syntaxes.ENCODED
}
DEFLATED = zlib.compress(bytes(64 * 48), wbits=-15)


@pytest.mark.parametrize("syntax", [*FRAMES, syntaxes.DEFLATED_FRAMES])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.9])
def test_a_frame_that_is_cut_short_is_refused(syntax: str, part: float) -> None:
    whole = FRAMES.get(Uid(syntax), DEFLATED)

    with pytest.raises(FrameUnreadable):
        decode_frame(whole[: int(len(whole) * part)], SLICE, syntax)


@pytest.mark.parametrize("syntax", [*FRAMES, syntaxes.DEFLATED_FRAMES])
@pytest.mark.parametrize("told", [{"rows": 46341, "columns": 4634}, {"rows": 65, "columns": 49}])
def test_a_frame_smaller_than_its_data_set_says_is_refused(syntax: str, told) -> None:
    whole = FRAMES.get(Uid(syntax), DEFLATED)

    with pytest.raises(FrameUnreadable):
        decode_frame(whole, replace(SLICE, **told), syntax)


@pytest.mark.parametrize("syntax", [one for one in FRAMES if one in syntaxes.JPEG_2000_ALL])
def test_a_frame_that_claims_more_than_its_data_set_is_refused_before_it_is_decoded(
    syntax: str,
) -> None:
    at = FRAMES[Uid(syntax)].index(b"\xff\x51") + 6
    lying = bytearray(FRAMES[Uid(syntax)])
    lying[at : at + 8] = struct.pack(">II", 46341, 46341)

    with pytest.raises(FrameUnreadable, match="size"):
        decode_frame(bytes(lying), SLICE, syntax)


def test_a_jpeg_with_more_bits_than_are_allocated_is_refused() -> None:
    frame = bytearray(FRAMES[syntaxes.JPEG_LS])
    frame[frame.index(b"\xff\xf7") + 4] = 12

    with pytest.raises(FrameUnreadable, match="bits"):
        decode_frame(bytes(frame), SLICE, syntaxes.JPEG_LS)


def test_runs_in_the_wrong_number_of_segments_are_refused() -> None:
    sixteen = replace(SLICE, bits_allocated=16, bits_stored=12, high_bit=11)

    with pytest.raises(FrameUnreadable, match="segment"):
        decode_frame(FRAMES[syntaxes.RLE], sixteen, syntaxes.RLE)


def test_video_is_not_decoded() -> None:
    with pytest.raises(FrameUnreadable, match="not decoded"):
        decode_frame(b"\0" * 64, SLICE, "1.2.840.10008.1.2.4.102")


@pytest.mark.parametrize(
    "told",
    [
        {"Rows": 0},
        {"Rows": 46341, "Columns": 46341},
        {"Rows": None},
        {"SamplesPerPixel": 2},
        {"SamplesPerPixel": 3},
        {"PhotometricInterpretation": "CMYK", "SamplesPerPixel": 3},
        {"BitsAllocated": 12},
        {"BitsStored": 17},
        {"HighBit": 16},
        {"HighBit": 10},
        {"NumberOfFrames": "0"},
    ],
)
def test_pixels_that_cannot_be_are_refused(told: dict[str, object]) -> None:
    ds = _a_header()
    for keyword, value in told.items():
        setattr(ds, keyword, value)

    with pytest.raises(NotAcceptable, match="the pixels cannot be read"):
        describe_pixels(ds)


def test_what_may_be_decoded_is_bounded_by_the_size_of_a_frame() -> None:
    ds = _a_header()
    ds.Rows = FRAME_BYTES_MAX // 2 // 4096
    ds.Columns = 4096

    assert describe_pixels(ds).samples_in_frame * 2 == FRAME_BYTES_MAX
    ds.Rows += 1
    with pytest.raises(NotAcceptable, match="larger"):
        describe_pixels(ds)


UNFIT = [
    (syntaxes.JPEG_BASELINE, {"bits_allocated": 16, "bits_stored": 12, "high_bit": 11}),
    (syntaxes.JPEG_BASELINE, {"bits_stored": 7, "high_bit": 6}),
    (syntaxes.JPEG_BASELINE, {"signed": True}),
    (syntaxes.JPEG_BASELINE, {"photometric": "PALETTE COLOR"}),
    (syntaxes.JPEG_LS_NEAR, {"photometric": "PALETTE COLOR"}),
    (syntaxes.JPEG_2000, {"photometric": "PALETTE COLOR"}),
    (syntaxes.HTJ2K, {"photometric": "PALETTE COLOR"}),
    (syntaxes.JPEG_LS_NEAR, {"bits_stored": 3, "high_bit": 2}),
    (syntaxes.JPEG_LS, {"bits_stored": 1, "high_bit": 0}),
    *((syntax, {"bits_allocated": 32}) for syntax in FRAMES if syntax in syntaxes.ENCODED[1:]),
    *((syntax, {"bits_allocated": 1}) for syntax in FRAMES if syntax in syntaxes.ENCODED[1:]),
    *((syntax, {"floating": True}) for syntax in FRAMES if syntax in syntaxes.ENCODED[1:]),
]


@pytest.mark.parametrize("syntax, told", UNFIT)
def test_pixels_that_a_transfer_syntax_cannot_hold_are_refused(syntax: str, told) -> None:
    with pytest.raises(NotAcceptable, match="cannot hold"):
        encoded_description(replace(SLICE, **told), syntax)


def test_everything_fits_the_native_transfer_syntax() -> None:
    unusual: list[dict[str, object]] = [{"bits_allocated": 32}, {"bits_allocated": 1}]
    unusual.append({"floating": True, "bits_allocated": 64})

    for told in unusual:
        described_so: PixelDescription = replace(SLICE, **told)  # type: ignore[arg-type]
        kept = encoded_description(described_so, syntaxes.EXPLICIT_LITTLE_ENDIAN)
        assert kept == described_so


def test_shared_colours_are_spread_over_their_pixels() -> None:
    told = described(
        rows=1,
        columns=4,
        samples=3,
        bits_allocated=8,
        bits_stored=8,
        high_bit=7,
        photometric="YBR_FULL_422",
    )

    samples = decode_frame(
        bytes([1, 2, 10, 20, 3, 4, 30, 40]), told, syntaxes.EXPLICIT_LITTLE_ENDIAN
    )

    expected = [[[1, 10, 20], [2, 10, 20], [3, 30, 40], [4, 30, 40]]]
    np.testing.assert_array_equal(samples, expected)


def _a_header() -> Dataset:
    ds = Dataset()
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 4, 4, 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PixelData = bytes(32)
    return ds
