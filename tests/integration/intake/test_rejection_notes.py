"""Rejection notes (IHE RAD-66) that are pushed: kept like any instance, and taken at their word."""

import asyncio
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.intake import instances, rejection
from simulators.imaging_centre.modality import NotStored, send_study
from simulators.imaging_centre.rejection import TITLES, build_rejection_note
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.support.dicom_doors import DicomDoors, dicom_doors

EXAMINATION = make_examination(17, 3, "CT")
STUDY = EXAMINATION.study_uid
CODE = "113001"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return list(save_study(EXAMINATION, tmp_path / "made"))


def a_note(files: list[Path], code: str = CODE) -> Dataset:
    return build_rejection_note([dcmread(one, stop_before_pixels=True) for one in files], code)


async def push(doors: DicomDoors, note: Dataset, folder: Path) -> None:
    path = folder / "note.dcm"
    note.save_as(path, enforce_file_format=True)
    await asyncio.to_thread(send_study, [path], doors.address)


async def rejected(doors: DicomDoors) -> dict[str, set[str]]:
    """Codes by the instance that a note names."""
    rows = await doors.stores.database.read(
        lambda tx: tx.fetch("SELECT instance_uid, code FROM rejections WHERE study_uid = :study",
                            study=STUDY)
    )  # fmt: skip
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(str(row["instance_uid"]), set()).add(str(row["code"]))
    return found


@pytest.mark.parametrize("code", TITLES)
async def test_a_note_is_kept_and_rejects_what_it_lists(
    tmp_path: Path, files: list[Path], code: str
) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        note = a_note(files[:1], code)

        await push(doors, note, tmp_path)

        assert await rejected(doors) == {str(dcmread(files[0]).SOPInstanceUID): {code}}
        assert await doors.count("instances") == 1


async def test_a_note_may_come_before_or_after_its_instances(
    tmp_path: Path, files: list[Path]
) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        await asyncio.to_thread(send_study, files[:2], doors.address)
        await push(doors, a_note(files[1:3]), tmp_path)
        await asyncio.to_thread(send_study, files[2:3], doors.address)

        rows = await doors.stores.database.read(
            lambda tx: tx.fetch("SELECT instance_uid FROM instances WHERE rejected = :c", c=CODE)
        )

    assert {row["instance_uid"] for row in rows} == {
        str(dcmread(one).SOPInstanceUID) for one in files[1:3]
    }


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
async def test_a_note_is_read_in_the_syntax_that_it_comes_in(
    tmp_path: Path, files: list[Path], syntax: UID
) -> None:
    note = a_note(files)
    note.file_meta.TransferSyntaxUID = syntax

    async with dicom_doors(tmp_path / "gateway") as doors:
        await push(doors, note, tmp_path)

        assert len(await rejected(doors)) == len(files)


def two_studies(note: Dataset) -> None:
    note.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID = STUDY
    other = Dataset()
    other.StudyInstanceUID = "1.2.3"
    other.ReferencedSeriesSequence = note.CurrentRequestedProcedureEvidenceSequence[
        0
    ].ReferencedSeriesSequence
    note.CurrentRequestedProcedureEvidenceSequence.append(other)


async def test_a_note_on_several_studies_is_told_of_each(tmp_path: Path, files: list[Path]) -> None:
    note = a_note(files)
    two_studies(note)

    async with dicom_doors(tmp_path / "gateway") as doors:
        await push(doors, note, tmp_path)

        assert await doors.count("rejections") == 2 * len(files)
        assert await doors.told_of("1.2.3") is not None


def no_evidence(note: Dataset) -> None:
    del note.CurrentRequestedProcedureEvidenceSequence


def no_series(note: Dataset) -> None:
    note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence = []


def half_a_study_more(note: Dataset) -> None:
    note.CurrentRequestedProcedureEvidenceSequence.append(Dataset())


def an_instance_without_uid(note: Dataset) -> None:
    series = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    del series.ReferencedSOPSequence[-1].ReferencedSOPInstanceUID


@pytest.mark.parametrize(
    "spoil", [no_evidence, no_series, half_a_study_more, an_instance_without_uid]
)
async def test_a_malformed_note_is_refused_and_nothing_of_it_taken(
    tmp_path: Path, files: list[Path], spoil
) -> None:
    note = a_note(files)
    spoil(note)

    async with dicom_doors(tmp_path / "gateway") as doors:
        with pytest.raises(NotStored) as refused:
            await push(doors, note, tmp_path)

        assert refused.value.status == 0xA900
        assert await doors.count("rejections") == await doors.count("instances") == 0


async def test_a_note_on_too_much_is_refused(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejection, "REJECTED_MAX", len(files) - 1)

    async with dicom_doors(tmp_path / "gateway") as doors:
        with pytest.raises(NotStored):
            await push(doors, a_note(files), tmp_path)


async def test_notes_are_read_one_at_a_time(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(2)

    def read(*_args: object, **_told: object) -> tuple[()]:
        with suppress(BrokenBarrierError):
            together.wait(timeout=0.3)
            raise AssertionError("two are read at once")
        return ()

    monkeypatch.setattr(instances, "read_rejection", read)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    async with dicom_doors(tmp_path / "gateway") as doors:
        notes = [a_note(files[:1]), a_note(files[1:])]
        await asyncio.gather(*(push(doors, *one) for one in zip(notes, folders, strict=True)))

        assert await doors.count("instances") == 2


async def test_a_title_of_another_scheme_rejects_nothing(tmp_path: Path, files: list[Path]) -> None:
    note = a_note(files)
    note.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99LOCAL"

    async with dicom_doors(tmp_path / "gateway") as doors:
        await push(doors, note, tmp_path)

        assert await rejected(doors) == {}
        assert await doors.count("instances") == 1
