"""What a client has already, and which part of it it wants (RFC 9110 §13, §14)."""

import pytest

from gateway.dicomweb.conditions import CONDITION_LENGTH_MAX, ByteRange, Conditions, tag_of
from gateway.errors import PreconditionFailed, RangeNotSatisfiable

TAG = '"abc"'


def test_a_tag_tells_where_one_text_ends() -> None:
    assert tag_of(["ab", "c"]) == tag_of(["ab", "c"])
    assert len({tag_of(one) for one in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""])}) == 4


@pytest.mark.parametrize(
    "if_none_match, had",
    [
        ("", False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc" ,"y"', True),
        ("*", True),
        (" * ", True),
        ('"ab"', False),
        ("abc", False),
        ('"a,b", "c"', False),
        ('"x, "abc", y"', True),
        ('"abc"' + "x" * CONDITION_LENGTH_MAX, False),
    ],
)
def test_a_client_has_what_it_names(if_none_match: str, had: bool) -> None:
    assert Conditions(if_none_match=if_none_match).is_had(TAG) == had


@pytest.mark.parametrize("if_match", ["", "*", '"abc"', '"x", "abc"'])
def test_what_a_client_wants_alone_is_given(if_match: str) -> None:
    assert not Conditions(if_match=if_match).is_had(TAG)


@pytest.mark.parametrize("if_match", ['"x"', 'W/"abc"', "nonsense"])
def test_something_else_than_what_a_client_wants_is_not_given(if_match: str) -> None:
    with pytest.raises(PreconditionFailed):
        Conditions(if_match=if_match).is_had(TAG)


@pytest.mark.parametrize(
    "asked, start, end",
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-9", 0, 10),
        ("bytes=0-99", 0, 10),
        ("bytes=3-", 3, 10),
        ("bytes=9-9", 9, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-99", 0, 10),
        ("bytes= 1-2 ", 1, 3),
    ],
)
def test_a_part_is_given(asked: str, start: int, end: int) -> None:
    part = Conditions(range=asked).part_of(10, TAG)

    assert part == ByteRange(start=start, end=end, of=10)
    assert part.content_range == f"bytes {start}-{end - 1}/10"
    assert part.size_bytes == end - start


@pytest.mark.parametrize(
    "asked",
    ["", "bytes=", "bytes=-", "bytes=2-1", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes=0-1x",
     "bytes=٣-", f"bytes={'9' * 19}-"],
)  # fmt: skip
def test_what_is_no_part_is_passed_over(asked: str) -> None:
    assert Conditions(range=asked).part_of(10, TAG) is None


@pytest.mark.parametrize(
    "asked, size_bytes", [("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_part_beyond_the_end_is_refused(asked: str, size_bytes: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        Conditions(range=asked).part_of(size_bytes, TAG)

    assert refused.value.size_bytes == size_bytes


@pytest.mark.parametrize(
    "if_range, given", [("", True), (TAG, True), ('"x"', False), ('W/"abc"', False), ("Mon", False)]
)
def test_a_part_is_given_of_what_the_client_has_the_rest_of(if_range: str, given: bool) -> None:
    part = Conditions(range="bytes=1-2", if_range=if_range).part_of(10, TAG)

    assert (part is not None) == given
