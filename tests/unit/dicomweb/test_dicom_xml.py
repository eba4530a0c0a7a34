"""Data sets as the Native DICOM Model (PS3.19 §A.1)."""

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from gateway.dicomweb.dicom_json import JsonDataSet, element
from gateway.dicomweb.dicom_xml import write_xml

MODEL = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def attributes(told: JsonDataSet) -> list[Element]:
    root = ElementTree.fromstring(write_xml(told))
    assert root.tag == f"{MODEL}NativeDicomModel"
    assert root.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
    return root.findall(f"{MODEL}DicomAttribute")


def attribute(vr: str, *values: Any, tag: str = "00204000") -> Element:
    [only] = attributes({tag: element(vr, *values)})
    return only


def test_an_attribute_is_named_by_tag_vr_and_keyword() -> None:
    assert attribute("LT", "x").attrib == {
        "tag": "00204000",
        "vr": "LT",
        "keyword": "ImageComments",
    }


def test_an_attribute_that_nobody_knows_has_no_keyword() -> None:
    assert attribute("LO", "x", tag="00180006").attrib == {"tag": "00180006", "vr": "LO"}


def test_values_are_numbered_and_an_empty_one_keeps_its_place() -> None:
    values = attribute("CS", "MPG", None, "XR3").findall(f"{MODEL}Value")

    assert [(one.get("number"), one.text) for one in values] == [
        ("1", "MPG"),
        ("2", None),
        ("3", "XR3"),
    ]


def test_an_attribute_without_a_value_has_no_children() -> None:
    assert list(attribute("CS")) == []


@pytest.mark.parametrize(
    "value, written",
    [(1.0, "1"), (0.5, "0.5"), (-1e20, "-1e20"), (1e-7, "1e-07"), (12, "12"), ("NaN", "NaN")],
)
def test_numbers_are_written_as_briefly_as_they_can(value: float | str, written: str) -> None:
    assert attribute("DS", value)[0].text == written


def test_text_comes_back_to_the_last_control_character_that_xml_can_write() -> None:
    text = " a<b>&\"c'\t\r\n\\d é 山 𝄞 "

    assert attribute("LT", text)[0].text == text


def test_what_xml_cannot_write_is_told_to_be_lost() -> None:
    assert attribute("LT", "a\x0cb\x00\ufffe")[0].text == "a\ufffdb\ufffd\ufffd"


def test_a_name_is_parted_into_its_groups_and_components() -> None:
    names = attribute("PN", "A^B^C^D^E^F==^Y", None, "=Z", tag="00101001")

    assert [
        (
            one.get("number"),
            [(group.tag, [(part.tag, part.text) for part in group]) for group in one],
        )
        for one in names
    ] == [
        (
            "1",
            [
                (
                    f"{MODEL}Alphabetic",
                    [
                        (f"{MODEL}FamilyName", "A"),
                        (f"{MODEL}GivenName", "B"),
                        (f"{MODEL}MiddleName", "C"),
                        (f"{MODEL}NamePrefix", "D"),
                        (f"{MODEL}NameSuffix", "E"),
                    ],
                ),
                (f"{MODEL}Phonetic", [(f"{MODEL}GivenName", "Y")]),
            ],
        ),
        ("2", []),
        ("3", [(f"{MODEL}Ideographic", [(f"{MODEL}FamilyName", "Z")])]),
    ]


def test_items_hold_data_sets_and_an_empty_one_holds_nothing() -> None:
    sequence = attribute("SQ", {}, {"00081155": element("UI", "1.2")}, tag="00081140")

    assert [(one.get("number"), len(one)) for one in sequence] == [("1", 0), ("2", 1)]
    assert sequence[1][0].get("keyword") == "ReferencedSOPInstanceUID"
    assert sequence[1][0][0].text == "1.2"


def test_a_private_element_names_its_creator_and_not_the_block_that_it_lies_in() -> None:
    told = {
        "00110010": element("LO", "ACME"),
        "00110011": element("LO", 'A "B"'),
        "00111001": element("LO", "v"),
        "0011111A": element("LO", "w"),
        "00131001": element("LO", "nobody's"),
        "0013000D": element("LO", "lawless"),
    }

    assert [one.attrib for one in attributes(told)] == [
        {"tag": "00110001", "vr": "LO", "privateCreator": "ACME"},
        {"tag": "0011001A", "vr": "LO", "privateCreator": 'A "B"'},
        {"tag": "0013000D", "vr": "LO"},
        {"tag": "00130001", "vr": "LO"},
    ]


def test_an_item_has_private_creators_of_its_own() -> None:
    told = {
        "00110010": element("LO", "ACME"),
        "00081140": element("SQ", {"00111001": element("LO", "v")}),
    }

    [sequence] = attributes(told)

    assert sequence[0][0].get("privateCreator") is None


def test_bytes_stand_inline_or_at_an_address() -> None:
    inline, bulk = attributes(
        {
            "00420011": {"vr": "OB", "InlineBinary": "AQI="},
            "7FE00010": {"vr": "OW", "BulkDataURI": "https://a.example/b?c=1&d=2"},
        }
    )

    assert [(one.tag, one.text) for one in inline] == [(f"{MODEL}InlineBinary", "AQI=")]
    assert [(one.tag, one.attrib) for one in bulk] == [
        (f"{MODEL}BulkData", {"uri": "https://a.example/b?c=1&d=2"})
    ]
