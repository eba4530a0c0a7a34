"""The simulated PACS compares as PS3.4 §C.2.2.2 says."""

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement

from simulators.imaging_centre.matching import matches


def key(keyword: str, value: object) -> DataElement:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return DataElement(tag, dictionary_VR(tag), value)


@pytest.mark.parametrize(
    "keyword, wanted, value, does",
    [
        ("PatientID", "", "A1", True),
        ("PatientID", "A1", "A1", True),
        ("PatientID", "A1", "a1", False),
        ("PatientID", "A*", "A123", True),
        ("PatientID", "A?", "A123", False),
        ("PatientID", "A.1", "AB1", False),
        ("PatientName", "fictif^zoé", "FICTIF^ZOÉ", True),
        ("PatientName", "FICTIF*", "Fictif^Zoé", True),
        ("StudyInstanceUID", "1.2", "1.2", True),
        ("StudyInstanceUID", ["1.2", "1.3"], "1.3", True),
        ("StudyInstanceUID", ["1.2", "1.3"], "1.4", False),
        ("StudyDate", "20250101-20250131", "20250115", True),
        ("StudyDate", "20250101-20250131", "20250201", False),
        ("StudyDate", "-20250131", "20241231", True),
        ("StudyDate", "20250101-", "20241231", False),
        ("StudyDate", "20250101-", "", False),
    ],
)
def test_a_value_matches_a_key(keyword: str, wanted: object, value: str, does: bool) -> None:
    assert matches(key(keyword, wanted), [value]) is does


def test_one_of_several_values_is_enough() -> None:
    assert matches(key("ModalitiesInStudy", "CT"), ["KO", "CT"])
    assert not matches(key("ModalitiesInStudy", "MR"), ["KO", "CT"])
