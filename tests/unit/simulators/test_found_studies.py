"""Studies on disk play with what their files tell; what cannot play is named with its reason."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from simulators.demo.folder import find_studies
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study

SEED = 1


def change(path: Path, act: Callable[[Dataset], object]) -> None:
    ds = dcmread(path)
    act(ds)
    ds.save_as(path)


def test_files_are_grouped_by_study(tmp_path: Path) -> None:
    made = [make_examination(9, number, "CR") for number in range(2)]
    for number, examination in enumerate(made):
        save_study(examination, tmp_path / "deep" / str(number))

    studies, left_out = find_studies(tmp_path, seed=SEED, count_max=None)

    assert left_out == []
    assert [study.examination.study_uid for study in studies] == [e.study_uid for e in made]
    assert [len(study.files) for study in studies] == [2, 2]


def test_the_report_takes_the_patient_and_the_accession_of_the_files(tmp_path: Path) -> None:
    made = make_examination(9, 1, "CR")
    save_study(made, tmp_path)

    [study], _ = find_studies(tmp_path, seed=SEED, count_max=None)

    told, true = study.examination, made
    assert told.accession == true.accession
    assert told.modality == "CR"
    assert told.description == true.description
    assert (told.patient.local_id, told.patient.local_id_issuer) == (
        true.patient.local_id,
        true.patient.local_id_issuer,
    )
    assert (told.patient.birth_date, told.patient.sex) == (
        true.patient.birth_date,
        true.patient.sex,
    )
    assert told.started_at.date() == true.started_at.date()


def test_no_more_studies_play_than_were_asked_for(tmp_path: Path) -> None:
    for number in range(3):
        save_study(make_examination(9, number, "CR"), tmp_path / str(number))

    studies, _ = find_studies(tmp_path, seed=SEED, count_max=2)

    assert len(studies) == 2


def test_what_the_files_leave_empty_is_made_up(tmp_path: Path) -> None:
    def empty(ds: Dataset) -> None:
        ds.AccessionNumber = ds.PatientBirthDate = ds.PatientSex = ds.StudyDate = ""

    for path in save_study(make_examination(9, 1, "CR"), tmp_path):
        change(path, empty)

    [study], _ = find_studies(tmp_path, seed=SEED, count_max=None)

    assert study.examination.accession
    assert study.examination.patient.sex in ("F", "M")
    assert len(study.examination.patient.birth_date) == 8


@pytest.mark.parametrize(
    "act, reason",
    [
        (lambda ds: delattr(ds, "StudyInstanceUID"), "it has no StudyInstanceUID"),
        (lambda ds: setattr(ds, "PatientID", ""), "it has no PatientID"),
        (lambda ds: setattr(ds, "SeriesInstanceUID", "77"), "one of its UIDs is none"),
        (lambda ds: setattr(ds, "SOPClassUID", "1.2.3"), "its SOP class is none that a PACS"),
    ],
)
def test_a_file_that_lacks_what_a_study_needs_is_left_out(
    tmp_path: Path, act: Callable[[Dataset], object], reason: str
) -> None:
    first, _ = save_study(make_examination(9, 1, "CR"), tmp_path)
    change(first, act)

    [study], [left_out] = find_studies(tmp_path, seed=SEED, count_max=None)

    assert left_out.path == first
    assert left_out.reason.startswith(reason)
    assert first not in study.files


def test_a_file_that_is_not_dicom_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("not DICOM")

    studies, [left_out] = find_studies(tmp_path, seed=SEED, count_max=None)

    assert studies == []
    assert left_out.reason == "it is no Part 10 file"


@pytest.mark.parametrize(
    "keyword, reason",
    [
        ("PatientID", "its study has two patients"),
        ("AccessionNumber", "its study has two accession numbers"),
    ],
)
def test_a_study_that_contradicts_itself_is_left_out(
    tmp_path: Path, keyword: str, reason: str
) -> None:
    first, _ = save_study(make_examination(9, 1, "CR"), tmp_path)
    change(first, lambda ds: setattr(ds, keyword, "ANOTHER"))

    studies, [left_out] = find_studies(tmp_path, seed=SEED, count_max=None)

    assert (studies, left_out.reason) == ([], reason)


def test_the_second_file_of_an_instance_is_left_out(tmp_path: Path) -> None:
    first, _ = save_study(make_examination(9, 1, "CR"), tmp_path)
    (tmp_path / "copy.dcm").write_bytes(first.read_bytes())

    [study], [left_out] = find_studies(tmp_path, seed=SEED, count_max=None)

    assert len(study.files) == 2
    assert left_out.reason == "another file has its SOP Instance UID"
