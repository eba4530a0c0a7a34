"""A header, element by element."""

from io import BytesIO

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.retrieval.forms.header import Header


def an_image() -> Dataset:
    icon = Dataset()
    icon.Rows = 1
    icon.PixelData = b"\1\2"
    ds = Dataset()
    ds.PatientID = "12345"
    ds.Rows = 7
    ds.IconImageSequence = Sequence([icon])
    ds.PixelData = b"\3\4\5\6"
    ds.DataSetTrailingPadding = bytes(8)
    ds["PixelData"].VR = icon["PixelData"].VR = "OW"
    return ds


def bytes_of(ds: Dataset, syntax: str) -> memoryview:
    written = BytesIO()
    implicit = syntax == ImplicitVRLittleEndian
    dcmwrite(written, ds, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return memoryview(written.getvalue())


def written(header: Header) -> Dataset:
    target = BytesIO()
    header.write(target)
    target.seek(0)
    return read_dataset(target, is_implicit_VR=False, is_little_endian=True)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_header_is_what_stands_before_the_pixels(syntax: str) -> None:
    source = bytes_of(an_image(), syntax)

    header = Header.read(source)

    expected = an_image()
    del expected.PixelData
    del expected.DataSetTrailingPadding
    assert written(header) == expected
    assert header.pixels is not None
    assert bytes(source[header.pixels.at :][: header.pixels.size_bytes]) == b"\3\4\5\6"


def test_the_pixels_of_an_icon_stay_with_it() -> None:
    ds = an_image()
    del ds.PixelData

    header = Header.read(bytes_of(ds, ExplicitVRLittleEndian))

    assert header.pixels is None
    assert written(header).IconImageSequence[0].PixelData == b"\1\2"


def test_what_is_said_anew_stands_in_its_place() -> None:
    header = Header.read(bytes_of(an_image(), ExplicitVRLittleEndian))

    header.put(0x00280010, "US", b"\x09\x00")
    header.put(0x00280004, "CS", b"RGB")

    again = written(header)
    assert again.Rows == 9
    assert again.PhotometricInterpretation == "RGB"
    assert [element.tag for element in again] == sorted(element.tag for element in again)


def test_an_overlay_within_the_pixels_is_found() -> None:
    ds = an_image()
    ds.add_new(0x60000102, "US", 12)

    assert Header.read(bytes_of(ds, ExplicitVRLittleEndian)).has_overlay_in_pixels
    ds.add_new(0x60003000, "OW", b"\0\0")
    assert not Header.read(bytes_of(ds, ExplicitVRLittleEndian)).has_overlay_in_pixels
