"""The table of cases in which a report and its images belong together, or do not."""

from typing import Any

import pytest

from gateway.model.agreement import identity_agrees
from gateway.model.image import NOBODY
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins, Oid
from tests.support.studies import ACCESSION, INS, LOCAL_ID, a_patient, a_report, an_image

OTHER_INS = Ins(value="279035121518989", oid=INS.oid)
SAME_NUMBER_ELSEWHERE = Ins(value=INS.value, oid=Oid("1.2.250.1.213.1.4.8"))
NAMELESS = Identifier(value=LOCAL_ID.value)
ELSEWHERE = Identifier(value=LOCAL_ID.value, authority="1.2.3")
SOMEONE = Identifier(value="LOC901", authority=LOCAL_ID.authority)
ANOTHER_ACCESSION = Identifier(value="ACC2", authority=ACCESSION.authority)

AGREE: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "all the same": ({}, [{}]),
    "images name no issuer": ({}, [{"patient": {"local_id": NAMELESS}}]),
    "the report names no issuer": ({"patient": a_patient(local_ids=(NAMELESS,))}, [{}]),
    "the report has a second local id": (
        {"patient": a_patient(local_ids=(SOMEONE, LOCAL_ID))},
        [{}],
    ),
    "PID has no local id": ({"announced": a_patient(local_ids=())}, [{}]),
    "images have no birth date": ({}, [{"patient": {"birth_date": ""}}]),
    "the report's birth date is a year": ({"patient": a_patient(birth_date="1955")}, [{}]),
    "images do not know the sex": ({}, [{"patient": {"sex": "O"}}]),
    "PID does not know the sex": ({"announced": a_patient(sex="U")}, [{}]),
    "images are called otherwise": ({}, [{"patient": {"name": "ESSAI^LOU"}}]),
    "images have no accession": ({}, [{"accession": NOBODY}]),
    "one image has no accession": ({}, [{}, {"accession": NOBODY}]),
    "the accession's issuer is not named": ({}, [{"accession": Identifier(value="ACC1")}]),
    "the report lists two accessions": (
        {"accessions": (ANOTHER_ACCESSION, ACCESSION)},
        [{}, {"accession": ANOTHER_ACCESSION}],
    ),
}

DISAGREE: dict[str, tuple[dict[str, Any], list[dict[str, Any]], str]] = {
    "another INS in PID": ({"announced": a_patient(ins=OTHER_INS)}, [{}], "report_inconsistent"),
    "no INS in PID": ({"announced": a_patient(ins=None)}, [{}], "report_inconsistent"),
    "the INS of another authority in PID": (
        {"announced": a_patient(ins=SAME_NUMBER_ELSEWHERE)},
        [{}],
        "report_inconsistent",
    ),
    "another local id in PID": (
        {"announced": a_patient(local_ids=(SOMEONE,))},
        [{}],
        "report_inconsistent",
    ),
    "another birth date in PID": (
        {"announced": a_patient(birth_date="19550518")},
        [{}],
        "report_inconsistent",
    ),
    "another sex in PID": ({"announced": a_patient(sex="F")}, [{}], "report_inconsistent"),
    "images of someone else": ({}, [{"patient": {"local_id": SOMEONE}}], "patient_differs"),
    "images of two patients": ({}, [{}, {"patient": {"local_id": SOMEONE}}], "patient_differs"),
    "images of nobody": ({}, [{"patient": {"local_id": NOBODY}}], "patient_differs"),
    "one image of nobody": ({}, [{}, {"patient": {"local_id": NOBODY}}], "patient_differs"),
    "the same id of another issuer": (
        {},
        [{"patient": {"local_id": ELSEWHERE}}],
        "patient_differs",
    ),
    "the report has no local id": ({"patient": a_patient(local_ids=())}, [{}], "patient_differs"),
    "images of another birth date": (
        {},
        [{"patient": {"birth_date": "19550518"}}],
        "patient_differs",
    ),
    "images of the other sex": ({}, [{"patient": {"sex": "F"}}], "patient_differs"),
    "one image of the other sex": ({}, [{}, {"patient": {"sex": "F"}}], "patient_differs"),
    "another accession": ({}, [{"accession": ANOTHER_ACCESSION}], "accession_differs"),
    "one image of another accession": (
        {},
        [{}, {"accession": ANOTHER_ACCESSION}],
        "accession_differs",
    ),
    "the same accession of another issuer": (
        {},
        [{"accession": Identifier(value="ACC1", authority="1.2.3")}],
        "accession_differs",
    ),
    "the report lists no accession": ({"accessions": ()}, [{}], "accession_differs"),
}


@pytest.mark.parametrize("case", AGREE)
def test_report_and_images_agree_when(case):
    report, images = AGREE[case]

    assert identity_agrees(a_report(**report), [an_image(**dict(one)) for one in images]) is None


@pytest.mark.parametrize("case", DISAGREE)
def test_report_and_images_disagree_when(case):
    report, images, code = DISAGREE[case]

    found = identity_agrees(a_report(**report), [an_image(**dict(one)) for one in images])

    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("case", DISAGREE)
def test_a_reason_holds_no_patient_data(case):
    report, images, _code = DISAGREE[case]

    found = identity_agrees(a_report(**report), [an_image(**dict(one)) for one in images])

    assert found is not None
    for secret in (INS.value, OTHER_INS.value, "LOC90", "1955", "EXEMPLE", "ACC"):
        assert secret not in found.reason
