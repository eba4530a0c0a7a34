"""Whatever is asked, sent or broken: no log, metric or refusal names a patient or a study."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.interop import dcmtk
from tests.interop.studies import (
    Study,
    a_study,
    assert_names_nobody,
    published,
    secrets_in,
    standing,
    until,
)
from tests.interop.wire import AS_STORED, INSTANCES, Answer, asked, told
from tests.support.programs import Gateway, Index, a_gateway, an_index


@pytest.fixture
def quiet_index(tmp_path: Path) -> Iterator[Index]:
    with an_index(tmp_path) as running:
        yield running


@pytest.fixture
def quiet_gateway(tmp_path: Path, quiet_index: Index) -> Iterator[Gateway]:
    settings = {"GATEWAY_STUDY_SETTLE_S": "0.1", "GATEWAY_INDEX_URL": quiet_index.url}
    with a_gateway(tmp_path, settings=settings) as running:
        yield running


def test_no_log_metric_or_refusal_names_anyone(
    quiet_gateway: Gateway, quiet_index: Index, tmp_path: Path
) -> None:
    right, wrong = a_study(tmp_path, "CT"), a_study(tmp_path, "CR")

    associate(quiet_gateway, right, wrong)
    acknowledgements = report(quiet_gateway, right, wrong)
    published(quiet_gateway, right)
    until(lambda: standing(quiet_gateway, wrong).get("state") == "set_aside")
    answers = ask(quiet_gateway, quiet_index, right)
    refused = [one for one in answers if one.status >= 400]
    metrics = [asked(one.http, "/metrics") for one in (quiet_gateway, quiet_index)]

    assert len(refused) > 20
    assert max(one.status for one in refused) < 500
    assert [one for one in refused + metrics if secrets_in(one.body.decode())] == []
    assert [secrets_in(one.split("MSA|")[1]) for one in acknowledgements] == [[]] * 7
    assert_names_nobody(quiet_gateway.program)
    assert_names_nobody(quiet_index.program)
    # A line that is no event of ours was written by a library, in words of its own.
    assert all(json.loads(line) for line in quiet_gateway.program.log.splitlines())


def associate(gateway: Gateway, right: Study, wrong: Study) -> None:
    """Store both studies, and call by titles that are a patient's."""
    to = dcmtk.called(gateway.dicom)
    patient = right.examination.patient
    dcmtk.run("dcmsend", *to, *right.files, *wrong.files)
    dcmtk.run("echoscu", "-aet", patient.local_id, *to)
    dcmtk.run("echoscu", *dcmtk.called(gateway.dicom, title=patient.ins))


def report(gateway: Gateway, right: Study, wrong: Study) -> list[str]:
    """One report that is published, one that is set aside, and five that are refused."""
    patient = wrong.examination.patient
    name, ins = patient.birth_name.encode(), patient.ins.encode()
    return told(
        gateway.mllp,
        right.report,
        wrong.report.replace(b"|VALI", b"|PROV"),
        wrong.report.replace(b"ORU^R01", ins),
        wrong.report.replace(b"|2.5|", b"|" + name + b"|"),
        wrong.report.replace(b"UNICODE UTF-8", name),
        wrong.report.replace(b"^Base64^", b"^Base64^!" + ins),
        name,
    )


def ask(gateway: Gateway, index: Index, study: Study) -> list[Answer]:
    """Put the patient and the study wherever a request can hold a text."""
    patient = study.examination.patient
    name, ins = quote(patient.birth_name), patient.ins
    paths = (
        f"/dicom-web/studies/{study.uid}",
        f"/dicom-web/studies/{study.uid}.1",
        f"/dicom-web/studies/{name}",
        f"/dicom-web/studies?PatientID={patient.local_id}",
        f"/dicom-web/studies?PatientName={name}",
        f"/dicom-web/studies?StudyInstanceUID={ins}x",
        f"/dicom-web/studies?limit={ins}x",
        f"/api/studies?limit={ins}",
        f"/api/pointers/{ins}",
        f"/{name}",
    )
    ranges = (AS_STORED, INSTANCES, ins, f"image/{ins}")
    bodies: tuple[object, ...] = (
        {"ins": ins, "oid": patient.birth_name},
        {"ins": [ins]},
        {patient.birth_name: ins},
        [ins],
    )
    queries = (f"patient.identifier={ins}", f"{ins}={ins}", f"status={ins}")
    search = "/api/pointers/search"
    return [
        *(asked(gateway.http, path, accept=one) for path in paths for one in ranges),
        *(asked(gateway.http, search, method="POST", body=body) for body in bodies),
        asked(gateway.http, f"/{ins}", method=ins),
        *(asked(index.http, f"/fhir/DocumentReference?{query}") for query in queries),
    ]
