"""Orders name their exam, and admissions their patient, where HL7 and IHE put it."""

from dataclasses import replace
from datetime import datetime

import pytest

from simulators.imaging_centre.admissions import EVENTS, build_adt
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.orders import CHANGED, build_omi, build_orm
from simulators.synthetic.examination import TIME_ZONE, make_examination

SENT_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=TIME_ZONE)
HEADER = Header(sent_at=SENT_AT)
EXAMINATION = make_examination(5, 6, "US")
PATIENT = EXAMINATION.patient


def the(message: Message, name: str) -> list[str]:
    segments = [segment.split("|") for segment in message.text.split("\r")]
    [segment] = [each for each in segments if each[0] == name]
    return segment


def test_an_omi_names_its_study_in_the_ipc() -> None:
    message = build_omi(EXAMINATION, header=HEADER)

    assert the(message, "MSH")[8] == "OMI^O23^OMI_O23"
    assert the(message, "IPC")[1] == EXAMINATION.accession
    assert the(message, "IPC")[3] == EXAMINATION.study_uid
    assert "OBX" not in message.text


def test_an_omi_may_tell_that_an_exam_changed_and_name_no_order() -> None:
    message = build_omi(EXAMINATION, header=HEADER, control="CA", changed=True, bare=True)

    assert the(message, "ORC") == ["ORC", "CA", ""]
    assert CHANGED in the(message, "OBX")[3]


def test_an_orm_names_its_study_in_the_zds() -> None:
    message = build_orm(EXAMINATION, header=HEADER)

    assert the(message, "MSH")[8] == "ORM^O01^ORM_O01"
    assert the(message, "ZDS")[1].split("^")[0] == EXAMINATION.study_uid
    assert the(message, "OBR")[18] == EXAMINATION.accession
    assert the(message, "ORC")[2] == f"{EXAMINATION.order}^^{EXAMINATION.order_issuer}^ISO"
    assert the(message, "ORC")[9] == f"{EXAMINATION.started_at:%Y%m%d%H%M%S}"


@pytest.mark.parametrize("event", EVENTS)
def test_an_adt_names_its_patient_and_when_it_happened(event: str) -> None:
    message = build_adt(event, PATIENT, header=HEADER, happened_at=SENT_AT)

    assert the(message, "MSH")[8].startswith(f"ADT^{event}^ADT_A")
    assert the(message, "EVN")[2].startswith("20260102030405+")
    assert the(message, "PID")[3].split("^")[0] == PATIENT.ins
    assert the(message, "PID")[32] == "VALI"


def test_an_adt_may_leave_the_national_number_and_the_time_out() -> None:
    message = build_adt("A04", PATIENT, header=HEADER, with_ins=False)

    assert PATIENT.ins not in message.text
    assert the(message, "EVN")[2] == ""


def test_a_merge_names_the_number_that_is_no_longer_used() -> None:
    former = replace(PATIENT, local_id="IPP-FORMER")

    message = build_adt("A40", PATIENT, header=HEADER, merged=[former])

    assert the(message, "MRG")[1].split("^")[0] == "IPP-FORMER"
    assert "PV1" not in message.text
