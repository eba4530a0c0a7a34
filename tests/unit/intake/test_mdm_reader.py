"""An MDM says the same of a report as an ORU, and must not contradict itself."""

import pytest

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import decode
from gateway.intake.messages import read_news
from gateway.model.notification import ReportReceived
from gateway.model.report import Report
from tests.support.hl7_messages import DOCUMENT_ID, an_mdm
from tests.support.reports import PARIS, a_cda, a_report, flag

REPLACING = [("MDM^T02", "MDM^T10"), ("ORC|NW", "ORC|RO"), ("||||||F|\rPRT", "||||||C|\rPRT")]
WITHDRAWING = [("MDM^T02", "MDM^T04"), ("ORC|NW", "ORC|CA"), ("||||||F|\rPRT", "||||||D|\rPRT")]
TXA_13 = (f"{DOCUMENT_ID}||", f"{DOCUMENT_ID}|1.2.250.1.999.4.0|")
PARENT = (
    "<setId",
    '<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.250.1.999.4.8"/>'
    "</parentDocument></relatedDocument><setId",
)


def read(message: bytes) -> Report:
    [news] = read_news(decode(message), time_zone=PARIS)
    assert isinstance(news, ReportReceived)
    return news.report


def test_an_mdm_and_an_oru_of_the_same_report_say_the_same() -> None:
    oru = a_report(("~ESSAI^LOU^^^^^D", ""), flags=flag("INVISIBLE_PATIENT", "Y"))
    oru = oru.replace(b"^^^^^^BDL^^99999~1 rue Invent\xc3\xa9e^^LIEU^^00000^FRA^H", b"")

    assert read(an_mdm()) == read(oru)


def test_a_replacement_names_what_it_replaces_in_the_message_or_in_the_cda() -> None:
    in_both = read(an_mdm(*REPLACING, TXA_13, cda=a_cda(PARENT)))
    in_neither = read(an_mdm(*REPLACING))

    assert in_both.status == "C"
    assert in_both.replaces == ("1.2.250.1.999.4.8", "1.2.250.1.999.4.0")
    assert in_neither.replaces == ()


def test_a_document_does_not_replace_itself() -> None:
    itself = (f"{DOCUMENT_ID}||", f"{DOCUMENT_ID}|{DOCUMENT_ID}|")

    assert read(an_mdm(*REPLACING, itself)).replaces == ()


def test_a_withdrawal_brings_the_same_report_again() -> None:
    withdrawal = read(an_mdm(*WITHDRAWING))

    assert withdrawal.status == "D"
    assert withdrawal.document_id == DOCUMENT_ID


@pytest.mark.parametrize(
    "written",
    [
        f"{DOCUMENT_ID}^X1",
        rf"{DOCUMENT_ID}\S\X1",
        f"X1^^{DOCUMENT_ID}^ISO",
        f"X1^RIS^{DOCUMENT_ID}^ISO",
    ],
)
def test_an_id_of_root_and_extension_is_known_however_it_is_written(written) -> None:
    cda = a_cda((f'<id root="{DOCUMENT_ID}"/>', f'<id root="{DOCUMENT_ID}" extension="X1"/>'))

    report = read(an_mdm((f"|{DOCUMENT_ID}|", f"|{written}|"), cda=cda))

    assert report.document_id == f"{DOCUMENT_ID}^X1"


@pytest.mark.parametrize("completion", ["IP", "DO", "PA"])
def test_what_nobody_has_signed_is_kept_as_preliminary(completion) -> None:
    message = an_mdm(("|AU|", f"|{completion}|"), ("||||||F|\rPRT", "||||||P|\rPRT"))

    assert not read(message).validated


@pytest.mark.parametrize("action", ["NW", "RO", "CA", "RE", "XO", ""])
@pytest.mark.parametrize("status", ["F", "C", "D", "P", "W", "X"])
@pytest.mark.parametrize("event", ["T02", "T10", "T04", ""], ids=lambda event: event or "ORU")
def test_event_and_orc_1_and_obx_11_mean_the_same_or_are_refused(event, action, status) -> None:
    """What each of them may mean, written out: N a new report, R a replacement, W a withdrawal."""
    means = [
        {"T02": "N", "T10": "R", "T04": "W", "": "NRW"}[event],
        {"NW": "N", "RO": "R", "CA": "W", "": "NRW"}.get(action, "NR"),
        {"F": "N", "C": "R", "D": "W"}.get(status, "NR"),
    ]
    common = set.intersection(*map(set, means))
    changes = [("ORC|NW", f"ORC|{action}"), ("||||||F|\rPRT", f"||||||{status}|\rPRT")]
    message = an_mdm(("MDM^T02", f"MDM^{event}"), *changes) if event else a_report(*changes)

    try:
        read(message)
        answer = "taken"
    except RefusedMessage as refusal:
        answer = f"{refusal.code} at {refusal.location}"

    at_orc = not set(means[0]) & set(means[1])
    refused = "207 at ORC^1^1" if at_orc else "207 at OBX^1^11"
    assert answer == ("taken" if common else refused)


@pytest.mark.parametrize(
    "changes, code, location",
    [
        ([("MDM^T02", "MDM^T06")], ErrorCode.UNSUPPORTED_EVENT, "MSH^1^9^1^2"),
        ([("|2.6|", "|2.4|")], ErrorCode.UNSUPPORTED_VERSION, "MSH^1^12"),
        ([("TXA|1", "ZXA|1")], ErrorCode.SEGMENT_SEQUENCE, "TXA^1"),
        ([("TXA|1", "TXA|1\rTXA|1")], ErrorCode.SEGMENT_SEQUENCE, "TXA^2"),
        ([(f"|{DOCUMENT_ID}|", "||")], ErrorCode.REQUIRED_FIELD_MISSING, "TXA^1^12"),
        ([(f"|{DOCUMENT_ID}|", "|1.2.3|")], ErrorCode.INTERNAL, "TXA^1^12"),
        ([("|AU|", "||")], ErrorCode.REQUIRED_FIELD_MISSING, "TXA^1^17"),
        ([("|AU|", "|XX|")], ErrorCode.TABLE_VALUE_NOT_FOUND, "TXA^1^17"),
        ([("|AU|", "|IP|")], ErrorCode.INTERNAL, "TXA^1^17"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_code_and_place(changes, code, location) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        read(an_mdm(*changes))

    assert (refusal.value.code, refusal.value.location) == (code, location)
