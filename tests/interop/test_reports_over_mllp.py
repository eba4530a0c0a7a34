"""Reports that others wrote, and what breaks on the wire, at the gateway's HL7 door."""

import re
import socket
from pathlib import Path

import pytest

from tests.interop.studies import a_study, standing, until
from tests.interop.wire import END, START, asked, heard, segment, told
from tests.support.peers import shared_data
from tests.support.program import HOST
from tests.support.programs import Gateway
from tests.support.reports import INS, STUDY, a_report

LINE_BREAK = "line 6 is no segment: is there a line break inside a field?"
AGENCY_CDA = "ans/CDA/IMG_CR_IMG_2023.11_CDA-R2-Niveau-1.xml"


def test_the_proof_of_concepts_message_is_refused_with_its_fault(open_gateway: Gateway) -> None:
    """An old version, no PID, a line break inside a field, no frame around its document."""
    message = (shared_data() / "dicom/drimbox-poc/patient1.hl7").read_bytes()

    [answer] = told(open_gateway.mllp, message)

    assert segment(answer, "MSA")[1] == "AE"
    assert segment(answer, "ERR")[3:5] == ["100^Segment sequence error^HL70357", "E"]
    assert segment(answer, "ERR")[8] == LINE_BREAK


def test_without_its_line_breaks_its_version_is_what_is_wrong(open_gateway: Gateway) -> None:
    message = (shared_data() / "dicom/drimbox-poc/patient1.hl7").read_bytes()
    lines = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    begins = re.compile(rb"[A-Z][A-Z0-9]{2}\|")
    whole = b"".join(b"\r" * bool(begins.match(line)) + line for line in lines).lstrip()

    [answer] = told(open_gateway.mllp, whole)

    assert segment(answer, "MSA")[1] == "AE"
    assert segment(answer, "ERR")[3].split("^")[0] == "203"


def test_the_proof_of_concepts_document_is_taken_in_a_good_message(open_gateway: Gateway) -> None:
    document = (shared_data() / "dicom/drimbox-poc/DOC00002.xml").read_bytes()

    [answer] = told(open_gateway.mllp, a_report(cda=document))

    assert segment(answer, "MSA")[1] == "AA"


def test_the_agencys_document_is_taken_in_a_good_message(open_gateway: Gateway) -> None:
    document = (shared_data() / AGENCY_CDA).read_bytes()
    known = {row["study_uid"] for row in studies(open_gateway)}

    [answer] = told(open_gateway.mllp, a_report(cda=document))

    assert segment(answer, "MSA")[1:3] == ["AA", "M0001"]
    new = {row["study_uid"] for row in studies(open_gateway)} - known
    assert len(new) == 3
    assert all(uid.encode() in document for uid in new)


def studies(gateway: Gateway) -> list[dict[str, str]]:
    listed = asked(gateway.http, "/api/studies?limit=1000").json["studies"]
    assert isinstance(listed, list)
    return listed


def test_messages_on_one_connection_are_answered_in_their_order(open_gateway: Gateway) -> None:
    messages = [a_report(("|M0001|", f"|ONE{number}|")) for number in range(5)]
    messages[3] = messages[3].replace(b"ORU^R01", b"SIU^S12")

    answers = told(open_gateway.mllp, *messages)

    assert [segment(one, "MSA")[1:3] for one in answers] == [
        ["AA", "ONE0"],
        ["AA", "ONE1"],
        ["AA", "ONE2"],
        ["AE", "ONE3"],
        ["AA", "ONE4"],
    ]


def test_messages_sent_at_once_and_in_pieces_are_all_answered(open_gateway: Gateway) -> None:
    messages = [a_report(("|M0001|", f"|TWO{number}|")) for number in range(3)]
    stream = b"".join(START + one + END for one in messages)

    with socket.create_connection((HOST, open_gateway.mllp), timeout=30) as connection:
        for at in range(0, len(stream), 1000):
            connection.sendall(stream[at : at + 1000])
        answers = b""
        while answers.count(END) < len(messages):
            answers += connection.recv(65536)

    accepted = [segment(one, "MSA")[1:3] for one in answers.decode().split(END.decode())[:-1]]
    assert accepted == [["AA", "TWO0"], ["AA", "TWO1"], ["AA", "TWO2"]]


@pytest.mark.parametrize(
    "sent",
    [
        a_report(),  # no frame at all
        START + a_report() + b"\x1cX",  # the end of a frame that is none
        START + a_report() + START,  # a frame within a frame
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_broken_frame_is_told_so_and_ends_its_connection_alone(
    open_gateway: Gateway, sent: bytes
) -> None:
    with socket.create_connection((HOST, open_gateway.mllp), timeout=30) as connection:
        connection.sendall(sent)
        answer = heard(connection)
        end = heard(connection)

    assert answer == "" or segment(answer, "MSA")[1] in ("AE", "AR")
    assert end == ""
    assert segment(told(open_gateway.mllp, a_report())[0], "MSA")[1] == "AA"


@pytest.mark.parametrize(
    "change, code",
    [
        (("|2.5|", "|2.3.1|"), "203"),
        (("ORU^R01^ORU_R01", "SIU^S12^SIU_S12"), "200"),
        (("PID|||", "ZZZ|||"), "100"),
        (("^TEXT^XML^Base64^{document}", ""), "102"),
        (("^TEXT^XML^Base64^{document}", "^TEXT^XML^Base64^PGE+"), "102"),
        (("UNICODE UTF-8", "KLINGON"), "103"),
    ],
)
def test_what_cannot_be_taken_names_its_fault_and_no_value(
    open_gateway: Gateway, change: tuple[str, str], code: str
) -> None:
    [answer] = told(open_gateway.mllp, a_report(change))

    assert segment(answer, "MSA")[1] == "AE"
    assert segment(answer, "ERR")[3].split("^")[0] == code
    assert INS not in answer
    assert "EXEMPLE" not in answer


def test_a_report_whose_identity_is_not_validated_is_kept_until_it_is(
    open_gateway: Gateway, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CR")
    message = study.report

    doubted = told(open_gateway.mllp, message.replace(b"|VALI", b"|PROV"))
    aside = until(lambda: [one for one in set_aside(open_gateway) if one["study_uid"] == study.uid])
    validated = told(open_gateway.mllp, message)

    assert [segment(one, "MSA")[1] for one in doubted + validated] == ["AA", "AA"]
    assert aside[0]["code"] == "identity_not_validated"
    until(lambda: standing(open_gateway, study).get("state") == "waiting")
    assert study.uid not in {one["study_uid"] for one in set_aside(open_gateway)}


def set_aside(gateway: Gateway) -> list[dict[str, str]]:
    told = asked(gateway.http, "/api/set-aside").json
    listed = told["set_aside"] if isinstance(told, dict) else told
    assert isinstance(listed, list)
    return listed


def test_the_log_quotes_none_of_these_messages(open_gateway: Gateway) -> None:
    """Runs after the tests above, with their reports."""
    told(open_gateway.mllp, a_report())
    people = [INS, STUDY, "EXEMPLE", "CAMILLE", "LOC900", "ACC1", "TESTEUR"]
    uids = [row["study_uid"] for row in studies(open_gateway)]

    log = open_gateway.program.log

    assert [one for one in people + uids if one in log] == []
