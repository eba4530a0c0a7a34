"""What is read of an instance's own header."""

import struct
import zlib
from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from gateway.catalogue import metered
from gateway.catalogue.header import read_header
from gateway.dimse.spool import file_header
from gateway.errors import InvalidRequest

CT = "1.2.840.10008.5.1.4.1.1.2"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"

ITEM, SEQUENCE_END = b"\xfe\xff\x00\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
UNDEFINED = b"\0\0\xff\xff\xff\xff"
MIB = 2**20


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


def as_received(folder: Path, data_set: bytes, syntax: str = EXPLICIT) -> Path:
    """The file that the acceptor makes of these bytes."""
    path = folder / "received"
    head = file_header(sop_class=CT, sop_instance="1.2.3.4.5", transfer_syntax=syntax)
    path.write_bytes(head + data_set)
    return path


def of_items(tag: bytes, vr: bytes, count: int) -> bytes:
    return tag + vr + UNDEFINED + ITEM * count + SEQUENCE_END


def deflated(data_set: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data_set) + compressor.flush()


@pytest.mark.parametrize(
    "tag, vr",
    [(b"\x08\0\x40\x11", b"SQ"), (b"\x09\0\x01\x10", b"UN"), (b"\x40\0\x43\xa0", b"SQ")],
    ids=["a sequence nobody asked for", "an unknown one", "the title"],
)
@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED])
def test_a_header_of_too_many_items_is_refused(
    tmp_path: Path, syntax: str, tag: bytes, vr: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metered, "READS_MAX", 1000)
    data_set = of_items(tag, vr, 2000)
    path = as_received(tmp_path, deflated(data_set) if syntax == DEFLATED else data_set, syntax)

    with pytest.raises(InvalidRequest, match=r"cannot be read|too many elements"):
        read_header(path)


@pytest.mark.parametrize("length", [65 * MIB, 2**32 - 2], ids=["long", "a lie"])
def test_a_value_longer_than_any_header_is_refused(tmp_path: Path, length: int) -> None:
    name = b"\x10\0\x10\0UT\0\0" + struct.pack("<I", length)
    path = as_received(tmp_path, name + bytes(65 * MIB))

    with pytest.raises(InvalidRequest):
        read_header(path)


def test_a_data_set_that_brings_a_group_0002_of_its_own_is_refused(tmp_path: Path) -> None:
    syntax = b"\x02\0\x10\0UI\x16\0" + DEFLATED.encode()
    path = as_received(tmp_path, syntax + bytes(100))

    with pytest.raises(InvalidRequest, match="file meta information"):
        read_header(path)


def test_a_sequence_that_is_cut_short_is_the_senders_fault_and_not_the_disks(
    tmp_path: Path,
) -> None:
    path = as_received(tmp_path, b"\x08\0\x40\x11SQ" + UNDEFINED + ITEM + b"\xfe\xff")

    with pytest.raises(InvalidRequest):
        read_header(path)
