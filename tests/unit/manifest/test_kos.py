"""The French manifest, attribute by attribute."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from gateway.manifest.reader import SIZE_BYTES_MAX, read_manifest
from gateway.manifest.values import institution
from gateway.model.pointer import ListedInstance
from indexer.contract.document import Identifier
from indexer.contract.identifiers import INS_NIA, INS_NIR, Ins, Oid, Uid
from tests.support.manifests import (
    CONTENT,
    CT,
    INS,
    KEY_OBJECT,
    LOCATION,
    MANIFEST_SERIES,
    PATIENT,
    SOP_INSTANCE,
    STUDY,
    a_manifest,
    a_series,
    opened,
)

HEADER = {
    "SpecificCharacterSet": "ISO_IR 100",
    "InstanceCreationDate": "20260701",
    "InstanceCreationTime": "133015",
    "SOPClassUID": KEY_OBJECT,
    "SOPInstanceUID": SOP_INSTANCE,
    "StudyDate": "20260115",
    "StudyTime": "101112.5",
    "SeriesDate": "20260701",
    "SeriesTime": "133015",
    "ContentDate": "20260701",
    "ContentTime": "133015",
    "AccessionNumber": "",
    "Modality": "KO",
    "Manufacturer": "DRIM gateway",
    "InstitutionName": "Centre X^^^^^^^^^1990000127",
    "ReferringPhysicianName": "TESTEUR^ANNE",
    "TimezoneOffsetFromUTC": "+0100",
    "StudyDescription": "Tête sans injection",
    "PatientName": "EXEMPLE^CAMILLE",
    "PatientID": INS.value,
    "IssuerOfPatientID": "ASIP-SANTE-INS-NIR",
    "PatientBirthDate": "19550517",
    "PatientSex": "M",
    "OtherPatientNames": ["^LOU", "AUTRE^CAMILLE"],
    "PatientComments": "99999",
    "StudyInstanceUID": STUDY,
    "SeriesInstanceUID": MANIFEST_SERIES,
    "StudyID": "E12",
    "SeriesNumber": 59,
    "InstanceNumber": 1,
    "ValueType": "CONTAINER",
    "ContinuityOfContent": "SEPARATE",
}


def the_evidence(document: bytes) -> Dataset:
    [study] = opened(document).CurrentRequestedProcedureEvidenceSequence
    assert isinstance(study, Dataset)
    return study


def the_text(document: bytes) -> str:
    return str(opened(document).ContentSequence[-1].TextValue)


def authority_of(item: Dataset, keyword: str) -> tuple[str, str]:
    [authority] = item[keyword].value
    return authority.UniversalEntityID, authority.UniversalEntityIDType


def accessions(*values: str) -> tuple[Identifier, ...]:
    return tuple(Identifier(value=one, authority="1.2.3") for one in values)


@pytest.mark.parametrize("keyword", HEADER)
def test_the_header_is_as_the_french_table_has_it(keyword: str) -> None:
    assert opened(a_manifest()).get(keyword) == HEADER[keyword]


def test_the_file_is_implicit_vr_as_the_samples_are() -> None:
    meta = opened(a_manifest()).file_meta

    assert meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert str(meta.MediaStorageSOPClassUID) == str(KEY_OBJECT)
    assert str(meta.MediaStorageSOPInstanceUID) == str(SOP_INSTANCE)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert a_manifest() == a_manifest()


def test_the_patient_is_named_by_their_ins_with_its_authority() -> None:
    manifest = opened(a_manifest())
    [other] = manifest.OtherPatientIDsSequence

    assert authority_of(manifest, "IssuerOfPatientIDQualifiersSequence") == (INS.oid, "ISO")
    assert (other.PatientID, other.TypeOfPatientID) == (INS.value, "TEXT")
    assert other.IssuerOfPatientID == "ASIP-SANTE-INS-NIR"
    assert authority_of(other, "IssuerOfPatientIDQualifiersSequence") == (INS.oid, "ISO")


@pytest.mark.parametrize(
    "oid, issuer", [(INS_NIR, "ASIP-SANTE-INS-NIR"), (INS_NIA, "ASIP-SANTE-INS-NIA")]
)
def test_the_issuer_is_named_after_the_kind_of_ins(oid: str, issuer: str) -> None:
    ins = Ins(value=INS.value, oid=Oid(oid))

    assert opened(a_manifest(replace(CONTENT, ins=ins))).IssuerOfPatientID == issuer


def test_the_title_is_manifest_of_the_key_object_template() -> None:
    manifest = opened(a_manifest())
    [title], [template] = manifest.ConceptNameCodeSequence, manifest.ContentTemplateSequence

    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113030", "DCM")
    assert title.CodeMeaning == "MANIFEST"
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "2010")
    assert list(manifest.ReferencedPerformedProcedureStepSequence) == []


def test_each_series_says_where_it_can_be_had() -> None:
    study = the_evidence(a_manifest())
    first = study.ReferencedSeriesSequence[0]

    assert study.StudyInstanceUID == STUDY
    assert first.SeriesInstanceUID == f"{STUDY}.1"
    assert first.SeriesNumber == 1
    assert first.RetrieveAETitle == "DRIMBOX"
    assert first.RetrieveLocationUID == LOCATION
    assert first.RetrieveURL == (
        f"https://gateway.example/box/dicom-web/studies/{STUDY}/series/{STUDY}.1"
    )


def test_each_instance_has_its_number_and_frames() -> None:
    listed = the_evidence(a_manifest()).ReferencedSeriesSequence[0].ReferencedSOPSequence

    told = [
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID, one.InstanceNumber)
        for one in listed
    ]
    assert told == [(CT, f"{STUDY}.1.1", 1), (CT, f"{STUDY}.1.2", 2)]
    assert [one.NumberOfFrames for one in listed] == [1, 1]


def test_a_number_that_is_none_is_left_out() -> None:
    odd = ListedInstance(instance=Uid("1.2"), sop_class=CT, number="12345678901", frames=None)
    content = replace(CONTENT, series=(replace(a_series(1), number="A", instances=(odd,)),))

    [series] = the_evidence(a_manifest(content)).ReferencedSeriesSequence

    assert "SeriesNumber" not in series
    assert "InstanceNumber" not in series.ReferencedSOPSequence[0]
    assert "NumberOfFrames" not in series.ReferencedSOPSequence[0]


def test_the_tree_has_each_instance_and_the_text_last() -> None:
    *references, text = opened(a_manifest()).ContentSequence

    assert [(one.RelationshipType, one.ValueType) for one in references] == [
        ("CONTAINS", "IMAGE"),
        ("CONTAINS", "IMAGE"),
        ("CONTAINS", "COMPOSITE"),
    ]
    assert [one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for one in references] == [
        f"{STUDY}.1.1",
        f"{STUDY}.1.2",
        f"{STUDY}.2.1",
    ]
    assert (text.RelationshipType, text.ValueType) == ("CONTAINS", "TEXT")
    assert text.ConceptNameCodeSequence[0].CodeValue == "113012"


def test_the_text_follows_the_grammar_that_consumers_parse() -> None:
    assert the_text(a_manifest()) == (
        "Examen : Tête sans injection\n"
        "Acte = Scanner de la tête\n"
        f"Série-{STUDY}.1 : CT @ : Axial été\n"
        f"Série-{STUDY}.2 : KO @ : Images clés\n"
    )


def test_regions_stand_in_for_acts_that_the_report_does_not_code() -> None:
    assert "Acte = Tête et cou\n" in the_text(a_manifest(replace(CONTENT, acts=())))


def test_accents_are_latin_1_as_in_the_samples() -> None:
    assert "Série-".encode("latin-1") in a_manifest()


def test_a_text_that_does_not_fit_latin_1_makes_all_of_it_utf_8() -> None:
    content = replace(CONTENT, patient=replace(PATIENT, birth_name="LECŒUR"))

    manifest = opened(a_manifest(content))

    assert manifest.SpecificCharacterSet == "ISO_IR 192"
    assert manifest.PatientName == "LECŒUR^CAMILLE"
    assert "Série-".encode() in a_manifest(content)


def test_decomposed_accents_are_composed_and_fit_latin_1() -> None:
    manifest = opened(a_manifest(replace(CONTENT, study_description="Te\u0302te")))

    assert manifest.StudyDescription == "Tête"
    assert manifest.SpecificCharacterSet == "ISO_IR 100"


def test_a_description_is_cut_where_the_vr_ends_and_stays_whole_in_the_text() -> None:
    content = replace(CONTENT, study_description="é" * 70)

    assert opened(a_manifest(content)).StudyDescription == "é" * 64
    assert f"Examen : {'é' * 70}\n" in the_text(a_manifest(content))


def test_in_utf_8_a_description_keeps_to_the_limit_in_bytes_as_validators_count() -> None:
    manifest = opened(a_manifest(replace(CONTENT, study_description="œ" * 70)))

    assert manifest.StudyDescription == "œ" * 32


def test_controls_and_separators_do_not_reach_the_manifest() -> None:
    manifest = opened(a_manifest(replace(CONTENT, study_description="A\\B\x1b$\nC\u2028D")))

    assert manifest.StudyDescription == "A/B $ C D"


def test_an_identifier_that_does_not_fit_is_left_out_not_cut() -> None:
    content = replace(CONTENT, accessions=accessions("A" * 17), study_id="S" * 17)

    manifest = opened(a_manifest(content))

    assert manifest.StudyID == ""
    assert manifest.ReferencedRequestSequence[0].AccessionNumber == ""


def test_a_long_structure_name_gives_way_to_its_number() -> None:
    told = institution("N" * 80, "1990000127", "latin-1")

    assert len(told) == 64
    assert told == f"{'N' * 45}^^^^^^^^^1990000127"


@pytest.mark.parametrize("told", ["2026-01-15", "20260230", "00000000", "hier"])
def test_a_date_that_is_none_is_empty(told: str) -> None:
    manifest = opened(a_manifest(replace(CONTENT, study_date=told, study_time="99")))

    assert manifest.StudyDate == ""
    assert manifest.StudyTime == ""


def test_dates_as_acr_nema_wrote_them_are_read() -> None:
    content = replace(CONTENT, study_date="2026.01.15", study_time="10:11:12")

    manifest = opened(a_manifest(content))

    assert (manifest.StudyDate, manifest.StudyTime) == ("20260115", "101112")


@pytest.mark.parametrize(
    "study_date, made_at, offset, date, hour",
    [
        ("20260115", datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "+0100", "20260701", "233000"),
        ("20260701", datetime(2026, 1, 15, 22, 30, tzinfo=UTC), "+0200", "20260116", "003000"),
        ("", datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "+0200", "20260702", "003000"),
        ("", datetime(2026, 1, 15, 22, 30, tzinfo=UTC), "+0100", "20260115", "233000"),
    ],
)
def test_all_times_are_told_at_the_offset_of_the_study(
    study_date: str, made_at: datetime, offset: str, date: str, hour: str
) -> None:
    manifest = opened(a_manifest(replace(CONTENT, study_date=study_date), made_at=made_at))

    assert manifest.TimezoneOffsetFromUTC == offset
    for kind in ("InstanceCreation", "Series", "Content"):
        assert (manifest.get(f"{kind}Date"), manifest.get(f"{kind}Time")) == (date, hour)


@pytest.mark.parametrize("at, offset", [("015959", "+0100"), ("030000", "+0200"), ("", "+0200")])
def test_on_the_day_that_the_clock_changes_the_hour_of_the_study_decides(
    at: str, offset: str
) -> None:
    content = replace(CONTENT, study_date="20260329", study_time=at)

    assert opened(a_manifest(content)).TimezoneOffsetFromUTC == offset


@pytest.mark.parametrize(
    "zone, study_date, offset",
    [
        ("America/Cayenne", "20260115", "-0300"),
        ("Indian/Reunion", "20260701", "+0400"),
        ("UTC", "20260701", "+0000"),
        ("Europe/Paris", "19000101", "+0009"),  # local mean time, 9 min 21 s
    ],
)
def test_the_offset_is_in_whole_minutes_everywhere(zone: str, study_date: str, offset: str) -> None:
    content = replace(CONTENT, study_date=study_date)

    assert opened(a_manifest(content, zone=ZoneInfo(zone))).TimezoneOffsetFromUTC == offset


def test_the_request_has_the_accession_and_the_order_with_their_authorities() -> None:
    [request] = opened(a_manifest()).ReferencedRequestSequence

    assert request.StudyInstanceUID == STUDY
    assert request.AccessionNumber == "ACN9001"
    assert authority_of(request, "IssuerOfAccessionNumberSequence") == ("1.2.250.1.999.3", "ISO")
    assert request.PlacerOrderNumberImagingServiceRequest == "OPN9001"
    assert authority_of(request, "OrderPlacerIdentifierSequence") == ("1.2.250.1.999.4", "ISO")
    for empty in (
        "FillerOrderNumberImagingServiceRequest",
        "RequestedProcedureID",
        "RequestedProcedureDescription",
    ):
        assert request.get(empty) == ""
    for without_items in ("ReferencedStudySequence", "RequestedProcedureCodeSequence"):
        assert list(request.get(without_items)) == []


@pytest.mark.parametrize(
    "told, ordered, pairs",
    [
        ("A", "O", [("A", "O")]),
        ("AB", "OP", [("A", "O"), ("B", "P")]),
        ("AB", "O", [("A", "O"), ("B", "O")]),
        ("A", "OP", [("A", "O"), ("A", "P")]),
        ("AB", "OPQ", [("A", ""), ("B", ""), ("", "O"), ("", "P"), ("", "Q")]),
        ("A", "", [("A", "")]),
        ("", "O", [("", "O")]),
    ],
)
def test_accessions_and_orders_are_paired_where_only_one_pairing_is_told(
    told: str, ordered: str, pairs: list[tuple[str, str]]
) -> None:
    content = replace(CONTENT, accessions=accessions(*told), orders=accessions(*ordered))

    requests = opened(a_manifest(content)).ReferencedRequestSequence

    assert [
        (one.AccessionNumber, one.PlacerOrderNumberImagingServiceRequest) for one in requests
    ] == pairs


def test_a_study_that_nobody_ordered_has_no_request() -> None:
    content = replace(CONTENT, accessions=(), orders=())

    assert "ReferencedRequestSequence" not in opened(a_manifest(content))


def test_a_uid_with_leading_zeros_goes_through_as_it_is() -> None:
    old = ListedInstance(instance=Uid("1.2.003.04"), sop_class=CT)
    content = replace(CONTENT, series=(replace(a_series(1), instances=(old,)),))

    [series] = the_evidence(a_manifest(content)).ReferencedSeriesSequence

    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.003.04"


def test_the_instance_number_counts_the_manifests_of_the_study() -> None:
    assert opened(a_manifest(revision=12)).InstanceNumber == 12


def test_two_thousand_instances_take_well_under_a_second() -> None:
    content = replace(CONTENT, series=tuple(a_series(one, instances=500) for one in range(1, 5)))

    began = time.perf_counter()
    document = a_manifest(content)
    took_s = time.perf_counter() - began

    assert len(opened(document).ContentSequence) == 2001
    assert len(read_manifest(document).series) == 4
    assert len(document) * 10 < SIZE_BYTES_MAX  # ten times as many can still be read
    assert took_s < 1  # some 25 ms on a quiet machine
