"""What a DICOMDIR lists."""

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from gateway.errors import InvalidRequest
from gateway.media import dicomdir
from gateway.media.dicomdir import listed_files


def a_directory(*files: list[str] | str | None, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A DICOMDIR with a record for each file; None is a record without one."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    ds.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.DirectoryRecordSequence = []
    for file in files:
        record = Dataset()
        record.RecordInUseFlag = 0xFFFF
        if file is not None:
            record.ReferencedFileID = file
        ds.DirectoryRecordSequence.append(record)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_files_are_named_from_the_directorys_own_folder(syntax: str) -> None:
    directory = a_directory(["IMAGES", "A"], None, "B", syntax=syntax)

    assert listed_files(directory) == ["IMAGES/A", "B"]


def test_a_record_that_is_not_in_use_lists_nothing() -> None:
    ds = dcmread(BytesIO(a_directory("A", "B")))
    ds.DirectoryRecordSequence[0].RecordInUseFlag = 0
    buffer = BytesIO()
    ds.save_as(buffer)

    assert listed_files(buffer.getvalue()) == ["B"]


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda data: b"", "its prefix is missing"),
        (lambda data: data[128:], "its prefix is missing"),
        (lambda data: data.replace(b"008.1.3.10", b"008.5.1.10"), "no DICOMDIR"),
    ],
)
def test_what_is_no_directory_is_refused(damage: Callable[[bytes], bytes], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        listed_files(damage(a_directory(["IMAGES", "A"], "B")))


@pytest.mark.parametrize("kept", range(132, 420, 7))
def test_a_directory_that_is_cut_off_is_refused_or_lists_less(kept: int) -> None:
    data = a_directory(["IMAGES", "A"], "B")

    try:
        names = listed_files(data[:kept])
    except InvalidRequest:
        names = []

    assert all("IMAGES/A".startswith(name.rstrip("/")) or name == "B" for name in names)


def test_a_deflated_directory_is_refused_before_it_is_inflated() -> None:
    data = a_directory("A", syntax=DeflatedExplicitVRLittleEndian)

    with pytest.raises(InvalidRequest, match="another transfer syntax"):
        listed_files(data)


def test_a_directory_of_too_many_records_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomdir, "RECORDS_MAX", 2)

    with pytest.raises(InvalidRequest, match="more than 2 records"):
        listed_files(a_directory("A", "B", "C"))
