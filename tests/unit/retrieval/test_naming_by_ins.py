"""Instances that leave the centre name the patient by INS, and are else what they were."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from gateway.errors import NotAcceptable
from gateway.retrieval.forms.coercion import COPIED_BYTES_MAX, ELEMENTS_MAX, name_by_ins, spliced
from tests.support.retrieval import a_slice, part10_of
from tests.support.studies import INS, OTHER_INS

PREFIX = 132
OTHER_IDS = b"\x10\x00\x02\x10"


def data_set_at(file: bytes) -> int:
    return PREFIX + 12 + int.from_bytes(file[PREFIX + 8 : PREFIX + 12], "little")


def named(file: bytes) -> bytes:
    view = memoryview(file)
    splice = name_by_ins(view, data_set_at(file), INS)
    result = b"".join(bytes(part) for part in spliced(view, splice))
    assert len(result) == splice.size_bytes(len(file))
    return result


def read(file: bytes) -> Dataset:
    return dcmread(BytesIO(file))


def an_item(value: str, **told: Any) -> Dataset:
    item = Dataset()
    item.PatientID = value
    for keyword, one in told.items():
        setattr(item, keyword, one)
    return item


def ids_of(file: bytes) -> list[str]:
    return [item.PatientID for item in read(file).OtherPatientIDsSequence]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless])
def test_the_ins_is_added_with_who_gave_it_and_nothing_else_changes(syntax: str) -> None:
    file = part10_of(a_slice(1, PatientComments="99999"), syntax)

    told = read(named(file))

    [item] = told.OtherPatientIDsSequence
    [issuer] = item.IssuerOfPatientIDQualifiersSequence
    assert (item.PatientID, item.TypeOfPatientID) == (INS.value, "TEXT")
    assert (issuer.UniversalEntityID, issuer.UniversalEntityIDType) == (INS.oid, "ISO")
    assert [len(item), len(issuer)] == [3, 2]
    del told["OtherPatientIDsSequence"]
    assert told == read(file)
    assert told.file_meta == read(file).file_meta


def test_what_is_before_and_after_it_is_the_same_to_the_byte() -> None:
    file = part10_of(a_slice(1, PatientComments="99999"))

    result = named(file)

    at = result.index(OTHER_IDS)
    assert file[:at] == result[:at]
    assert result.endswith(file[at:])


@pytest.mark.parametrize("undefined", [False, True])
def test_other_ids_that_are_there_stay(undefined: bool) -> None:
    nested = an_item("LOC1", IssuerOfPatientIDQualifiersSequence=[an_item("x")])
    ds = a_slice(1, OtherPatientIDsSequence=[nested, an_item("LOC2")])
    ds["OtherPatientIDsSequence"].is_undefined_length = undefined
    for item in ds.OtherPatientIDsSequence:
        item.is_undefined_length_sequence_item = undefined

    result = named(part10_of(ds))

    assert ids_of(result) == ["LOC1", "LOC2", INS.value]
    assert read(result).PixelData == ds.PixelData


@pytest.mark.parametrize("undefined", [False, True])
def test_an_ins_that_is_there_is_not_added_again(undefined: bool) -> None:
    ds = a_slice(1, OtherPatientIDsSequence=[an_item("LOC1"), an_item(INS.value)])
    ds["OtherPatientIDsSequence"].is_undefined_length = undefined
    file = part10_of(ds)

    assert named(file) == file


def test_another_patients_ins_is_not_taken_for_it() -> None:
    file = part10_of(a_slice(1, OtherPatientIDsSequence=[an_item(OTHER_INS.value)]))

    assert ids_of(named(file)) == [OTHER_INS.value, INS.value]


def test_to_name_twice_is_to_name_once() -> None:
    once = named(part10_of(a_slice(1)))

    assert named(once) == once


def test_a_sequence_that_its_writer_did_not_know_gets_an_implicit_item() -> None:
    """Of VR UN the items are in Implicit VR Little Endian (PS3.5 §6.2.2)."""
    items = Dataset()
    items.OtherPatientIDsSequence = [an_item("LOC1")]
    encoded = DicomBytesIO()
    encoded.is_implicit_VR, encoded.is_little_endian = True, True
    write_dataset(encoded, items)
    value = encoded.getvalue()[8:]
    unknown = OTHER_IDS + b"UN\0\0" + len(value).to_bytes(4, "little") + value
    file = part10_of(a_slice(1))
    at = file.index(b"\x20\x00\x0d\x00UI")

    assert ids_of(named(file[:at] + unknown + file[at:])) == ["LOC1", INS.value]


def test_a_retired_group_length_goes_for_it_would_lie() -> None:
    file = part10_of(a_slice(1))
    at = file.index(b"\x10\x00\x10\x00PN")
    with_length = file[:at] + b"\x10\x00\x00\x00UL\x04\x00\x63\x00\x00\x00" + file[at:]

    assert named(with_length) == named(file)


def test_sequences_before_it_are_passed_over_whatever_their_length() -> None:
    inner = an_item("x", ReferencedImageSequence=[an_item("y")])
    ds = a_slice(1, ReferencedStudySequence=[inner, inner], ReferencedPatientSequence=[])
    for name in ("ReferencedStudySequence", "ReferencedPatientSequence"):
        ds[name].is_undefined_length = True
    inner["ReferencedImageSequence"].is_undefined_length = True

    assert ids_of(named(part10_of(ds))) == [INS.value]


def test_it_comes_last_where_nothing_follows() -> None:
    ds = Dataset()
    ds.SOPInstanceUID = "1.2.3"
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.PatientID = "X"

    assert ids_of(named(part10_of(ds))) == [INS.value]


@pytest.mark.parametrize(
    "header, told",
    [
        (b"\x08\x00\x05\x00CS\xff\xff", "cut short"),
        (b"\x08\x00\x05\x00CS\x02", "cut short"),
        (b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff", "cut short"),
        (b"\x08\x00\x05\x00??\x00\x00", "no VR that is known"),
        (b"\x08\x00\x05\x00CS\x00\x00" * (ELEMENTS_MAX + 1), "too many"),
        (
            b"\x10\x00\x02\x10SQ\x00\x00" + (COPIED_BYTES_MAX + 8).to_bytes(4, "little")
            + b"\xfe\xff\x00\xe0" + COPIED_BYTES_MAX.to_bytes(4, "little")
            + b"\x10\x00\x00\x40UT\x00\x00" + (COPIED_BYTES_MAX - 12).to_bytes(4, "little")
            + bytes(COPIED_BYTES_MAX - 12),
            "too much",
        ),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_read_is_refused(header: bytes, told: str) -> None:
    with pytest.raises(NotAcceptable, match=told):
        name_by_ins(memoryview(header), 0, INS)


@given(st.binary(max_size=300), st.integers(0, 300), st.binary(max_size=8))
def test_any_bytes_are_named_or_refused(more: bytes, at: int, other: bytes) -> None:
    ds = a_slice(1, OtherPatientIDsSequence=[an_item("LOC1")])
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, ds)
    broken = bytearray(buffer.getvalue()[:400])
    broken[at : at + len(other)] = other
    for header in (more, bytes(broken)):
        try:
            splice = name_by_ins(memoryview(header), 0, INS)
        except NotAcceptable:
            continue
        assert 0 <= splice.at <= splice.until <= len(header)


def test_dcmwrite_agrees_on_the_bytes() -> None:
    """What pydicom would write for the same data set, which it reads and writes as a whole."""
    expected, buffer = read(named(part10_of(a_slice(1)))), BytesIO()
    dcmwrite(buffer, expected)

    assert buffer.getvalue() == named(part10_of(a_slice(1)))
