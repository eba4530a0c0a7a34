"""What replaces a report, or takes it back, says so in each place that the French volet names."""

from base64 import b64decode
from dataclasses import replace
from datetime import datetime

import pytest
from lxml import etree

from simulators.imaging_centre.document import Document, first_version, next_version
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.ris import Action, build_mdm, build_oru
from simulators.synthetic.examination import TIME_ZONE, make_examination
from simulators.synthetic.identity import make_patient

HEADER = Header(sent_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=TIME_ZONE))
EXAMINATION = make_examination(5, 4, "CT")
FIRST = first_version(EXAMINATION)
V3 = {"v": "urn:hl7-org:v3", "d": "urn:dicom-org:ps3-20"}


def fields(message: Message, name: str) -> list[list[str]]:
    segments = [segment.split("|") for segment in message.text.split("\r")]
    return [each for each in segments if each[0] == name]


def cda_of(message: Message) -> etree._Element:
    [document] = [obx for obx in fields(message, "OBX") if obx[2] == "ED"]
    return etree.fromstring(b64decode(document[5].split("^")[4]))


def roots(cda: etree._Element, path: str) -> list[str | None]:
    return [found.get("root") for found in cda.findall(path, V3)]


def flags(message: Message) -> dict[str, str]:
    rows = [obx for obx in fields(message, "OBX") if obx[2] != "ED"]
    return {obx[3].split("^")[0]: obx[5].split("^")[0] for obx in rows}


WORDS = [
    (FIRST, None, ("MDM^T02^MDM_T02", "NW", "F")),
    (next_version(FIRST), None, ("MDM^T10^MDM_T02", "RO", "C")),
    (FIRST, Action.DELETE, ("MDM^T04^MDM_T02", "CA", "D")),
]


@pytest.mark.parametrize("document, action, words", WORDS, ids=["new", "replacing", "deleting"])
def test_event_order_and_result_say_the_same(
    document: Document, action: Action | None, words: tuple[str, str, str]
) -> None:
    oru = build_oru(document, header=HEADER, action=action)
    mdm = build_mdm(document, header=HEADER, action=action)

    [[msh], [orc], [txa]] = [fields(mdm, name) for name in ("MSH", "ORC", "TXA")]
    assert (msh[8], orc[1], fields(mdm, "OBX")[0][11]) == words
    assert (msh[11], txa[12], txa[13], txa[17]) == (
        "2.6",
        document.document_id,
        document.replaces,
        "AU",
    )
    assert (fields(oru, "ORC")[0][1], fields(oru, "OBX")[0][11]) == words[1:]


def test_segments_of_an_mdm_come_in_the_order_of_the_volet() -> None:
    text = build_mdm(FIRST, header=HEADER).text

    names = [segment[:3] for segment in text.split("\r")]

    assert names == [
        *("MSH", "EVN", "PID", "PV1", "ORC", "OBR", "TXA", "OBX", "PRT"),
        *["OBX"] * 10,
        "",
    ]


def test_a_replacement_names_what_it_replaces_and_keeps_their_set() -> None:
    second = next_version(FIRST)

    cda = cda_of(build_oru(second, header=HEADER))

    assert roots(cda, "v:id") == [second.document_id]
    assert roots(cda, "v:setId") == [FIRST.set_id]
    assert roots(cda, "v:relatedDocument[@typeCode='RPLC']/v:parentDocument/v:id") == [
        FIRST.document_id
    ]
    assert second.document_id != FIRST.document_id


