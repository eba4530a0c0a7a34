"""What a centre names again and again is read once, and read as it was."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.contract.document import Code
from indexer.wire.fhir.elements import Element, read_coding, read_concept
from indexer.wire.fhir.known import JSON_BYTES_MAX, KEPT_MAX, knowing_again
from indexer.wire.outcome import Json, Refusal

VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 9), st.text(max_size=3))
CODINGS = st.dictionaries(st.sampled_from(["code", "system", "display", "version"]), VALUES)
CONCEPTS = st.fixed_dictionaries({}, optional={"coding": st.lists(CODINGS, max_size=2)})


class Reader:
    """Reads how long a text is, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, element: Element) -> int:
        self.reads += 1
        return len(element.text("text"))


def outcome(read: object, told: Json) -> object:
    try:
        return read(Element(told, "DocumentReference"))  # type: ignore[operator]
    except Refusal as refusal:
        return refusal.code, refusal.reason, refusal.expression


@given(st.lists(CODINGS), st.lists(CONCEPTS))
def test_what_is_known_again_is_what_would_be_read(codings: list[Json], concepts: list[Json]):
    for read, them in ((read_coding, codings), (read_concept, concepts)):
        anew = inspect.unwrap(read)
        for told in (*them, *them):
            assert outcome(read, told) == outcome(anew, told)


def test_equal_json_is_read_once():
    reader = Reader()
    read = knowing_again(reader.read)

    lengths = [read(Element({"text": text}, "a")) for text in ("one", "three", "one")]

    assert (lengths, reader.reads) == ([3, 5, 3], 2)


def test_a_refusal_tells_its_own_place_each_time():
    for place in ("first", "second"):
        with pytest.raises(Refusal) as refused:
            read_concept(Element({"coding": [{}]}, place))

        assert refused.value.expression == f"{place}.coding[0].code"


def test_what_is_long_is_not_kept():
    reader = Reader()
    read = knowing_again(reader.read)

    for _ in range(2):
        read(Element({"text": "a" * JSON_BYTES_MAX}, "a"))

    assert reader.reads == 2


def test_no_more_is_kept_than_may_be():
    reader = Reader()
    read = knowing_again(reader.read)

    for number in (0, *range(KEPT_MAX), 0, KEPT_MAX, KEPT_MAX, 0):
        read(Element({"text": str(number)}, "a"))

    assert reader.reads == KEPT_MAX + 2  # the oldest is read again, the others are known


def test_what_json_cannot_tell_is_read_as_it_is():
    nested: Json = {"code": "1"}
    for _ in range(400):
        nested = {"code": "1", "deeper": nested}

    assert read_coding(Element(nested, "a")) == Code(code="1", scheme="")
