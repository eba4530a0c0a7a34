"""LUT descriptors and data, as they are and as they come (PS3.3 §C.11.1.1, §C.7.9.2)."""

import numpy as np
import pytest

from gateway.pixels.lut import BadTable, expand_segments, make_table


def looked_up(
    descriptor: list[int], data: bytes | list[int], *values: int, **how: bool
) -> list[int]:
    table = make_table(descriptor, data, **({"signed": False, "big_endian": False} | how))
    return [int(one) for one in table.at(np.array(values, float))]


def test_values_outside_get_the_first_and_the_last_entry() -> None:
    assert looked_up([3, 10, 16], [100, 200, 300], 0, 10, 11, 12, 99) == [100, 100, 200, 300, 300]


def test_a_first_value_may_be_negative_where_pixels_are_signed() -> None:
    minus_two = 65534

    assert looked_up([3, minus_two, 16], [100, 200, 300], -2, 0, signed=True) == [100, 300]


def test_no_entries_means_65536() -> None:
    data = np.arange(65536, dtype="<u2").tobytes()

    assert looked_up([0, 0, 16], data, 0, 65535) == [0, 65535]


def test_entries_of_eight_bits_are_read_packed_or_not() -> None:
    packed, loose = bytes([1, 2, 3, 0]), bytes([1, 0, 2, 0, 3, 0])

    assert looked_up([3, 0, 8], packed, 0, 1, 2) == [1, 2, 3]
    assert looked_up([3, 0, 8], loose, 0, 1, 2) == [1, 2, 3]


def test_entries_in_big_endian_are_turned() -> None:
    assert looked_up([2, 0, 16], b"\x01\x00\x02\x00", 0, 1, big_endian=True) == [256, 512]


def test_entries_that_use_eight_of_sixteen_bits_are_taken_as_such() -> None:
    table = make_table([2, 0, 16], [0, 255], signed=False, big_endian=False)

    assert table.top == 255


@pytest.mark.parametrize(
    "descriptor, data",
    [
        ([3, 0, 16], [1, 2]),
        ([3, 0], [1, 2, 3]),
        ([1, 0, 32], [1]),
        ([0, 0, 16], b""),
    ],
)
def test_a_table_that_contradicts_its_descriptor_is_refused(
    descriptor: list[int], data: bytes | list[int]
) -> None:
    with pytest.raises(BadTable):
        make_table(descriptor, data, signed=False, big_endian=False)


def words(*values: int) -> bytes:
    return np.array(values, "<u2").tobytes()


def expanded(data: bytes, count: int) -> list[int]:
    return [int(one) for one in expand_segments(data, count, bits=16, big_endian=False)]


def test_discrete_and_linear_segments_are_written_out() -> None:
    """A point, a line of four to 100, and a line down again."""
    assert expanded(words(0, 1, 20, 1, 4, 100, 1, 2, 0), 7) == [20, 40, 60, 80, 100, 50, 0]


def test_an_indirect_segment_repeats_earlier_ones() -> None:
    line = (0, 1, 0, 1, 2, 10)
    again = (2, 2, 0, 0)  # two segments, from byte 0

    assert expanded(words(*line, *again), 6) == [0, 5, 10, 0, 5, 10]


@pytest.mark.parametrize(
    "data",
    [
        words(1, 2, 10),
        words(0, 9, 1),
        words(0, 1),
        words(7, 1, 1),
        words(0, 1, 5),
        words(2, 65535, 0, 0),
        words(0, 1, 5, 2, 65535, 6, 0),
        b"",
    ],
)
def test_segments_that_lead_nowhere_are_refused(data: bytes) -> None:
    with pytest.raises(BadTable):
        expanded(data, 4)


def test_segments_make_no_more_entries_than_are_told() -> None:
    assert len(expanded(words(0, 1, 5, 1, 65535, 9), 4)) == 4
