"""What a sender reads back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hl7.acknowledgement import AckCode, acknowledge
from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import decode, read_header

NOON = datetime(2026, 1, 2, 12, 0, 5, tzinfo=UTC)
MESSAGE = r"MSH|^~\&|RIS|CENTRE|GATEWAY|BOX|20260102||ORU^R01^ORU_R01|M0001|P|2.5|||||FRA|8859/1"
FAULT = RefusedMessage(
    "PID-3 & its ^ parts", code=ErrorCode.UNSUPPORTED_VERSION, location="MSH^1^12"
)


def test_success_goes_back_to_the_sender_with_its_own_control_id() -> None:
    answer = acknowledge(read_header(MESSAGE.encode()), AckCode.ACCEPTED, answered_at=NOON)

    msh, msa = answer.decode("ascii").split("\r")[:2]
    fields = msh.split("|")
    assert fields[:7] == ["MSH", "^~\\&", "GATEWAY", "BOX", "RIS", "CENTRE", "20260102120005+0000"]
    assert fields[8] == "ACK^R01^ACK"
    assert fields[9] not in ("", "M0001")
    assert fields[10:12] == ["P", "2.5"]
    assert fields[17] == "8859/1"
    assert msa == "MSA|AA|M0001"
    assert answer.endswith(b"\r")


def test_a_refusal_names_code_place_and_reason() -> None:
    answer = acknowledge(read_header(MESSAGE.encode()), AckCode.ERROR, FAULT, answered_at=NOON)

    msa, err = answer.decode("ascii").split("\r")[1:3]
    assert msa == r"MSA|AE|M0001|PID-3 \T\ its \S\ parts"
    condition = "203^Unsupported version id^HL70357"
    assert err == rf"ERR||MSH^1^12|{condition}|E||||PID-3 \T\ its \S\ parts"


@pytest.mark.parametrize("version", ["2.3.1", "2.4"])
def test_who_speaks_an_older_version_finds_the_fault_where_that_has_it(version) -> None:
    message = MESSAGE.replace("|2.5|", f"|{version}|").encode()

    answer = acknowledge(read_header(message), AckCode.ERROR, FAULT, answered_at=NOON)

    msh, _, err = answer.decode("ascii").split("\r")[:3]
    assert msh.split("|")[11] == version
    assert err.split("|")[1] == "MSH^1^12^203&Unsupported version id&HL70357"
    assert err.split("|")[2] == "MSH^1^12"


def test_names_go_back_in_the_bytes_they_came_in() -> None:
    message = MESSAGE.replace("CENTRE", "Hôpital").encode("latin-1")

    answer = acknowledge(read_header(message), AckCode.ACCEPTED, answered_at=NOON)

    assert "Hôpital".encode("latin-1") in answer


def test_a_message_without_a_header_is_answered_too() -> None:
    answer = acknowledge(read_header(b"hello"), AckCode.REJECTED, FAULT, answered_at=NOON)

    ack = decode(answer)
    assert ack.msh.text(9) == "ACK"
    assert ack.msh.text(12) == "2.5"
    assert ack.segments("MSA")[0].text(1) == "AR"


@given(st.binary(max_size=200))
def test_whatever_the_header_holds_the_answer_can_be_read_and_framed(noise) -> None:
    answer = acknowledge(read_header(b"MSH|^~\\&|" + noise), AckCode.ERROR, FAULT, answered_at=NOON)

    assert not {0x0B, 0x1C} & set(answer)
    lines = [line[:3] for line in answer.split(b"\r")]
    assert lines == [b"MSH", b"MSA", b"ERR", b""]