def test_a_report_on_several_studies_has_an_act_for_each_and_an_order_for_each_number() -> None:
    other = replace(make_examination(5, 5, "MR"), patient=EXAMINATION.patient)
    document = first_version(EXAMINATION, other)
    studies = [EXAMINATION.study_uid, other.study_uid]

    apart = cda_of(build_oru(document, header=HEADER))
    joint = cda_of(build_oru(replace(document, joint_act=True), header=HEADER))

    for cda, acts in ((apart, 2), (joint, 1)):
        assert len(cda.findall("v:documentationOf", V3)) == acts
        assert roots(cda, "v:documentationOf/v:serviceEvent/v:id") == studies
        numbers = cda.findall("v:inFulfillmentOf/v:order/d:accessionNumber", V3)
        assert [one.get("extension") for one in numbers] == [
            EXAMINATION.accession,
            other.accession,
        ]


def test_two_reports_on_one_examination_are_two_documents() -> None:
    second = first_version(EXAMINATION, number=2)

    assert second.document_id != FIRST.document_id
    assert second.replaces == ""


@pytest.mark.parametrize(
    "spelt, usual",
    [
        ("INVISIBLE_REP_LEGAUX", "INVISIBLE_REP_LEGAUX"),
        ("INVISIBLE_REPRESENTANTS_LEGAUX", "INVISIBLE_REP_LEGAUX"),
        ("INVISIBLE_REPRENSANTS_LEGAUX", "INVISIBLE_REP_LEGAUX"),
        ("MODIF_CONFIDENTIALITYCODE", "MODIF_CONF_CODE"),
    ],
)
def test_a_flag_of_another_spelling_stands_in_place_of_the_usual_one(
    spelt: str, usual: str
) -> None:
    asked = flags(build_mdm(FIRST, header=HEADER, flags={spelt: "Y"}))

    assert asked[spelt] == "Y"
    assert len(asked) == 10
    assert spelt == usual or usual not in asked


def test_a_flag_that_does_not_exist_is_no_flag() -> None:
    with pytest.raises(ValueError, match="no such flag"):
        build_oru(FIRST, header=HEADER, flags={"MASQUE_A_TOUS": "Y"})


def test_what_a_document_hides_stands_beside_n() -> None:
    cda = cda_of(build_oru(replace(FIRST, hidden=("MASQUE_PS",)), header=HEADER))

    codes = [one.get("code") for one in cda.findall("v:confidentialityCode", V3)]

    assert codes == ["N", "MASQUE_PS"]


def test_a_structured_report_has_sections_and_says_its_level() -> None:
    cda = cda_of(build_oru(replace(FIRST, structured=True), header=HEADER))

    assert "1.2.250.1.213.1.1.1.45" in roots(cda, "v:templateId")
    assert len(cda.findall("v:component/v:structuredBody/v:component/v:section", V3)) == 3
    assert cda.find("v:component/v:nonXMLBody", V3) is None


def test_the_patient_announced_may_be_another_than_the_documents() -> None:
    message = build_oru(FIRST, header=HEADER, announced=make_patient(5, 99), status="PROV")

    [pid] = fields(message, "PID")

    assert pid[3].startswith(make_patient(5, 99).ins)
    assert pid[32] == "PROV"


@pytest.mark.parametrize("charset", ["8859/1", "8859/15", "UNICODE UTF-8"])
def test_a_message_is_in_the_characters_that_it_names(charset: str) -> None:
    message = build_oru(FIRST, header=replace(HEADER, charset=charset))

    codec = {"8859/1": "latin-1", "8859/15": "iso8859-15"}.get(charset, "utf-8")

    assert fields(message, "MSH")[0][17] == charset
    assert "médicale".encode(codec) in message.data


def test_a_character_that_the_set_lacks_is_not_sent_as_another() -> None:
    patient = replace(EXAMINATION.patient, birth_name="LŒUVRE")
    document = first_version(replace(EXAMINATION, patient=patient))

    with pytest.raises(UnicodeEncodeError):
        build_oru(document, header=replace(HEADER, charset="8859/1")).data  # noqa: B018


def test_without_a_time_the_control_id_stands_in_its_place() -> None:
    [msh] = fields(build_oru(FIRST, header=replace(HEADER, sent_at=None)), "MSH")

    assert msh[6] == msh[9]
