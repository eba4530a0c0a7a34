"""Which fragments make which frame, whatever the offset tables say (PS3.5 §A.4)."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dicomweb.encapsulation import (
    FramesUnknown,
    end_of_fragments,
    frame_starts,
    read_fragments,
)
from indexer.contract.identifiers import Uid

JPEG = Uid("1.2.840.10008.1.2.4.50")
RLE = Uid("1.2.840.10008.1.2.5")
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content


def pixels(*fragments: bytes, table: bytes = b"", end: bytes = DELIMITER) -> bytes:
    return item(table) + b"".join(map(item, fragments)) + end


def offsets(*places: int, code: str = "I") -> bytes:
    return struct.pack(f"<{len(places)}{code}", *places)


def frames_of(source: bytes, frames: int, syntax: Uid = JPEG, extended: bytes = b"") -> list[bytes]:
    """Each frame, joined from its fragments."""
    view = memoryview(source)
    fragments = read_fragments(view)
    starts = frame_starts(fragments, view, frames=frames, syntax=syntax, extended=extended)
    return [joined(source[at:end]) for at, end in pairwise(starts)]


def joined(items: bytes) -> bytes:
    found, at = b"", 0
    while at < len(items):
        (length,) = struct.unpack_from("<I", items, at + 4)
        found += items[at + 8 : at + 8 + length]
        at += 8 + length
    return found


def a_frame(number: int, size_bytes: int = 10) -> bytes:
    return b"\xff\xd8\xff" + bytes([number]) * (size_bytes - 3)


THREE = (a_frame(1), a_frame(2, 20), a_frame(3))
IN_FOUR = (a_frame(1), a_frame(2), b"\x02" * 10, a_frame(3))
"""The second is in two fragments."""
SECOND = a_frame(2) + b"\x02" * 10


@pytest.mark.parametrize("table", [b"", offsets(0, 18, 46), offsets(0, 1, 2), offsets(9, 9, 9, 9)])
def test_as_many_fragments_as_frames_are_the_frames_whatever_the_table_says(table: bytes) -> None:
    assert frames_of(pixels(*THREE, table=table), 3) == list(THREE)


def test_one_frame_is_all_fragments() -> None:
    assert frames_of(pixels(*THREE), 1) == [b"".join(THREE)]


def test_a_basic_offset_table_tells_frames_in_several_fragments_apart() -> None:
    unmarked = (b"\1" * 10, b"\2" * 10, b"\2" * 10, b"\3" * 10)

    found = frames_of(pixels(*unmarked, table=offsets(0, 18, 54)), 3)

    assert found == [b"\1" * 10, b"\2" * 20, b"\3" * 10]


def test_an_extended_offset_table_comes_before_the_basic_one() -> None:
    unmarked = (b"\1" * 10, b"\2" * 10, b"\2" * 10, b"\3" * 10)

    found = frames_of(
        pixels(*unmarked, table=offsets(0, 18, 36)), 3, extended=offsets(0, 18, 54, code="Q")
    )

    assert found == [b"\1" * 10, b"\2" * 20, b"\3" * 10]


@pytest.mark.parametrize(
    "table",
    [
        b"",
        offsets(0, 17, 54),  # into the middle of a fragment
        offsets(0, 54, 18),  # backwards
        offsets(8, 26, 62),  # counted from elsewhere
        offsets(0, 18),  # of another object
        offsets(0, 18, 54, 72),
        offsets(0, 18, 4_000_000_000),
        offsets(0, 0, 0),
        offsets(0, 18, 36),  # to fragments, and yet wrong
    ],
)
def test_a_table_that_lies_is_passed_over_for_where_frames_begin(table: bytes) -> None:
    assert frames_of(pixels(*IN_FOUR, table=table), 3) == [IN_FOUR[0], SECOND, IN_FOUR[3]]


def test_frames_that_nothing_tells_apart_are_unknown() -> None:
    unmarked = (b"\1" * 10, b"\2" * 10, b"\2" * 10, b"\3" * 10)

    with pytest.raises(FramesUnknown):
        frames_of(pixels(*unmarked), 3)
    with pytest.raises(FramesUnknown):
        frames_of(pixels(*THREE), 4)


def test_a_frame_of_run_lengths_is_one_fragment() -> None:
    cut = pixels(b"\1" * 10, b"\2" * 10, b"\3" * 10, end=b"")[:-4]

    assert frames_of(cut, 3, RLE) == [b"\1" * 10]
    with pytest.raises(FramesUnknown):
        frames_of(pixels(b"\1" * 10, b"\2" * 10), 3, RLE)


def test_pixels_that_lack_their_delimiter_alone_are_whole() -> None:
    assert frames_of(pixels(*THREE, end=b""), 3) == list(THREE)


@pytest.mark.parametrize("table", [b"", offsets(0, 18, 46)])
def test_what_is_cut_short_has_the_frames_that_are_surely_whole(table: bytes) -> None:
    cut = pixels(*THREE, table=table, end=b"")[:-4]

    # The second ends where the table says that the third begins; without one it may go on.
    assert frames_of(cut, 3) == ([*THREE[:2]] if table else [THREE[0]])


def test_one_frame_that_is_cut_short_is_none() -> None:
    assert frames_of(pixels(*THREE, end=b"")[:-4], 1) == []
    assert frames_of(b"", 1) == []


def test_something_else_than_items_is_refused() -> None:
    with pytest.raises(ValueError, match="something else than items"):
        read_fragments(memoryview(item(b"") + b"\x08\0\x05\0CS\0\0"))


@given(
    frames=st.lists(st.lists(st.binary(max_size=9), min_size=1, max_size=3), min_size=1),
    table=st.one_of(st.just(None), st.binary(max_size=24)),
    kept=st.integers(0, 200),
)
def test_a_frame_that_is_given_is_one_that_was_written(
    frames: list[list[bytes]], table: bytes | None, kept: int
) -> None:
    """Whatever the table holds and wherever the file ends, no frame is ever mixed of two."""
    marked = [
        [b"\xff\xd8\xff\xe0" + first, *(b"\1" + one for one in rest)] for first, *rest in frames
    ]
    places = [0]
    for fragments in marked:
        places.append(places[-1] + sum(len(item(one)) for one in fragments))
    told = offsets(*places[:-1]) if table is None else table
    source = pixels(*(one for some in marked for one in some), table=told)

    found = []
    for part in (source, source[:kept]):
        try:
            found.append(frames_of(part, len(marked)))
        except FramesUnknown:
            found.append([])

    written = [b"".join(one) for one in marked]
    if table is None:
        assert found[0] == written
    assert found[0] in ([], written)
    assert found[1] == written[: len(found[1])]


@given(st.binary(max_size=100))
def test_any_bytes_are_fragments_or_refused(source: bytes) -> None:
    try:
        fragments = read_fragments(memoryview(source))
        end = end_of_fragments(memoryview(source), 0)
    except ValueError:
        return

    assert list(fragments.starts) == sorted(fragments.starts)
    assert fragments.starts[-1] <= len(source)
    assert fragments.delimited or end > len(source)
