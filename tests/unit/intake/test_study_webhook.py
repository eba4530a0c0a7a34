"""The forms in which a PACS may be scripted to tell of studies."""

import json

import pytest

from gateway.errors import InvalidRequest
from gateway.intake.webhook import STUDIES_MAX, read_announcement

ONE, OTHER = "1.2.250.1.999.1.1", "1.2.250.1.999.1.2"

OF_ORTHANC = {
    "ID": "66c8e41e-ac3a9029-0b85e42a-8195ee0a-92c2e62e",
    "MainDicomTags": {"StudyDescription": "CRANE", "StudyInstanceUID": ONE},
    "PatientMainDicomTags": {"PatientName": "EXEMPLE^CAMILLE"},
    "Type": "Study",
}
OF_QIDO = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "EXEMPLE^CAMILLE"}]},
    "0020000D": {"vr": "UI", "Value": [ONE]},
}


@pytest.mark.parametrize(
    "told",
    [
        {"study_uid": ONE},
        {"StudyInstanceUID": ONE, "AccessionNumber": "ACC1"},
        {"StudyInstanceUID": f" {ONE} "},
        OF_ORTHANC,
        OF_QIDO,
        ONE,
        [ONE],
        [OF_QIDO, {"study_uid": ONE}],
        {"studies": [ONE]},
        {"studies": {"study_uid": ONE}},
    ],
)
def test_the_study_is_found_wherever_a_pacs_puts_it(told: object) -> None:
    assert read_announcement(json.dumps(told).encode()) == [ONE]


def test_several_studies_are_told_of_at_once_and_each_once() -> None:
    told = [{"study_uid": ONE}, OTHER, OF_QIDO]

    assert read_announcement(json.dumps(told).encode()) == [ONE, OTHER]


def test_as_many_studies_as_are_taken_may_be_told_of() -> None:
    told = [f"1.2.{number}" for number in range(STUDIES_MAX)]

    assert len(read_announcement(json.dumps(told).encode())) == STUDIES_MAX


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        b"1.2",
        b"{}",
        b"[]",
        b'{"studies": []}',
        b'{"study_uid": null}',
        b'{"study_uid": 12}',
        b'{"study_uid": ""}',
        b'{"study_uid": "EXEMPLE^CAMILLE"}',
        b'{"ID": "66c8e41e-ac3a9029-0b85e42a-8195ee0a-92c2e62e"}',
        b'{"0020000D": {"vr": "UI"}}',
        b'{"0020000D": {"vr": "UI", "Value": ["1.2", "1.3"]}}',
        b'[{"study_uid": "1.2.3"}, {"study_uid": "no"}]',
        b'{"studies": {"studies": ["1.2"]}}',
        b"[" * 500 + b"]" * 500,
        json.dumps(["1.2.3"] * (STUDIES_MAX + 1)).encode(),
    ],
)
def test_what_names_no_study_is_refused_whole_and_not_quoted(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_announcement(body)

    assert "EXEMPLE" not in str(refusal.value)
