"""A manifest's data set is read as pydicom reads it, whatever its encoding."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue

from gateway.errors import InvalidRequest
from gateway.manifest.data_set import DataSet, holding, read_data_set

TEXTS = {
    "PatientName": st.sampled_from(["DUPONT^Zoé", "Ŵ^é=山田^太郎", "", "A^B"]),
    "StudyDescription": st.sampled_from(["IRM du genou", "Crâne\\face", " x ", ""]),
    "TextValue": st.sampled_from(["un\\deux", "Œdème", "a\r\nb"]),
    "SOPInstanceUID": st.sampled_from(["1.2.3", "1.2.34"]),
    "InstanceNumber": st.sampled_from(["1", "12 ", ""]),
    "OtherPatientNames": st.sampled_from([["A^B", "C^D"], ["A^B"]]),
    "RetrieveURL": st.sampled_from(["https://a.example/x", "https://a.example/xy"]),
}
UNREAD = {
    "PixelPaddingValue": st.just(5),
    "PatientWeight": st.just("70"),
    "EncapsulatedDocument": st.just(b"\0\1\xfe\xff\x0d\xe0"),
}
SEQUENCES = ("ContentSequence", "ReferencedSOPSequence")


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 3) -> Dataset:
    ds = Dataset()
    for keyword, values in {**TEXTS, **UNREAD}.items():
        if draw(st.booleans()):
            setattr(ds, keyword, draw(values))
    for keyword in SEQUENCES if depth else ():
        if draw(st.booleans()):
            setattr(ds, keyword, draw(st.lists(data_sets(depth - 1), max_size=3)))
            ds[keyword].is_undefined_length = draw(st.booleans())
            for item in ds[keyword].value:
                item.is_undefined_length_sequence_item = draw(st.booleans())
    return ds


def encoded(ds: Dataset, *, implicit: bool, little_endian: bool) -> bytes:
    file = DicomIO(buffer := io.BytesIO())
    file.is_implicit_VR, file.is_little_endian = implicit, little_endian
    write_dataset(file, ds)
    return buffer.getvalue()


def expected(ds: Dataset) -> dict[str, object]:
    """What pydicom has, in the way in which ours tells it."""
    told: dict[str, object] = {}
    for keyword in TEXTS:
        value = ds.get(keyword)
        several = list(value) if isinstance(value, MultiValue) else [value]
        told[keyword] = str(several[0]).strip(" \0") if several and several[0] is not None else ""
    for keyword in SEQUENCES:
        told[keyword] = [expected(item) for item in ds.get(keyword) or []]
    return told


def read(ds: DataSet) -> dict[str, object]:
    told: dict[str, object] = {keyword: ds.text(keyword) for keyword in TEXTS}
    return {**told, **{keyword: [read(one) for one in ds.items(keyword)] for keyword in SEQUENCES}}


@pytest.mark.parametrize("implicit, little_endian", [(True, True), (False, True), (False, False)])
@given(ds=data_sets())
def test_a_data_set_is_read_as_pydicom_reads_it(
    implicit: bool, little_endian: bool, ds: Dataset
) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    data = encoded(ds, implicit=implicit, little_endian=little_endian)

    ours = read_data_set(data, 0, implicit=implicit, little_endian=little_endian)

    assert read(ours) == expected(ds)


@pytest.mark.parametrize("implicit, little_endian", [(True, True), (False, True), (False, False)])
@given(ds=data_sets(), keyword=st.sampled_from([*TEXTS, "ReferencedSOPSequence"]))
def test_the_items_that_hold_an_element_are_found(
    implicit: bool, little_endian: bool, ds: Dataset, keyword: str
) -> None:
    data = encoded(ds, implicit=implicit, little_endian=little_endian)
    document = read_data_set(data, 0, implicit=implicit, little_endian=little_endian)
    items = document.items("ContentSequence")
    below = [each for one in items for each in one.items("ContentSequence")]

    assert holding(items, keyword) == [one for one in items if keyword in one]
    assert holding(below, keyword) == [one for one in below if keyword in one]


@given(ds=data_sets(), data=st.data())
def test_a_data_set_that_is_cut_within_an_element_is_refused(
    ds: Dataset, data: st.DataObject
) -> None:
    ds.StudyID = "last"
    whole = encoded(ds, implicit=False, little_endian=True)
    end = data.draw(st.integers(len(whole) - 11, len(whole) - 1))

    with pytest.raises(InvalidRequest):
        read_data_set(whole[:end], 0)


def test_texts_in_a_character_set_with_escapes_are_read() -> None:
    ds = Dataset()
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.PatientName = "Yamada^Tarou=山田^太郎"

    assert read_data_set(encoded(ds, implicit=True, little_endian=True), 0, implicit=True).text(
        "PatientName"
    ) == str(ds.PatientName)
