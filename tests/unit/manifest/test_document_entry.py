"""What the index is told of a manifest."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.manifest.document_entry import build_entry, build_submission
from gateway.manifest.model import ManifestForm
from gateway.model.pointer import PointerContent
from gateway.model.report import Visibility
from indexer.contract.document import (
    Code,
    DocumentEntry,
    EntryStatus,
    Identifier,
    Organisation,
    ReferenceId,
    ReferenceKind,
)
from indexer.contract.identifiers import Oid, Uid
from tests.support.manifests import (
    CENTRE,
    CONTENT,
    INS,
    LOCATION,
    MADE_AT,
    PATIENT,
    SOP_INSTANCE,
    STUDY,
    a_series,
)

DOCUMENT = b"a manifest"


def an_entry(
    content: PointerContent = CONTENT, *, form: ManifestForm = ManifestForm.FRENCH
) -> DocumentEntry:
    return build_entry(
        content,
        document=DOCUMENT,
        sop_instance=SOP_INSTANCE,
        made_at=MADE_AT,
        centre=CENTRE,
        form=form,
    )


def test_the_entry_has_the_codes_of_a_manifest() -> None:
    entry = an_entry()

    assert (entry.class_code.code, entry.class_code.scheme) == ("31", "1.2.250.1.213.1.1.4.1")
    assert (entry.type_code.code, entry.type_code.scheme) == ("IMG-KOS", "1.2.250.1.213.1.1.4.12")
    assert entry.format_code.code == "1.2.840.10008.5.1.4.1.1.88.59"
    assert entry.format_code.scheme == "1.2.840.10008.2.6.1"
    assert entry.mime_type == "application/dicom"
    assert entry.language == "fr-FR"
    assert entry.title == "Reference d'Objets d'un Examen d'Imagerie"
    assert entry.comments == "KOS"
    assert entry.status is EntryStatus.APPROVED


def test_a_bundle_has_its_own_format_and_the_same_class_and_type() -> None:
    entry = an_entry(form=ManifestForm.MADO_FHIR)

    assert entry.format_code.code == "urn:ihe:rad:MADO:fhir-manifest:2026"
    assert entry.format_code.scheme == "1.3.6.1.4.1.19376.1.2.7.1"
    assert entry.mime_type == "application/fhir+json"
    assert (entry.class_code, entry.type_code) == (an_entry().class_code, an_entry().type_code)


@pytest.mark.parametrize("form", [ManifestForm.XDS_I, ManifestForm.MADO])
def test_every_key_object_document_has_the_same_format(form: ManifestForm) -> None:
    assert an_entry(form=form) == an_entry()


def test_the_entry_names_the_document_by_its_uid_hash_and_size() -> None:
    entry = an_entry()

    assert entry.unique_id == SOP_INSTANCE
    assert entry.sha1 == hashlib.sha1(DOCUMENT).hexdigest()
    assert entry.size_bytes == len(DOCUMENT)


def test_the_entry_names_the_patient_as_the_report_does() -> None:
    entry = an_entry()

    assert entry.patient == INS
    assert entry.local_patient == PATIENT.local_ids[0]
    assert (entry.traits.birth_name, entry.traits.given_name) == ("EXEMPLE", "CAMILLE")
    assert (entry.traits.birth_date, entry.traits.sex) == ("19550517", "M")


@pytest.mark.parametrize("told, sex", [("F", "F"), ("O", "U"), ("", "U"), ("UN", "U")])
def test_a_sex_that_the_index_does_not_know_is_unknown(told: str, sex: str) -> None:
    assert an_entry(replace(CONTENT, patient=replace(PATIENT, sex=told))).traits.sex == sex


def test_setting_and_facility_author_and_structure_are_the_reports() -> None:
    entry = an_entry()

    assert entry.facility == CONTENT.facility
    assert entry.practice_setting == CONTENT.practice_setting
    assert entry.author == CONTENT.author
    assert entry.author_organisation == CONTENT.organisation
    assert entry.legal_authenticator == CONTENT.legal_authenticator


def test_the_centre_stands_in_for_a_structure_without_a_number() -> None:
    entry = an_entry(replace(CONTENT, organisation=Organisation(number="")))

    assert entry.author_organisation == Organisation(number="1990000127", name="Centre X")


def test_the_document_is_normal_and_hidden_from_whom_the_report_says() -> None:
    hidden = frozenset({Visibility.HIDDEN_FROM_PROFESSIONALS, Visibility.HIDDEN_FROM_PATIENT})

    entry = an_entry(replace(CONTENT, visibility=hidden))

    assert [(one.code, one.scheme) for one in entry.confidentiality] == [
        ("N", "2.16.840.1.113883.5.25"),
        ("INVISIBLE_PATIENT", "1.2.250.1.213.1.1.4.13"),
        ("MASQUE_PS", "1.2.250.1.213.1.1.4.13"),
    ]


def test_events_are_the_acts_the_regions_and_each_modality_once() -> None:
    series = (a_series(1), a_series(2), a_series(3, modality="ZZ"), a_series(4, modality="KO"))

    entry = an_entry(replace(CONTENT, series=series, regions=CONTENT.regions * 2))

    assert entry.event_codes == (
        *CONTENT.acts,
        *CONTENT.regions,
        Code(code="CT", scheme="1.2.840.10008.2.16.4", display="Computed Tomography"),
        Code(code="ZZ", scheme="1.2.840.10008.2.16.4", display="ZZ"),
    )


def test_references_are_accession_order_and_study_without_authority() -> None:
    assert an_entry().reference_ids == (
        ReferenceId(kind=ReferenceKind.ACCESSION, value="ACN9001", authority="1.2.250.1.999.3"),
        ReferenceId(kind=ReferenceKind.ORDER, value="OPN9001", authority="1.2.250.1.999.4"),
        ReferenceId(kind=ReferenceKind.STUDY, value=STUDY, authority=""),
    )


def test_an_order_without_its_authority_is_no_reference() -> None:
    entry = an_entry(replace(CONTENT, orders=(Identifier(value="OPN9001"),)))

    assert ReferenceKind.ORDER not in {one.kind for one in entry.reference_ids}


def test_all_times_are_utc_and_in_whole_seconds() -> None:
    paris = timezone(timedelta(hours=1))
    started_at = datetime(2026, 1, 15, 10, 11, 12, 500, tzinfo=paris)

    entry = an_entry(replace(CONTENT, started_at=started_at))

    assert entry.created_at == datetime(2026, 7, 1, 12, 30, 15, tzinfo=UTC)
    assert entry.service_start == datetime(2026, 1, 15, 9, 11, 12, tzinfo=UTC)
    assert entry.service_stop == datetime(2026, 1, 15, 9, 41, 12, tzinfo=UTC)
    for moment in (entry.created_at, entry.service_start, entry.service_stop):
        assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "date, start",
    [
        ("20260115", datetime(2026, 1, 15, 9, 11, 12, tzinfo=UTC)),
        ("20260715", datetime(2026, 7, 15, 8, 11, 12, tzinfo=UTC)),
        ("", None),
    ],
)
def test_the_images_tell_when_the_exam_began_where_the_report_does_not(
    date: str, start: datetime | None
) -> None:
    entry = an_entry(replace(CONTENT, started_at=None, ended_at=None, study_date=date))

    assert entry.service_start == start
    assert entry.service_stop is None


def test_a_dummy_date_that_has_no_utc_tells_no_beginning() -> None:
    dummy = replace(CONTENT, started_at=None, study_date="00010101", study_time="000000")

    assert an_entry(dummy).service_start is None


def test_a_submission_carries_the_document_for_this_source() -> None:
    entry = an_entry()

    submission = build_submission(
        entry,
        document=DOCUMENT,
        submission_id=Uid("2.25.7"),
        submitted_at=MADE_AT,
        centre=CENTRE,
        replaces="entry-1",
    )

    assert submission.entry is entry
    assert submission.document == DOCUMENT
    assert submission.submission_id == "2.25.7"
    assert submission.source_id == Oid(LOCATION)
    assert submission.submitted_at == datetime(2026, 7, 1, 12, 30, 15, tzinfo=UTC)
    assert (submission.content_type.code, submission.content_type.scheme) == (
        "04",
        "1.2.250.1.213.2.2",
    )
    assert submission.replaces == "entry-1"
