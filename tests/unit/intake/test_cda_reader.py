"""What a CDA says reaches the gateway's words, in all the forms that CDAs have had."""

from datetime import UTC, datetime

import pytest

from gateway.errors import InvalidRequest
from gateway.intake.cda import CdaReport, read_cda
from gateway.model.report import Visibility
from indexer.contract.document import Code, Identifier, Organisation, Person
from indexer.contract.identifiers import Ins, Oid
from tests.support.peers import shared_data
from tests.support.reports import CDA, EVENT, INS, INS_OID, LOCAL_ID_OID, PARIS, STUDY, a_cda

MANY_IDS = "".join(f'<id extension="{number}"/>' for number in range(257))
SPOKEN_FLAG = 'code="hide from X" codeSystem="1.2.250.1.213.1.1.4.13"'
SNOMED = "2.16.840.1.113883.6.96"


def read(*changes: tuple[str, str]) -> CdaReport:
    return read_cda(a_cda(*changes), time_zone=PARIS)


def an_event(uid: str, *changes: tuple[str, str]) -> str:
    event = EVENT.replace(STUDY, uid)
    for old, new in changes:
        event = event.replace(old, new)
    return event


def test_the_document_is_known_by_its_id_its_set_and_its_version() -> None:
    report = read(('<id root="1.2.250.1.999.4.1"/>', '<id root="1.2.250.1.999.4" extension="A1"/>'))

    assert report.document_id == "1.2.250.1.999.4^A1"
    assert report.set_id == "1.2.250.1.999.5.1"
    assert report.version == 1
    assert report.replaces == ()


def test_a_document_without_a_set_is_a_set_of_its_own() -> None:
    report = read(('<setId root="1.2.250.1.999.5.1"/>', ""), ('<versionNumber value="1"/>', ""))

    assert report.set_id == report.document_id == "1.2.250.1.999.4.1"
    assert report.version == 1


def test_a_new_version_names_what_it_replaces() -> None:
    parent = '<parentDocument><id root="1.2.250.1.999.4.0"/></parentDocument>'
    related = f'<relatedDocument typeCode="RPLC">{parent}</relatedDocument>'
    appended = f'<relatedDocument typeCode="APND">{parent}</relatedDocument>'

    assert read(("<componentOf>", related + "<componentOf>")).replaces == ("1.2.250.1.999.4.0",)
    assert read(("<componentOf>", appended + "<componentOf>")).replaces == ()


def test_the_patient_is_read_with_the_traits_of_birth() -> None:
    patient = read().patient

    assert patient.ins == Ins(value=INS, oid=Oid(INS_OID))
    assert patient.local_ids == (Identifier(value="LOC900", authority=LOCAL_ID_OID),)
    assert (patient.birth_name, patient.first_given_name) == ("EXEMPLE", "CAMILLE")
    assert patient.given_names == "CAMILLE LOU"
    assert patient.used_names == ("ESSAI^LOU",)
    assert (patient.birth_date, patient.sex, patient.birth_place) == ("19550517", "M", "99999")


def test_a_malformed_ins_is_no_ins() -> None:
    assert read((INS, "155059999900197")).patient.ins is None


def test_without_a_first_name_of_birth_the_first_of_the_list_is_it() -> None:
    assert read(('<given qualifier="BR">CAMILLE</given>', "")).patient.first_given_name == "CAMILLE"


def test_accessions_and_orders_are_listed_each_for_itself() -> None:
    order = '<order><id root="1.2.250.1.999.6" extension="ORD2"/></order>'
    accession = (
        '<order><ps3-20:accessionNumber extension="ACC2"/>'
        '<ps3-20:accessionNumber nullFlavor="UNK"/></order>'
    )

    report = read(
        (
            "</inFulfillmentOf>",
            f"</inFulfillmentOf><inFulfillmentOf>{order}</inFulfillmentOf>"
            f"<inFulfillmentOf>{accession}</inFulfillmentOf>",
        )
    )

    assert [one.value for one in report.orders] == ["ORD1", "ORD2"]
    assert report.accessions == (
        Identifier(value="ACC1", authority="1.2.250.1.999.7"),
        Identifier(value="ACC2"),
    )


