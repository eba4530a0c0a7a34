"""Directories of media (PS3.3 Annex F), as pydicom and our own reader find them."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.fileset import FileSet
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, MediaStorageDirectoryStorage

from gateway.media.dicomdir import listed_files
from gateway.media.directory import DicomDirectory
from gateway.media.records import KEYWORDS, VALUE_BYTES_MAX, build_record, record_type
from tests.support.retrieval import a_slice, part10_of, write_part10
from tests.support.studies import SERIES

ITSELF = "2.25.1"
SR = "1.2.840.10008.5.1.4.1.1.88.11"


def header_of(ds: Dataset) -> Dataset:
    """As it is read of a file: values are not decoded."""
    file = BytesIO(part10_of(ds))
    file.seek(132)
    read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    return read_dataset(file, False, True, specific_tags=[Tag(one) for one in KEYWORDS])


def directory_of(*headers: Dataset) -> bytes:
    directory = DicomDirectory(ITSELF)
    for number, one in enumerate(headers):
        directory.add(header_of(one), ("DICOM", f"IM{number:06}"), ExplicitVRLittleEndian)
    return directory.encode()


def records_of(encoded: bytes) -> list[Dataset]:
    return list(dcmread(BytesIO(encoded)).DirectoryRecordSequence)


def of_type(encoded: bytes, name: str) -> list[Dataset]:
    return [one for one in records_of(encoded) if one.DirectoryRecordType == name]


def test_it_is_a_dicom_file_of_its_class() -> None:
    told = dcmread(BytesIO(directory_of(a_slice(1))))

    assert told.file_meta.MediaStorageSOPClassUID == MediaStorageDirectoryStorage
    assert told.file_meta.MediaStorageSOPInstanceUID == ITSELF
    assert told.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert told.FileSetConsistencyFlag == 0


def test_each_file_is_found_under_its_patient_study_and_series(tmp_path: Path) -> None:
    slices = [
        a_slice(1),
        a_slice(2, SeriesInstanceUID=f"{SERIES}.9"),
        a_slice(3),
        a_slice(4, StudyInstanceUID="1.2.3"),
        a_slice(5, PatientID="OTHER"),
    ]
    (tmp_path / "DICOM").mkdir()
    for number, one in enumerate(slices):
        write_part10(one, tmp_path / f"DICOM/IM{number:06}")
    (tmp_path / "DICOMDIR").write_bytes(directory_of(*slices))

    found = FileSet(tmp_path / "DICOMDIR")

    assert {names_of(one) for one in found} == {names_of(one) for one in slices}


def names_of(told: Any) -> tuple[str, ...]:
    uids = (told.StudyInstanceUID, told.SeriesInstanceUID, told.SOPInstanceUID)
    return (str(told.PatientID), *uids)


def test_offsets_lead_from_record_to_record() -> None:
    encoded = directory_of(*(a_slice(n, SeriesInstanceUID=f"{SERIES}.{n % 2}") for n in range(5)))
    told = dcmread(BytesIO(encoded))
    by_place = {one.seq_item_tell: one for one in told.DirectoryRecordSequence}

    def level(at: int) -> list[Any]:
        found = []
        while at:
            record = by_place.pop(at)
            below = level(record.OffsetOfReferencedLowerLevelDirectoryEntity)
            found.append((record.DirectoryRecordType, below))
            at = record.OffsetOfTheNextDirectoryRecord
        return found

    tree = level(told.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity)

    images: list[Any] = [("IMAGE", [])]
    series = [("SERIES", images * 3), ("SERIES", images * 2)]
    assert tree == [("PATIENT", [("STUDY", series)])]
    assert by_place == {}


def test_the_names_of_files_are_listed() -> None:
    encoded = directory_of(a_slice(1), a_slice(2))

    assert listed_files(encoded) == ["DICOM/IM000000", "DICOM/IM000001"]


def test_an_image_is_told_with_its_file() -> None:
    directory = DicomDirectory(ITSELF)
    ds = a_slice(7)
    directory.add(header_of(ds), ("DICOM", "A"), JPEG2000Lossless)

    [image] = of_type(directory.encode(), "IMAGE")

    assert image.InstanceNumber == 7
    assert image.ReferencedSOPClassUIDInFile == ds.SOPClassUID
    assert image.ReferencedSOPInstanceUIDInFile == ds.SOPInstanceUID
    assert image.ReferencedTransferSyntaxUIDInFile == JPEG2000Lossless
    assert image.RecordInUseFlag == 0xFFFF


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192"])
def test_texts_keep_the_character_set_in_which_they_came(charset: str) -> None:
    told = {"SpecificCharacterSet": charset, "PatientName": "LEFÈVRE^ZOÉ"}
    encoded = directory_of(a_slice(1, StudyDescription="Scanner du crâne", **told))

    [patient] = of_type(encoded, "PATIENT")
    [study] = of_type(encoded, "STUDY")
    assert (patient.PatientName, study.StudyDescription) == ("LEFÈVRE^ZOÉ", "Scanner du crâne")
    assert patient.SpecificCharacterSet == charset


def test_what_must_be_told_and_is_not_is_made_up() -> None:
    ds = a_slice(1, StudyDate="", SeriesNumber=None, PatientID="")
    for keyword in ("InstanceNumber", "Modality"):
        del ds[keyword]
    encoded = directory_of(ds)

    [patient], [study] = of_type(encoded, "PATIENT"), of_type(encoded, "STUDY")
    [series], [image] = of_type(encoded, "SERIES"), of_type(encoded, "IMAGE")
    assert patient.PatientID == "UNKNOWN"
    assert (study.StudyDate, study.StudyTime, study.StudyID) == ("19000101", "000000", "1")
    assert (series.Modality, series.SeriesNumber) == ("UNKNOWN", 0)
    assert image.InstanceNumber == 0


def test_what_may_be_empty_is_there_all_the_same() -> None:
    ds = a_slice(1)
    for keyword in ("StudyDescription", "AccessionNumber", "PatientName"):
        del ds[keyword]
    encoded = directory_of(ds)

    [patient], [study] = of_type(encoded, "PATIENT"), of_type(encoded, "STUDY")
    assert (patient.PatientName, study.StudyDescription, study.AccessionNumber) == ("", "", "")


def test_a_value_that_is_too_long_is_not_taken_over() -> None:
    ds = a_slice(1)
    ds.add_new("StudyDescription", "UT", "x" * (VALUE_BYTES_MAX + 2))

    [study] = of_type(directory_of(ds), "STUDY")

    assert study.StudyDescription == ""


def a_report(**told: Any) -> Dataset:
    title, modifier, finding = Dataset(), Dataset(), Dataset()
    title.CodeValue, title.CodeMeaning = "18748-4", "Compte rendu"
    modifier.RelationshipType, finding.RelationshipType = "HAS CONCEPT MOD", "CONTAINS"
    modifier.ValueType, finding.ValueType = "CODE", "TEXT"
    return a_slice(
        1,
        SOPClassUID=SR,
        Modality="SR",
        ContentDate="20260102",
        ContentTime="101500",
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
        ConceptNameCodeSequence=[title],
        ContentSequence=[modifier, finding],
        **told,
    )


def test_a_report_is_told_with_its_title_and_what_says_more_of_it() -> None:
    [record] = of_type(directory_of(a_report()), "SR DOCUMENT")

    assert record.ConceptNameCodeSequence[0].CodeMeaning == "Compte rendu"
    assert (record.CompletionFlag, record.VerificationFlag) == ("COMPLETE", "VERIFIED")
    assert [one.ValueType for one in record.ContentSequence] == ["CODE"]


@pytest.mark.parametrize(
    "suffix, name",
    [
        ("2", "IMAGE"), ("4.2", "SPECTROSCOPY"), ("9.1.1", "WAVEFORM"), ("11.1", "PRESENTATION"),
        ("66", "RAW DATA"), ("66.1", "REGISTRATION"), ("66.4", "IMAGE"), ("67", "VALUE MAP"),
        ("88.33", "SR DOCUMENT"), ("88.59", "KEY OBJECT DOC"), ("104.1", "ENCAP DOC"),
        ("481.1", "IMAGE"), ("481.3", "RT STRUCTURE SET"), ("9", "IMAGE"),
    ],
)  # fmt: skip
def test_each_class_has_its_type_of_record(suffix: str, name: str) -> None:
    assert record_type(f"1.2.840.10008.5.1.4.1.1.{suffix}").name == name


def test_an_unknown_class_is_listed_as_an_image() -> None:
    assert record_type("1.3.46.670589.5.0.3").name == "IMAGE"
    assert build_record(record_type(""), Dataset()).InstanceNumber == 0


def test_a_medium_without_files_has_a_directory_without_records() -> None:
    assert records_of(DicomDirectory(ITSELF).encode()) == []
