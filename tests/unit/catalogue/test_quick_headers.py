"""A header that is read quickly tells what pydicom tells, or nothing."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from gateway.catalogue import header
from gateway.catalogue.header import read_header, read_texts
from tests.support.peers import shared_data
from tests.support.retrieval import a_slice, write_part10

texts = st.text("ABcé^=\\ 0123.", max_size=12)
PIXELS = b"\xe0\x7f\x10\x00"


def slowly(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return read_texts(dcmread(file, stop_before_pixels=True))


def quickly(path: Path) -> dict[str, str] | None:
    told = header._texts_quickly(path.read_bytes()[: header.QUICK_BYTES])
    return None if told is None else dict(told)


def test_every_file_reads_as_by_pydicom_or_not_at_all() -> None:
    read = 0
    for path in sorted((shared_data() / "dicom").rglob("*.dcm")):
        try:
            told = quickly(path)
        except OSError:
            continue
        if told is not None:
            assert told == slowly(path), path.name
            read += 1

    assert read > 100


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless])
def test_an_ordinary_instance_is_read_quickly(tmp_path: Path, syntax: str) -> None:
    referenced = Dataset()
    referenced.ReferencedSOPInstanceUID = "1.2"
    referenced.PurposeOfReferenceCodeSequence = [Dataset()]
    undefined = a_slice(ReferencedImageSequence=[referenced])
    undefined["ReferencedImageSequence"].is_undefined_length = True
    write_part10(undefined, tmp_path / "slice.dcm", syntax)

    told = quickly(tmp_path / "slice.dcm")

    assert told is not None
    assert told["StudyDescription"] == "Scanner du crâne"
    assert told == slowly(tmp_path / "slice.dcm")


@pytest.mark.parametrize("undefined", [False, True])
def test_items_of_a_sequence_are_read_quickly(tmp_path: Path, undefined: bool) -> None:
    request, empty, nested = Dataset(), Dataset(), Dataset()
    request.RequestedProcedureID = "RP1"
    request.RequestedProcedureDescription = "Tête"
    request.ScheduledProtocolCodeSequence = [nested]
    nested.CodeValue = "1"
    request.ScheduledProcedureStepID = "SPS1"
    request.is_undefined_length_sequence_item = undefined
    ds = a_slice(RequestAttributesSequence=[request, empty], OtherPatientIDsSequence=[empty])
    ds["RequestAttributesSequence"].is_undefined_length = undefined
    write_part10(ds, tmp_path / "slice.dcm")

    told = quickly(tmp_path / "slice.dcm")

    assert told is not None
    assert told["RequestAttributesSequence"] == (
        '[{"ScheduledProcedureStepID":"SPS1","RequestedProcedureID":"RP1",'
        '"RequestedProcedureDescription":"Tête"},{}]'
    )
    assert told == slowly(tmp_path / "slice.dcm")


@pytest.mark.parametrize(
    "unusual",
    [
        {"SpecificCharacterSet": ["", "ISO 2022 IR 87"]},
        {"IssuerOfPatientIDQualifiersSequence": [Dataset()]},
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": b"\xe9"},
        {"ImageComments": "x" * header.QUICK_BYTES},
    ],
    ids=["code extensions", "an issuer", "no UTF-8", "a long header"],
)
def test_what_is_out_of_the_ordinary_is_left_to_pydicom(
    tmp_path: Path, unusual: dict[str, Any]
) -> None:
    write_part10(a_slice(**unusual), tmp_path / "slice.dcm")

    assert quickly(tmp_path / "slice.dcm") is None


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_another_encoding_is_left_to_pydicom(tmp_path: Path, syntax: str) -> None:
    write_part10(a_slice(), tmp_path / "slice.dcm", syntax)

    assert quickly(tmp_path / "slice.dcm") is None
    assert read_header(tmp_path / "slice.dcm").image.modality == "CT"


@given(name=texts, description=texts, number=st.integers(-9, 99), rows=st.integers(0, 65535))
def test_whatever_the_values_are_they_read_as_by_pydicom(
    tmp_path_factory: pytest.TempPathFactory, name: str, description: str, number: int, rows: int
) -> None:
    path = tmp_path_factory.mktemp("quick") / "slice.dcm"
    ds = a_slice(PatientName=name, StudyDescription=description, InstanceNumber=number, Rows=rows)
    write_part10(ds, path)

    assert quickly(path) in (None, slowly(path))


@given(st.data())
def test_whatever_the_bytes_are_it_reads_as_by_pydicom_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    encoded = bytearray(_encoded())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(340, encoded.index(PIXELS) - 1))
        encoded[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("quick") / "slice.dcm"
    path.write_bytes(encoded)

    told = quickly(path)

    if told is not None and _is_in_order(path):
        assert told == read_texts(header._read(lambda: path.open("rb"), header._READ))


def _is_in_order(path: Path) -> bool:
    """Whether the elements stand in ascending order (PS3.5 §7.1), as far as they can be read."""
    try:
        tags = list(dcmread(path, stop_before_pixels=True).keys())
    except Exception:  # pydicom raises whatever the bytes made it stumble over
        return False
    return tags == sorted(tags)


def _encoded() -> bytes:
    ds = a_slice()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = BytesIO()
    dcmwrite(written, ds, enforce_file_format=True)
    return written.getvalue()
