"""What the conformance statement says of HL7 is what the readers do."""

import codecs

from gateway.hl7.acknowledgement import AckCode
from gateway.hl7.faults import ErrorCode
from gateway.hl7.message import CHARACTER_SETS
from gateway.intake.flags import (
    DMP_FLAG,
    HARMLESS_FLAGS,
    HARMLESS_PREFIX,
    VISIBILITY_FLAGS,
)
from gateway.intake.mdm import PURPOSES
from gateway.intake.messages import MESSAGE_TYPES
from gateway.intake.pid import DOUBTS
from gateway.model.order import CANCELLED
from tests.architecture.statement import codes, table, words

DOOR = "HL7 v2"
VERSIONS = ["2.3.1", "2.4", "2.5", "2.5.1", "2.6"]


def test_each_message_is_stated_with_its_versions() -> None:
    stated = {
        tuple(message.split("^")): expanded(versions)
        for _, messages, versions in table(DOOR, "Transaction").rows
        for message in with_type(words(messages))
    }

    assert stated == {
        (kind, event): set(taken.versions)
        for kind, taken in MESSAGE_TYPES.items()
        for event in taken.events
    }


def with_type(messages: list[str]) -> list[str]:
    """`ADT^A01`, `A04`: the type is told once."""
    kind = messages[0].partition("^")[0]
    return [one if "^" in one else f"{kind}^{one}" for one in messages]


def expanded(versions: str) -> set[str]:
    first, to, last = versions.partition(" to ")
    if to:
        return set(VERSIONS[VERSIONS.index(first) : VERSIONS.index(last) + 1])
    return set(versions.split(", "))


def test_each_character_set_is_stated_with_how_it_is_read() -> None:
    stated = {
        name: codecs.lookup(read_as).name
        for names, read_as in table(DOOR, "MSH-18").rows
        for name in words(names)
    }

    assert stated == {name: codecs.lookup(codec).name for name, codec in CHARACTER_SETS.items()}


def test_each_answer_is_stated() -> None:
    assert table(DOOR, "Answer").column("Answer") == [*AckCode]


def test_each_condition_is_stated() -> None:
    assert codes(table(DOOR, "Code").column("Code")) == {*ErrorCode}


def test_each_purpose_of_a_report_is_stated() -> None:
    events = table("Reports", "The report is").column("MDM")

    assert {event for cell in events for event in words(cell)} == {*PURPOSES}


def test_each_flag_is_stated() -> None:
    stated = table("Reports", "OBX-3").column("OBX-3")

    assert {flag for cell in stated for flag in words(cell)} == {
        *VISIBILITY_FLAGS,
        *HARMLESS_FLAGS,
        DMP_FLAG,
        f"{HARMLESS_PREFIX}…",
    }


def test_each_word_that_speaks_against_an_identity_is_stated() -> None:
    [read] = [read for field, read in table(DOOR, "Field").rows if field == "PID-32"]

    assert {*words(read)} == {"VALI", *DOUBTS}


def test_each_action_that_cancels_an_order_is_stated() -> None:
    [read] = [
        read for field, read in table("Orders and changed exams", "Field").rows if field == "ORC-1"
    ]

    assert set(words(read)) == CANCELLED
