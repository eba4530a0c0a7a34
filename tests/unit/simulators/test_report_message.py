"""The RIS's message is the one that the French volet describes, and its CDA tells the same."""

import re
from base64 import b64decode
from dataclasses import replace
from datetime import datetime

import typer.main
from lxml import etree
from typer.core import TyperOption

from simulators.cli import app
from simulators.imaging_centre.ris import build_message
from simulators.synthetic.examination import TIME_ZONE, make_examination
from simulators.synthetic.identity import make_patient

SENT_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=TIME_ZONE)
EXAMINATION = make_examination(5, 2, "MG")
V3 = {"v": "urn:hl7-org:v3", "d": "urn:dicom-org:ps3-20"}


def segments(text: str, name: str) -> list[list[str]]:
    fields = [segment.split("|") for segment in text.split("\r")]
    return [each for each in fields if each[0] == name]


def cda_of(text: str) -> etree._Element:
    [document] = [obx for obx in segments(text, "OBX") if obx[2] == "ED"]
    return etree.fromstring(b64decode(document[5].split("^")[4]))


def test_segments_come_in_the_order_of_the_volet() -> None:
    text = build_message(EXAMINATION, sent_at=SENT_AT).text

    names = [segment[:3] for segment in text.split("\r")]

    assert names == ["MSH", "PID", "PV1", "ORC", "OBR", "OBX", "PRT", *["OBX"] * 10, ""]


def test_the_header_names_the_event_the_version_and_the_charset() -> None:
    [msh] = segments(build_message(EXAMINATION, sent_at=SENT_AT).text, "MSH")

    assert (msh[8], msh[11], msh[17]) == ("ORU^R01^ORU_R01", "2.5", "UNICODE UTF-8")
    assert msh[6] == "20260102030405"
    assert len(msh[9]) <= 20


def test_the_patient_is_the_same_in_the_message_and_in_its_document() -> None:
    text = build_message(EXAMINATION, sent_at=SENT_AT).text
    patient = EXAMINATION.patient

    [pid] = segments(text, "PID")
    ids = cda_of(text).findall("v:recordTarget/v:patientRole/v:id", V3)

    told = [(i.split("^")[0], i.split("^")[3].split("&")[1]) for i in pid[3].split("~")]
    assert told == [(i.get("extension"), i.get("root")) for i in ids]
    assert told == [
        (patient.ins, patient.ins_oid),
        (patient.local_id, patient.local_id_issuer),
    ]
    assert pid[32] == "VALI"


def test_the_document_names_the_study_and_its_accession() -> None:
    cda = cda_of(build_message(EXAMINATION, sent_at=SENT_AT).text)

    [study] = cda.findall("v:documentationOf/v:serviceEvent/v:id", V3)
    [accession] = cda.findall("v:inFulfillmentOf/v:order/d:accessionNumber", V3)

    assert (study.get("root"), study.get("extension")) == (EXAMINATION.study_uid, None)
    assert accession.get("extension") == EXAMINATION.accession


def test_the_document_holds_a_pdf() -> None:
    cda = cda_of(build_message(EXAMINATION, sent_at=SENT_AT).text)

    body = cda.find("v:component/v:nonXMLBody/v:text", V3)

    assert body is not None
    assert body.text is not None
    page = b64decode(body.text)
    start = int(page.split(b"startxref\n")[1].split(b"\n")[0])
    assert page.startswith(b"%PDF-1.4")
    assert page[start:].startswith(b"xref")


def test_a_report_on_something_else_differs_in_that_alone() -> None:
    other_accession = replace(EXAMINATION, accession="ANOTHER")
    other_patient = replace(EXAMINATION, patient=make_patient(5, 99))

    for other in (other_accession, other_patient):
        told = build_message(other, sent_at=SENT_AT)
        right = build_message(EXAMINATION, sent_at=SENT_AT)
        study = "v:documentationOf/v:serviceEvent/v:id"

        assert told.control_id != right.control_id
        named = cda_of(told.text).find(study, V3)
        assert named is not None
        assert named.get("root") == EXAMINATION.study_uid


def test_delimiters_in_a_text_are_escaped() -> None:
    patient = replace(EXAMINATION.patient, birth_name="A|B^C&D~E\\F")
    text = build_message(replace(EXAMINATION, patient=patient), sent_at=SENT_AT).text

    [pid] = segments(text, "PID")

    assert pid[5].split("^")[0] == "A\\F\\B\\S\\C\\T\\D\\R\\E\\E\\F"


def test_the_usual_flags_are_those_that_the_help_of_the_command_names() -> None:
    [help_] = [
        one.help
        for one in typer.main.get_group(app).commands["report"].params
        if isinstance(one, TyperOption) and one.name == "flag"
    ]
    _document, *flags = segments(build_message(EXAMINATION, sent_at=SENT_AT).text, "OBX")

    named = re.findall(r"\b([A-Z_]+)=([YN])\b", str(help_))

    assert dict(named) == {obx[3].split("^")[0]: obx[5][0] for obx in flags}
