"""What a client is told of what it stored."""

from http import HTTPStatus
from xml.etree import ElementTree

import pytest

from gateway.dicomweb.accept import Accepted
from gateway.dicomweb.dicom_xml import write_xml
from gateway.dicomweb.negotiation import JSON_TYPES, XML_TYPES, document_type
from gateway.dicomweb.store_response import (
    Failed,
    FailureReason,
    Outcome,
    Stored,
    build_response,
    status_of,
)
from gateway.errors import NotAcceptable
from indexer.contract.identifiers import Uid
from tests.support.studies import CT, SERIES, STUDY

URL = "https://gateway.example/dicom-web/studies"
STORED = Stored(study=STUDY, series=SERIES, instance=Uid(f"{SERIES}.1"), sop_class=CT)
REFUSED = Failed(
    reason=FailureReason.DATA_SET_DOES_NOT_MATCH, instance=Uid(f"{SERIES}.2"), sop_class=CT
)
UNREAD = Failed(reason=FailureReason.CANNOT_UNDERSTAND)
BUSY = Failed(
    reason=FailureReason.OUT_OF_RESOURCES, status=HTTPStatus.SERVICE_UNAVAILABLE, instance=STUDY
)


@pytest.mark.parametrize(
    "outcomes, status",
    [
        ([STORED, STORED], 200),
        ([STORED, REFUSED], 202),
        ([REFUSED, UNREAD], 409),
        ([BUSY, BUSY], 503),
        ([BUSY, STORED], 202),
        ([BUSY, REFUSED], 409),
    ],
)
def test_the_status_tells_whether_all_some_or_none_was_stored(
    outcomes: list[Outcome], status: int
) -> None:
    assert status_of(outcomes) == status


def test_each_instance_is_named_with_its_address_or_its_reason() -> None:
    told = build_response([STORED, REFUSED, UNREAD], studies_url=URL)

    assert told == {
        "00081190": {"vr": "UR", "Value": [f"{URL}/{STUDY}"]},
        "00081198": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [CT]},
                    "00081155": {"vr": "UI", "Value": [f"{SERIES}.2"]},
                    "00081197": {"vr": "US", "Value": [0xA900]},
                }
            ],
        },
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [CT]},
                    "00081155": {"vr": "UI", "Value": [f"{SERIES}.1"]},
                    "00081190": {
                        "vr": "UR",
                        "Value": [f"{URL}/{STUDY}/series/{SERIES}/instances/{SERIES}.1"],
                    },
                }
            ],
        },
        "0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xC000]}}]},
    }


def test_of_several_studies_none_is_the_answers_own() -> None:
    other = Stored(study=Uid("1.2.3"), series=SERIES, instance=SERIES, sop_class=CT)

    assert build_response([STORED, other], studies_url=URL)["00081190"] == {"vr": "UR"}


def test_the_same_is_told_in_xml() -> None:
    document = ElementTree.fromstring(write_xml(build_response([STORED, REFUSED], studies_url=URL)))

    names = {"n": "http://dicom.nema.org/PS3.19/models/NativeDICOM"}
    failed = "n:DicomAttribute[@keyword='FailedSOPSequence']/n:Item[@number='1']"
    reason = document.find(f"{failed}/n:DicomAttribute[@tag='00081197']/n:Value", names)
    assert reason is not None
    assert reason.text == str(0xA900)
    assert [one.get("tag") for one in document] == ["00081190", "00081198", "00081199"]


@pytest.mark.parametrize(
    "header, form",
    [
        (None, "application/dicom+json"),
        ("*/*", "application/dicom+json"),
        ("application/dicom+xml", "application/dicom+xml"),
        ("application/dicom+xml;q=0.5, application/json", "application/json"),
    ],
)
def test_the_answer_comes_in_the_form_that_is_accepted(header: str | None, form: str) -> None:
    assert document_type(Accepted(header), JSON_TYPES + XML_TYPES) == form


def test_no_answer_comes_in_another_form() -> None:
    with pytest.raises(NotAcceptable):
        document_type(Accepted("application/dicom"), JSON_TYPES + XML_TYPES)
