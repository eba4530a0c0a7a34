"""Pixels as the last element of a data set: their tables, their padding and their limits."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import get_frame, parse_basic_offsets
from pydicom.filereader import read_dataset

from gateway.errors import NotAcceptable
from gateway.pixels.native import Samples
from gateway.retrieval.forms.pixel_writing import write_encapsulated, write_native
from tests.support.pixels import described, samples_of

FRAMES = [b"ABCD", b"EF", b"GHIJKL"]
PLENTY = 2**30


def read(target: BytesIO) -> Dataset:
    target.seek(0)
    return read_dataset(target, is_implicit_VR=False, is_little_endian=True)


def test_the_basic_table_leads_to_each_frame() -> None:
    target = BytesIO()

    size_bytes = write_encapsulated(target, FRAMES, described(frames=3), size_bytes_max=PLENTY)

    ds = read(target)
    assert size_bytes == 12
    assert parse_basic_offsets(ds.PixelData) == [0, 12, 22]
    assert [get_frame(ds.PixelData, number, number_of_frames=3) for number in range(3)] == FRAMES


def test_the_extended_table_leads_to_frames_that_the_basic_one_cannot_reach() -> None:
    target = BytesIO()

    write_encapsulated(target, FRAMES, described(frames=3), size_bytes_max=PLENTY, offset_max=5000)

    ds = read(target)
    assert list(np.frombuffer(ds.ExtendedOffsetTable, "<u8")) == [0, 12, 22]
    assert list(np.frombuffer(ds.ExtendedOffsetTableLengths, "<u8")) == [4, 2, 6]
    assert parse_basic_offsets(ds.PixelData) == []
    tables = (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths)
    found = [get_frame(ds.PixelData, number, extended_offsets=tables) for number in range(3)]
    assert found == FRAMES


def test_frames_of_bits_follow_each_other_without_padding() -> None:
    told = described(rows=3, columns=3, bits_allocated=1, bits_stored=1, high_bit=0, frames=3)
    samples = [samples_of(told, seed) for seed in range(3)]
    target = BytesIO()

    write_native(target, samples, told, size_bytes_max=PLENTY)

    pixels = read(target).PixelData
    assert len(pixels) == 4
    bits = np.unpackbits(np.frombuffer(pixels, np.uint8), bitorder="little")
    assert list(bits[:27]) == list(np.concatenate([one.reshape(-1) for one in samples]))
    assert not bits[27:].any()


@pytest.mark.parametrize("allocated, vr", [(8, "OB"), (16, "OW")])
def test_an_odd_number_of_bytes_is_padded(allocated: int, vr: str) -> None:
    told = described(rows=1, columns=3, bits_allocated=allocated, bits_stored=8, high_bit=7)
    samples: Samples = samples_of(told, 1)
    target = BytesIO()

    write_native(target, [samples], told, size_bytes_max=PLENTY)

    ds = read(target)
    assert vr == ds["PixelData"].VR
    assert ds.PixelData == samples.tobytes().ljust(len(ds.PixelData), b"\0")
    assert len(ds.PixelData) == 3 * allocated // 8 + (allocated == 8)


@pytest.mark.parametrize("rows, columns, frames", [(4096, 4096, 129), (5, 7, 2**31 - 1)])
def test_more_than_an_element_holds_is_refused_before_a_frame_is_read(
    rows: int, columns: int, frames: int
) -> None:
    told = described(rows=rows, columns=columns, frames=frames)

    with pytest.raises(NotAcceptable, match="too large"):
        write_native(BytesIO(), iter(()), told, size_bytes_max=2**40)


def test_more_compressed_frames_than_may_be_are_refused() -> None:
    with pytest.raises(NotAcceptable, match="too large"):
        write_encapsulated(BytesIO(), FRAMES, described(frames=3), size_bytes_max=50)
