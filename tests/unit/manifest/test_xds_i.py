"""The manifest of IHE XDS-I.b, where it differs from the French one."""

import io
from dataclasses import replace

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from gateway.manifest.model import ManifestForm
from gateway.model.pointer import PointerContent
from indexer.contract.document import Identifier
from tests.support.manifests import (
    CONTENT,
    INS,
    LOCATION,
    PATIENT,
    STUDY,
    a_manifest,
    opened,
    with_key_images,
)


def the_manifest(content: PointerContent = CONTENT) -> Dataset:
    return opened(a_manifest(content, form=ManifestForm.XDS_I))


def test_the_file_is_explicit_vr_in_utf_8() -> None:
    manifest = the_manifest()

    assert manifest.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert manifest.SpecificCharacterSet == "ISO_IR 192"
    assert manifest.StudyDescription == "Tête sans injection"


def test_the_patient_goes_by_the_departments_id_with_the_national_one_beside_it() -> None:
    manifest = the_manifest()

    [issuer] = manifest.IssuerOfPatientIDQualifiersSequence
    assert (manifest.PatientID, issuer.UniversalEntityID) == ("LOC900", "1.2.250.1.999.2")
    assert [one.PatientID for one in manifest.OtherPatientIDsSequence] == ["LOC900", INS.value]


@pytest.mark.parametrize("given", [True, False])
def test_a_sole_accession_number_is_repeated_at_the_root(given: bool) -> None:
    accessions = tuple(Identifier(value=one, authority="1.2.3") for one in "AB")
    content = CONTENT if given else replace(CONTENT, accessions=accessions)

    manifest = the_manifest(content)

    assert manifest.AccessionNumber == ("ACN9001" if given else "")
    assert ("IssuerOfAccessionNumberSequence" in manifest) is given


def test_each_series_has_the_three_names_of_its_place_and_nothing_that_is_french() -> None:
    [study] = the_manifest(with_key_images(CONTENT)).CurrentRequestedProcedureEvidenceSequence

    for series in study.ReferencedSeriesSequence:
        assert series.RetrieveAETitle == "DRIMBOX"
        assert series.RetrieveLocationUID == LOCATION
        assert series.RetrieveURL.endswith(f"/studies/{STUDY}/series/{series.SeriesInstanceUID}")
        assert "SeriesNumber" not in series
        for one in series.ReferencedSOPSequence:
            assert [element.keyword for element in one] == [
                "ReferencedSOPClassUID",
                "ReferencedSOPInstanceUID",
            ]


def test_the_place_of_birth_stays_in_france() -> None:
    assert "PatientComments" not in the_manifest()


def test_the_title_is_manifest() -> None:
    [title] = the_manifest().ConceptNameCodeSequence

    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == (
        "113030",
        "DCM",
        "Manifest",
    )


@pytest.mark.parametrize("form", [ManifestForm.FRENCH, ManifestForm.XDS_I, ManifestForm.MADO])
def test_the_bytes_are_those_that_pydicom_writes(form: ManifestForm) -> None:
    long_names = replace(PATIENT, birth_name="LECŒUR", used_names=("Œ" * 40, "B^C"))
    for content in (CONTENT, with_key_images(CONTENT), replace(CONTENT, patient=long_names)):
        document = a_manifest(content, form=form)

        again = io.BytesIO()
        dcmwrite(again, opened(document), enforce_file_format=True)

        assert again.getvalue() == document
