"""What is read of an instance's own header."""

from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from gateway.catalogue.header import read_header
from gateway.errors import InvalidRequest

CT = "1.2.840.10008.5.1.4.1.1.2"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


def a_code(value: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = "DCM"
    return code


def a_file(folder: Path, **values: object) -> Path:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CT
    ds.SOPInstanceUID = "1.2.3.4.5"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.3.4"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = UID(CT)
    ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / "instance.dcm"
    dcmwrite(path, ds, enforce_file_format=True)
    return path


def test_a_header_tells_its_texts_and_numbers(tmp_path: Path) -> None:
    path = a_file(tmp_path, StudyDescription="Scanner du crâne ", Rows=512, NumberOfFrames="20")

    image = read_header(path).image

    assert image.study_description == "Scanner du crâne"
    assert (image.rows, image.frames, image.columns) == (512, 20, None)


def test_an_issuer_is_known_by_its_oid_and_by_nothing_else(tmp_path: Path) -> None:
    named, local = Dataset(), Dataset()
    named.UniversalEntityID, named.UniversalEntityIDType = "1.2.250.1.9", "ISO"
    local.UniversalEntityID, local.UniversalEntityIDType = "pacs.example", "DNS"
    path = a_file(
        tmp_path,
        PatientID="LOC900",
        IssuerOfPatientIDQualifiersSequence=[named],
        AccessionNumber="ACC1",
        IssuerOfAccessionNumberSequence=[local],
    )

    image = read_header(path).image

    assert image.patient.local_id.authority == "1.2.250.1.9"
    assert image.accession.authority == ""


@pytest.mark.parametrize(
    "sop_class, title", [(KEY_OBJECTS, "113037"), (BASIC_TEXT_SR, "")], ids=["key object", "SR"]
)
def test_the_title_of_a_key_object_document_is_read_and_of_no_other(
    tmp_path: Path, sop_class: str, title: str
) -> None:
    path = a_file(tmp_path, SOPClassUID=sop_class, ConceptNameCodeSequence=[a_code("113037")])

    assert read_header(path).image.title_code == title


def test_a_key_object_document_without_title_has_none(tmp_path: Path) -> None:
    path = a_file(tmp_path, SOPClassUID=KEY_OBJECTS, ConceptNameCodeSequence=[])

    assert read_header(path).image.title_code == ""


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"])
def test_what_does_not_name_itself_is_refused_by_the_elements_name(
    tmp_path: Path, keyword: str
) -> None:
    path = a_file(tmp_path, **{keyword: ""})

    with pytest.raises(InvalidRequest, match=f"{keyword} is absent"):
        read_header(path)
