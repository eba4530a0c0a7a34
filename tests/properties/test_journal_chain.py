"""Whatever is done to lines that were written, following them tells of it, or their seal does."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from indexer.server.journal.chain import BrokenChain, Line, Seal, Walk, next_line

NOW_MS = 1_764_000_000_000
LATER_MS = NOW_MS + 1000

_events = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6)


@st.composite
def journals(draw: st.DrawFn) -> list[Line]:
    """The lines of a few records, in the order in which they are followed."""
    lines: list[Line] = []
    for key in sorted(draw(st.sets(st.text("AB|12", min_size=1, max_size=4), min_size=1))):
        head: Line | None = None
        for event in draw(_events):
            head = next_line(head, key, event, now_ms=NOW_MS + draw(st.integers(-50, 50)))
            lines.append(head)
    return lines


def sealed(lines: list[Line]) -> Seal:
    walk = Walk([LATER_MS])
    for line in lines:
        walk.follow(line)
    [seal] = walk.finish()
    return seal


@given(journals())
def test_what_was_written_is_whole(lines: list[Line]) -> None:
    seal = sealed(lines)

    assert (seal.lines, seal.chains) == (len(lines), len({one.patient_key for one in lines}))


@given(journals(), st.data())
def test_a_flipped_bit_breaks_its_line(lines: list[Line], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(lines) - 1))
    line = lines[place]
    name = data.draw(st.sampled_from(["event", "hash", "at_ms", "position", "patient_key"]))
    flipped: dict[str, Any] = {name: _flipped(getattr(line, name), data)}
    lines[place] = replace(line, **flipped)

    with pytest.raises(BrokenChain):
        sealed(lines)


def _flipped(value: bytes | int | str, data: st.DataObject) -> bytes | int | str:
    if isinstance(value, int):
        return value ^ (1 << data.draw(st.integers(0, 40)))
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    # One of the lower bits: the text of a key stays a text.
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 2))
    return raw.decode() if isinstance(value, str) else bytes(raw)


@given(journals(), st.data())
def test_a_line_that_is_taken_out_breaks_the_chain(lines: list[Line], data: st.DataObject) -> None:
    inner = [place for place, one in enumerate(lines[1:]) if one.position > 1]
    assume(inner)
    place = data.draw(st.sampled_from(inner))  # the last of a record is for its seal

    with pytest.raises(BrokenChain):
        sealed([*lines[:place], *lines[place + 1 :]])


@given(journals(), st.data())
def test_a_line_that_is_put_in_breaks_the_chain(lines: list[Line], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(lines) - 1))
    after = data.draw(st.integers(0, len(lines) - 1))
    put_in = replace(
        lines[place], patient_key=lines[after].patient_key, position=lines[after].position + 1
    )
    rest = [
        replace(one, position=one.position + 1) if one.patient_key == put_in.patient_key else one
        for one in lines[after + 1 :]
    ]

    with pytest.raises(BrokenChain):
        sealed([*lines[: after + 1], put_in, *rest])


@given(journals(), st.data())
def test_lines_that_change_places_break_the_chain(lines: list[Line], data: st.DataObject) -> None:
    assume(len(lines) > 1)
    one, other = data.draw(st.permutations(range(len(lines))))[:2]
    swapped = list(lines)
    for to, source in ((one, lines[other]), (other, lines[one])):
        place = lines[to]
        swapped[to] = replace(source, patient_key=place.patient_key, position=place.position)

    with pytest.raises(BrokenChain):
        sealed(swapped)


@given(journals(), st.data())
def test_a_tail_that_is_cut_and_a_record_that_vanishes_are_told_by_the_seal(
    lines: list[Line], data: st.DataObject
) -> None:
    seal = sealed(lines)
    key = data.draw(st.sampled_from(sorted({one.patient_key for one in lines})))
    kept_max = data.draw(st.integers(0, sum(one.patient_key == key for one in lines) - 1))

    cut = sealed([one for one in lines if one.patient_key != key or one.position <= kept_max])

    assert cut != seal


@given(journals(), st.binary(max_size=10), st.data())
def test_a_chain_that_is_written_anew_from_a_line_on_is_told_by_the_seal(
    lines: list[Line], event: bytes, data: st.DataObject
) -> None:
    """Whoever may write to the table may link it anew; what is kept elsewhere they cannot reach."""
    seal = sealed(lines)
    place = data.draw(st.integers(0, len(lines) - 1))
    forged: list[Line] = []
    for number, one in enumerate(lines):
        told = event + b"?" + one.event if number == place else one.event
        head = forged[-1] if forged and forged[-1].patient_key == one.patient_key else None
        forged.append(next_line(head, one.patient_key, told, now_ms=one.at_ms))

    assert sealed(forged).lines == seal.lines  # it looks whole
    assert sealed(forged).digest != seal.digest


@given(journals(), st.data())
def test_lines_that_come_after_a_seal_do_not_change_it(
    lines: list[Line], data: st.DataObject
) -> None:
    seal = sealed(lines)
    key = data.draw(st.sampled_from([*sorted({one.patient_key for one in lines}), "Z"]))
    head = max((one for one in lines if one.patient_key == key), default=None, key=_position)

    line = next_line(head, key, b"later", now_ms=LATER_MS)

    assert sealed(sorted([*lines, line], key=lambda one: (one.patient_key, one.position))) == seal


def _position(line: Line) -> int:
    return line.position


def test_a_clock_that_goes_back_does_not_take_the_journal_along() -> None:
    first = next_line(None, "A", b"1", now_ms=NOW_MS)
    second = next_line(first, "A", b"2", now_ms=NOW_MS - 60_000)

    assert second.at_ms == NOW_MS
    assert sealed([first, second]).lines == 2