def test_a_study_has_its_acts_regions_and_times() -> None:
    [study] = read().studies

    assert study.study == STUDY
    assert [act.code for act in study.acts] == ["24727-0", "ACQH004"]
    assert study.regions == (Code(code="774007", scheme=SNOMED, display="Tête et cou"),)
    assert study.started_at == datetime(2026, 1, 2, 9, 25, tzinfo=UTC)
    assert study.ended_at == datetime(2026, 1, 2, 10, 17, tzinfo=UTC)  # no offset: as in Paris


@pytest.mark.parametrize("extension", ["studyInstanceUID", "studyInstanceUid", ""])
def test_the_older_way_to_name_a_study_is_read(extension) -> None:
    report = read((f'<id root="{STUDY}"/>', f'<id root="{STUDY}" extension="{extension}"/>'))

    assert [one.study for one in report.studies] == [STUDY]


def test_acts_of_one_study_are_merged_in_the_order_of_the_document() -> None:
    later = an_event(STUDY, ("24727-0", "36235-0"), ("ACQH004", "LCQH001"), ("111700", "114500"))
    other = an_event("1.2.250.1.999.1.2")

    report = read((EVENT, EVENT + other + later))

    assert [one.study for one in report.studies] == [STUDY, "1.2.250.1.999.1.2"]
    [study, _] = report.studies
    assert [act.code for act in study.acts] == ["24727-0", "ACQH004", "36235-0", "LCQH001"]
    assert study.started_at == datetime(2026, 1, 2, 9, 25, tzinfo=UTC)
    assert study.ended_at == datetime(2026, 1, 2, 10, 45, tzinfo=UTC)


def test_one_act_may_be_done_in_two_studies() -> None:
    other = "1.2.250.1.999.1.2"

    report = read((f'<id root="{STUDY}"/>', f'<id root="{STUDY}"/><id root="{other}"/>'))

    assert [one.study for one in report.studies] == [STUDY, other]
    assert report.studies[0].acts == report.studies[1].acts


@pytest.mark.parametrize(
    "id_",
    [
        "",
        '<id nullFlavor="UNK"/>',
        '<id root="90E1C8EC-F951-4B26-A305-A34848818DD6"/>',
        '<id root="1.2.3" extension="E7"/>',
    ],
)
def test_an_act_that_names_no_study_is_left_out(id_) -> None:
    nameless = EVENT.replace(f'<id root="{STUDY}"/>', id_)

    assert [one.study for one in read((EVENT, nameless + EVENT)).studies] == [STUDY]
    with pytest.raises(InvalidRequest, match="serviceEvent/id"):
        read((EVENT, nameless))


def test_a_region_is_recognised_under_a_wrong_code_system() -> None:
    old = '<code code="67734004" codeSystem="1.2.250.1.213.2.5" displayName="Thorax"/>'
    start, end = EVENT.index("<code "), EVENT.index("</code>") + len("</code>")

    [study] = read((EVENT[start:end], old)).studies

    assert study.acts == (Code(code="67734004", scheme="1.2.250.1.213.2.5", display="Thorax"),)
    assert study.regions == (Code(code="67734004", scheme=SNOMED, display="Thorax"),)


