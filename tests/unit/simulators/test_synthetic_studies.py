"""Synthetic studies are valid, look like something, and come out of a seed alone."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from simulators.digest import digest_of
from simulators.synthetic.examination import ACTS, make_examination
from simulators.synthetic.studies import build_instances, save_study
from tests.support.peers import peer

VALIDATOR_WITHIN_S = 30


@pytest.mark.parametrize("modality", ACTS)
def test_a_validator_finds_nothing_to_say(tmp_path: Path, modality: str) -> None:
    validator = peer("dciodvfy")

    for path in save_study(make_examination(5, 1, modality), tmp_path):
        said = subprocess.run(
            [validator, path], capture_output=True, text=True, timeout=VALIDATOR_WITHIN_S
        ).stderr
        assert "Error" not in said
        assert "Warning" not in said


@pytest.mark.parametrize("modality", ACTS)
def test_the_same_seed_makes_the_same_study(tmp_path: Path, modality: str) -> None:
    first = save_study(make_examination(5, 1, modality), tmp_path / "first")
    again = save_study(make_examination(5, 1, modality), tmp_path / "again")
    other = save_study(make_examination(6, 1, modality), tmp_path / "other")

    assert [digest_of(path) for path in first] == [digest_of(path) for path in again]
    assert {digest_of(path) for path in first}.isdisjoint(digest_of(path) for path in other)


@pytest.mark.parametrize("modality", ACTS)
def test_pixels_can_be_seen(tmp_path: Path, modality: str) -> None:
    for path in save_study(make_examination(5, 2, modality), tmp_path):
        pixels = dcmread(path).pixel_array

        assert pixels.std() > 10  # a picture, not a plain


def test_a_study_has_one_patient_one_accession_and_uids_of_its_own() -> None:
    examination = make_examination(5, 3, "CT")

    instances = list(build_instances(examination))

    assert len({ds.SOPInstanceUID for ds in instances}) == len(instances) == 10
    assert {ds.StudyInstanceUID for ds in instances} == {examination.study_uid}
    assert len({ds.SeriesInstanceUID for ds in instances}) == 2
    assert {(ds.PatientID, ds.AccessionNumber) for ds in instances} == {
        (examination.patient.local_id, examination.accession)
    }
    assert all(str(ds.SOPInstanceUID).startswith("2.25.") for ds in instances)
    assert not any("TimezoneOffsetFromUTC" in ds for ds in instances)


def test_transfer_syntaxes_are_mixed() -> None:
    syntaxes = {
        ds.file_meta.TransferSyntaxUID
        for modality in ACTS
        for ds in build_instances(make_examination(5, 1, modality))
    }

    assert syntaxes == {ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless}


def test_a_name_that_fits_no_latin_1_is_written_in_utf_8() -> None:
    by_charset: dict[str, list[str]] = {}
    for number in range(40):
        ds = next(build_instances(make_examination(5, number, "CR")))
        by_charset.setdefault(ds.SpecificCharacterSet, []).append(str(ds.PatientName))

    assert all("Œ" in name for name in by_charset["ISO_IR 192"])
    assert not any("Œ" in name for name in by_charset["ISO_IR 100"])
