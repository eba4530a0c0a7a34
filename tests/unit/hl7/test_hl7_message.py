"""Bytes become a message, or the reason why not."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import PARTS_MAX, Segment, decode, read_header

HEADER = r"MSH|^~\&|A|B|C|D|20260102||ORU^R01^ORU_R01|M1|P|2.5|||||FRA|"


def a_message(*segments: str, charset: str = "UNICODE UTF-8", codec: str = "utf-8") -> bytes:
    return "\r".join([HEADER + charset, *segments]).encode(codec)


def pid(text: str) -> Segment:
    [segment] = decode(a_message(text)).segments("PID")
    return segment


@pytest.mark.parametrize(
    "charset, codec",
    [
        ("", "utf-8"),
        ("", "iso-8859-1"),
        ("UNICODE UTF-8", "utf-8"),
        ("unicode utf-8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("8859/1", "iso-8859-1"),
        ("8859/15", "iso-8859-15"),
        ("8859/1~UNICODE UTF-8", "iso-8859-1"),
    ],
)
def test_accents_are_read_in_the_character_set_that_the_header_names(charset, codec) -> None:
    message = decode(a_message("PID|||||Élodie", charset=charset, codec=codec))

    assert message.segments("PID")[0].text(5) == "Élodie"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n"])
def test_segments_end_in_any_kind_of_line_end(end) -> None:
    message = decode(f"{end}{HEADER}{end}PID|||X{end}OBX|1{end}OBX|2{end}".encode())

    assert message.segments("PID")[0].text(3) == "X"
    assert [obx.text(1) for obx in message.segments("OBX")] == ["1", "2"]


def test_a_byte_order_mark_is_no_part_of_the_message() -> None:
    assert decode(b"\xef\xbb\xbf" + a_message()).msh.text(10) == "M1"


@pytest.mark.parametrize(
    "message, code, location",
    [
        (b"", ErrorCode.SEGMENT_SEQUENCE, "MSH^1"),
        (b"MSH", ErrorCode.SEGMENT_SEQUENCE, "MSH^1"),
        (b"PID|||X", ErrorCode.SEGMENT_SEQUENCE, "MSH^1"),
        (b"MSH|^~\\|A", ErrorCode.SEGMENT_SEQUENCE, "MSH^1"),
        (b"MSH|^^\\&|A", ErrorCode.SEGMENT_SEQUENCE, "MSH^1"),
        (b"MSHA^~\\&A", ErrorCode.SEGMENT_SEQUENCE, "MSH^1"),
        (a_message(charset="BIG-5"), ErrorCode.TABLE_VALUE_NOT_FOUND, "MSH^1^18"),
        (a_message("PID|||||é", codec="latin-1"), ErrorCode.DATA_TYPE, "MSH^1^18"),
        (a_message("PID|||||é", charset="ASCII"), ErrorCode.DATA_TYPE, "MSH^1^18"),
        (a_message("PID|||\x00"), ErrorCode.DATA_TYPE, ""),
        (a_message("OBX|1|CE|a label", "with a break"), ErrorCode.SEGMENT_SEQUENCE, ""),
        (a_message("OBX|1", HEADER), ErrorCode.SEGMENT_SEQUENCE, ""),
        (a_message("PID" + "|" * PARTS_MAX), ErrorCode.INTERNAL, ""),
    ],
)
def test_what_is_no_message_is_refused_with_the_place_of_the_fault(message, code, location) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        decode(message)

    assert (refusal.value.code, refusal.value.location) == (code, location)


def test_a_component_is_found_by_its_numbers() -> None:
    segment = pid("PID|||1^2^3&4~5^^6||a\\T\\b")

    assert segment.repetitions(3) == 2
    assert segment.text(3) == "1"
    assert segment.text(3, 3) == "3"
    assert segment.text(3, 3, 2) == "4"
    assert segment.text(3, 3, repetition=2) == "6"
    assert segment.text(3, 2, repetition=2) == ""
    assert segment.text(5) == "a&b"


@given(st.lists(st.integers(min_value=1, max_value=9), min_size=4, max_size=4))
def test_what_is_absent_is_empty(numbers) -> None:
    field, component, subcomponent, repetition = numbers

    segment = pid('PID|""|||')

    assert segment.text(field, component, subcomponent, repetition=repetition) == ""
    assert segment.repetitions(field + 4) == 0


@pytest.mark.parametrize(
    "escaped, meant",
    [
        (r"A\F\B\S\C\R\D\E\E\T\F", "A|B^C~D\\E&F"),
        (r"\XC389\lodie", "Élodie"),
        (r"first\.br\second", "first second"),
        (r"\H\loud\N\ ", "loud"),
        (r"a\X0D0A\b", "a\r\nb"),
    ],
)
def test_an_escape_sequence_stands_for_its_characters(escaped, meant) -> None:
    assert pid(f"PID|||{escaped}").text(3) == meant


@pytest.mark.parametrize("sequence", [r"\Q\ ", r"\X1\ ", r"\XFF\ ", r"\.sp9999999999\ "])
def test_an_escape_sequence_that_stands_for_nothing_is_refused(sequence) -> None:
    with pytest.raises(RefusedMessage, match="escape sequence") as refusal:
        pid(f"PID|||DUPONT{sequence}").text(3)

    assert refusal.value.location == "PID^1^3"


def test_a_control_character_is_told_by_its_line() -> None:
    with pytest.raises(RefusedMessage, match="line 3 holds control characters"):
        decode(a_message("PID|1", "OBX|\x00|"))


def test_a_field_is_told_by_its_place_among_the_segments_of_its_name() -> None:
    message = decode(a_message("OBX|1", "PID|1", "OBX|2"))

    assert [obx.at(5) for obx in message.segments("OBX")] == ["OBX^1^5", "OBX^2^5"]
    assert message.groups("PID")[0].segments("OBX")[0].at(5, 1, 2) == "OBX^2^5^1^2"


def test_lines_without_a_segment_cost_next_to_nothing() -> None:
    """A list of what stands between them would take eight times the message."""
    lines = b"\r" * 4_000_000
    tracemalloc.start()

    with pytest.raises(RefusedMessage, match="too many parts"):
        decode(a_message("PID|1") + lines + b"PID|2")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(lines)


def test_segments_that_belong_together_begin_with_the_same_one() -> None:
    message = decode(a_message("PID|1", "ORC|1", "OBR|1", "OBR|2", "ORC|2", "NTE|1"))

    one, other = message.groups("ORC")

    assert (one.first.text(1), [obr.text(1) for obr in one.segments("OBR")]) == ("1", ["1", "2"])
    assert (other.first.text(1), len(other.segments("NTE"))) == ("2", 1)
    assert message.groups("ZDS") == []


def test_other_delimiters_are_taken_as_the_header_says() -> None:
    header = "MSH#*!?%#A#B#C#D#2026##ORU*R01#M1#P#2.5"

    message = decode(f"{header}\rPID###1*2!3?F?4".encode())

    assert message.msh.text(9, 2) == "R01"
    assert message.segments("PID")[0].text(3, 2) == "2"
    assert message.segments("PID")[0].text(3, repetition=2) == "3#4"


def test_the_header_of_an_unreadable_message_can_still_be_answered() -> None:
    header = read_header(a_message("\x00", charset="BIG-5"))

    assert (header.field(3), header.field(10), header.field(18)) == ("A", "M1", "BIG-5")
    assert header.field(99) == ""


@given(st.binary(max_size=300))
def test_reading_a_header_never_fails(noise) -> None:
    for message in (noise, b"MSH" + noise, b"MSH|^~\\&" + noise):
        read_header(message)
