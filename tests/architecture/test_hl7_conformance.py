"""What the conformance statement says of HL7 is what the readers do."""

import codecs
from base64 import b64encode
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.hl7.acknowledgement import AckCode
from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import CHARACTER_SETS, decode
from gateway.intake.flags import (
    DMP_FLAG,
    HARMLESS_FLAGS,
    HARMLESS_PREFIX,
    VISIBILITY_FLAGS,
)
from gateway.intake.mdm import PURPOSES
from gateway.intake.messages import MESSAGE_TYPES, read_news
from gateway.intake.pid import DOUBTS
from gateway.model.notification import ReportReceived
from gateway.model.order import CANCELLED
from gateway.model.report import Visibility
from indexer.contract.identifiers import Uid
from simulators.imaging_centre.cda import build_report
from simulators.imaging_centre.reporting import ReportOptions, build
from tests.architecture.statement import codes, fenced, table, words

DOOR = "HL7 v2"
PARIS = ZoneInfo("Europe/Paris")
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


def the_whole_message() -> bytes:
    """What the statement shows, as it goes over the wire, with a CDA on the same exam."""
    options = ReportOptions(
        study_uid="1.2.3",
        accession="ACC1",
        ins="155059999900196",
        local_id="IPP1",
        local_id_issuer="1.2.250.1.999.2",
    )
    document, _message = build(options, now=datetime(2026, 1, 2, tzinfo=PARIS))
    cda = b64encode(build_report(document)).decode("ascii")
    return fenced("hl7").replace("…", cda).replace("\n", "\r").encode()


def test_the_whole_message_is_taken_as_a_validated_report() -> None:
    [news] = read_news(decode(the_whole_message()), time_zone=PARIS)

    assert isinstance(news, ReportReceived)
    report = news.report
    assert (report.validated, report.identity_status, report.for_dmp) == (True, "VALI", True)
    assert report.announced.ins == report.patient.ins
    assert report.announced.local_ids == report.patient.local_ids
    assert report.visibility == {Visibility.HIDDEN_FROM_PATIENT}
    assert report.about(Uid("1.2.3")) is not None


def test_the_whole_message_is_refused_with_a_line_break_inside_a_field() -> None:
    message = the_whole_message()
    within = message.index(b"Base64^") + 76

    with pytest.raises(RefusedMessage, match="line 7 is no segment: is there a line break"):
        decode(message[:within] + b"\r\n" + message[within:])