@pytest.mark.parametrize(
    "value, expected",
    [
        ("20260102", datetime(2026, 1, 1, 23, tzinfo=UTC)),
        ("20260702", datetime(2026, 7, 1, 22, tzinfo=UTC)),
        ("202601021025", datetime(2026, 1, 2, 9, 25, tzinfo=UTC)),
        ("20260102102500.123-0230", datetime(2026, 1, 2, 12, 55, tzinfo=UTC)),
        ("202601", datetime(2025, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_time_without_offset_is_local(value, expected) -> None:
    assert read(("20260102102500+0100", value)).studies[0].started_at == expected


@pytest.mark.parametrize(
    "value", ["20261302", "yesterday", "2026010299", "00010101", "20260102+99"]
)
def test_a_time_that_is_none_is_refused_by_its_element(value) -> None:
    with pytest.raises(InvalidRequest, match="low is no date or time"):
        read(("20260102102500+0100", value))


def test_the_signing_structure_is_the_organisation() -> None:
    assert read().organisation == Organisation(number="1990000222", name="Centre d’essai")


@pytest.mark.parametrize(
    "gone, heir",
    [
        (["1990000222"], "1990000111"),
        (["1990000222", "1990000111"], "1990000333"),
        (["1990000222", "1990000111", "1990000333"], "1990000444"),
    ],
)
def test_another_structure_stands_in_for_it(gone, heir) -> None:
    report = read(*((f' extension="{number}"', ' nullFlavor="UNK"') for number in gone))

    assert report.organisation.number == heir


def test_author_and_signatory_are_read() -> None:
    report = read()

    assert report.author == Person(number="810999000001", family="TESTEUR", given="Anne")
    assert report.legal_authenticator == Person(number="810999000009", family="SIGNE", given="Luc")


def test_a_system_among_the_authors_is_passed_over() -> None:
    system = (
        '<author><assignedAuthor><id root="1.2.3" extension="SYS"/>'
        "<assignedAuthoringDevice><softwareName>RIS</softwareName></assignedAuthoringDevice>"
        "</assignedAuthor></author>"
    )

    assert read(("<author>", system + "<author>")).author.number == "810999000001"


def test_facility_and_practice_setting_are_read() -> None:
    report = read()

    assert (report.facility.code, report.facility.display) == ("SA08", "Cabinet de groupe")
    assert report.practice_setting.code == "AMBULATOIRE"
    author = '<standardIndustryClassCode code="AMBULATOIRE" codeSystem="1.2.250.1.213.1.1.4.9"/>'
    assert read((author, "")).practice_setting.code == "ETABLISSEMENT"


def test_national_confidentiality_codes_hide_the_document() -> None:
    normal = '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>'
    codes = "".join(
        f'<confidentialityCode code="{code}" codeSystem="1.2.250.1.213.1.1.4.13"/>'
        for code in ("MASQUE_PS", "INVISIBLE_REPRESENTANTS_LEGAUX", "MASQUE_PT")
    )

    report = read((normal, normal + codes))

    assert report.visibility == {
        Visibility.HIDDEN_FROM_PROFESSIONALS,
        Visibility.HIDDEN_FROM_GUARDIANS,
    }
    assert report.unknown_visibilities == ("MASQUE_PT",)


@pytest.mark.parametrize(
    "code, unknown",
    [
        ("R", ("R",)),
        ("V", ("V",)),
        ("masque_pt", ("MASQUE_PT",)),
        ("U", ()),
        ("L", ()),
        ("M", ()),
    ],
)
@pytest.mark.parametrize("system", ["2.16.840.1.113883.5.25", "1.2.250.1.213.1.1.4.13", ""])
def test_what_is_more_than_normally_confidential_is_never_taken_for_normal(
    code, unknown, system
) -> None:
    normal = 'code="N" codeSystem="2.16.840.1.113883.5.25"'

    report = read((normal, f'code="{code}" codeSystem="{system}"'))

    assert report.unknown_visibilities == unknown
    assert report.visibility == frozenset()


@pytest.mark.parametrize("code", ["INVISIBLE_REP_LEGAUX", "INVISIBLE_REPRENSANTS_LEGAUX"])
def test_the_spellings_of_the_messages_flags_are_known_in_the_document_too(code) -> None:
    normal = 'code="N" codeSystem="2.16.840.1.113883.5.25"'

    report = read((normal, f'code="{code}" codeSystem="1.2.250.1.213.1.1.4.13"'))

    assert report.visibility == {Visibility.HIDDEN_FROM_GUARDIANS}
    assert report.unknown_visibilities == ()


@pytest.mark.parametrize(
    "old, new, named",
    [
        ('<id root="1.2.250.1.999.4.1"/>', "", "document id"),
        ("recordTarget>", "informant>", "recordTarget"),
        ('<versionNumber value="1"/>', '<versionNumber value="one"/>', "versionNumber"),
        ("19550517", "19551317", "birthTime"),
        ("assignedPerson>", "assignedThing>", "author"),
        ("healthCareFacility>", "place>", "healthCareFacility/code"),
        ("standardIndustryClassCode ", "someClassCode ", "standardIndustryClassCode"),
        ("LOC900", "L" * 1025, "id is longer"),
        (f'<id root="{LOCAL_ID_OID}" extension="LOC900"/>', MANY_IDS, "more than 256 different"),
        ("<given>CAMILLE LOU</given>", "<given>CAMILLE LOU</given>" * 100, "given is longer"),
        ('code="N" codeSystem="2.16.840.1.113883.5.25"', SPOKEN_FLAG, "flag is malformed"),
        ("urn:hl7-org:v3", "urn:hl7-org:v4", "not a CDA"),
    ],
)
def test_what_is_missing_or_malformed_is_refused_by_its_name(old, new, named) -> None:
    with pytest.raises(InvalidRequest, match=named):
        read((old, new))


def test_a_report_at_level_3_is_read_by_its_header() -> None:
    start, end = CDA.index("<nonXMLBody>"), CDA.index("</nonXMLBody>") + len("</nonXMLBody>")
    structured = (
        "<structuredBody><component><section><text>Normal.</text>"
        f'<entry><act><id root="1.2.3.4"/>{EVENT}</act></entry></section></component>'
        "</structuredBody>"
    )
    type_id = '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
    imaging_report = f'{type_id}<templateId root="1.2.250.1.213.1.1.1.45"/>'

    assert read((CDA[start:end], structured), (type_id, imaging_report)) == read()


def test_the_agencys_sample_names_three_studies() -> None:
    sample = shared_data() / "ans" / "CDA" / "IMG_CR_IMG_2023.11_CDA-R2-Niveau-1.xml"

    report = read_cda(sample.read_bytes(), time_zone=PARIS)

    assert [one.study.rpartition(".")[2] for one in report.studies] == [
        "187636474",
        "187636475",
        "187636476",
    ]
    assert [[act.code for act in one.acts] for one in report.studies] == [
        ["24727-0", "ACQH004"],
        ["36235-0", "LCQH001"],
        ["24978-9", "ZBQH001"],
    ]
    assert [one.regions[0].code for one in report.studies] == ["774007", "774007", "67734004"]
    assert report.patient.ins is not None
    assert report.accessions == (
        Identifier(value="105234751", authority="1.2.250.1.925.994044785528.27"),
    )
    assert report.version == 2
    assert report.replaces == ("90E1C8EC-F951-4B26-A305-A34848818DD6",)
    assert (report.facility.code, report.practice_setting.code) == ("SA08", "AMBULATOIRE")


def test_the_demonstrators_sample_is_read() -> None:
    sample = shared_data() / "dicom" / "drimbox-poc" / "DOC00002.xml"

    report = read_cda(sample.read_bytes(), time_zone=PARIS)

    assert [one.study for one in report.studies] == ["2.16.840.1.113669.632.20.1211.10000231621"]
    assert report.studies[0].regions[0].scheme == SNOMED
    assert report.studies[0].started_at == datetime(2021, 4, 8, 22, tzinfo=UTC)
    assert report.organisation.number == "499700367909006"
    assert (report.facility.code, report.practice_setting.code) == ("SA07", "ETABLISSEMENT")
    assert report.patient.used_names == ("PAT-TROIS^DOMINIQUE",)
