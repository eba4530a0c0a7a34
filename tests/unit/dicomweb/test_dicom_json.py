"""Data sets as DICOM JSON (PS3.18 Annex F)."""

import struct
from typing import Any

import orjson
import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from gateway.dicomweb.dicom_json import NESTING_MAX, PARTS_MAX, element, write_json

ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def an_element(vr: str, value: bytes, tag: bytes = b"\x09\0\x01\x10") -> bytes:
    if vr in ("OB", "OW", "UC", "UN", "UR", "UT", "SV", "UV", "OD", "OF"):
        return tag + vr.encode() + struct.pack("<HI", 0, len(value)) + value
    return tag + vr.encode() + struct.pack("<H", len(value)) + value


def told(source: bytes) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(write_json(source))
    return content


@pytest.mark.parametrize(
    "vr, value, expected",
    [
        ("CS", b"CT\\MR ", ["CT", "MR"]),
        ("CS", b"\\AXIAL", [None, "AXIAL"]),
        ("LO", b" A ", ["A"]),
        ("LT", b" A\\B ", [" A\\B"]),
        ("UI", b"1.2.3\0", ["1.2.3"]),
        ("IS", b"+12 ", [12]),
        ("IS", b"1A\\2", [None, 2]),
        ("DS", b"0.50\\-1e3\\12 ", [0.5, -1000.0, 12.0]),
        ("DS", b"1,5\\NaN\\1e999", [None, None, None]),
        ("US", b"\x01\x02", [513]),
        ("SS", b"\xff\xff", [-1]),
        ("FL", struct.pack("<3f", 1.5, float("nan"), float("-inf")), [1.5, "NaN", "-inf"]),
        ("SV", struct.pack("<2q", 2**53, -(2**53) - 1), [2**53, "-9007199254740993"]),
        ("AT", b"\x10\x00\x2d\xab", ["0010AB2D"]),
        ("PN", b"A^B=C=D", [{"Alphabetic": "A^B", "Ideographic": "C", "Phonetic": "D"}]),
        ("PN", b"=C\\A", [{"Ideographic": "C"}, {"Alphabetic": "A"}]),
    ],
)
def test_values_are_given_as_the_annex_says(vr: str, value: bytes, expected: list[Any]) -> None:
    assert told(an_element(vr, value)) == {"00091001": {"vr": vr, "Value": expected}}


def test_bytes_are_given_inline() -> None:
    content = told(an_element("OB", b"\x01\x02"))

    assert content == {"00091001": {"vr": "OB", "InlineBinary": "AQI="}}


@pytest.mark.parametrize("value", [b"", b"  "])
def test_an_empty_attribute_has_its_vr_alone(value: bytes) -> None:
    assert told(an_element("LO", value)) == {"00091001": {"vr": "LO"}}


def test_texts_are_given_in_utf_8_and_say_so() -> None:
    source = an_element("CS", b"ISO_IR 100", b"\x08\0\x05\0") + an_element("LO", b"cr\xe2ne")

    assert told(source) == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00091001": {"vr": "LO", "Value": ["crâne"]},
    }


def test_a_backslash_within_a_multi_byte_character_parts_nothing() -> None:
    character = b"\x81\x5c"  # of GB18030
    source = an_element("CS", b"GB18030 ", b"\x08\0\x05\0")
    source += an_element("LO", character + b"\\A")

    assert told(source)["00091001"]["Value"] == [character.decode("gb18030"), "A"]


def test_a_standard_element_that_its_writer_did_not_know_is_read() -> None:
    source = an_element("UN", b"12", b"\x20\0\x13\0")

    assert told(source) == {"00200013": {"vr": "IS", "Value": [12]}}


def test_items_inherit_the_character_set_and_may_be_empty() -> None:
    item = an_element("LO", b"\xe2 ")
    source = (
        an_element("CS", b"ISO_IR 100", b"\x08\0\x05\0")
        + SEQUENCE + ITEM + item + ITEM_END + ITEM + ITEM_END + SEQUENCE_END
    )  # fmt: skip

    sequence = told(source)["00081140"]

    assert sequence == {"vr": "SQ", "Value": [{"00091001": {"vr": "LO", "Value": ["â"]}}, {}]}


@pytest.mark.parametrize(
    "source",
    [
        b"\x08\0",
        an_element("LO", b"AB")[:-1],
        SEQUENCE,
        SEQUENCE + ITEM,
        (SEQUENCE + ITEM) * (NESTING_MAX + 2),
    ],
)
def test_what_is_no_data_set_is_refused(source: bytes) -> None:
    with pytest.raises(ValueError, match=r"short|end|deeply"):
        write_json(source)


def test_a_general_library_reads_it_back() -> None:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = "Œuvrée^Anaïs=山田"
    ds.ImagePositionPatient = [1.25, -3, 0]
    ds.ImageType = ["ORIGINAL", "", "AXIAL"]
    ds.Rows = 512
    ds.FrameIncrementPointer = 0x00181063
    ds.ReferencedSeriesSequence = [Dataset()]
    ds.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
    ds["ReferencedSeriesSequence"].is_undefined_length = True
    ds.ReferencedSeriesSequence[0].is_undefined_length_sequence_item = True

    assert Dataset.from_json(write_json(_explicit(ds)).decode()) == ds


def test_attributes_of_our_own_follow_the_same_rules() -> None:
    assert element("LO", "") == {"vr": "LO"}
    assert element("IS", None) == {"vr": "IS"}
    assert element("CS") == {"vr": "CS"}
    assert element("PN", "A^B") == {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}


def _explicit(ds: Dataset) -> bytes:
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_dataset(file, ds)
    return file.getvalue()


@pytest.mark.parametrize(
    "source",
    [
        b"".join(
            an_element("PN", b"a\\" * 32_000, struct.pack("<HH", 9, 0x1000 + number))
            for number in range(PARTS_MAX // 32_000 + 1)
        ),
        SEQUENCE + (ITEM + ITEM_END) * (PARTS_MAX + 1) + SEQUENCE_END,
    ],
    ids=["values", "items"],
)
def test_a_data_set_of_too_many_parts_is_refused(source: bytes) -> None:
    with pytest.raises(ValueError, match="parts"):
        write_json(source)
