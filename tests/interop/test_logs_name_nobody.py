"""Whatever is asked, sent or broken: no log, metric or refusal names a patient or a study."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.interop import dcmtk
from tests.interop.studies import a_study, assert_names_nobody, published, secrets_in, standing
from tests.interop.studies import until as wait_until
from tests.interop.wire import AS_STORED, INSTANCES, Answer, asked, told
from tests.support.programs import a_gateway, an_index


@pytest.fixture
def refusals() -> list[Answer]:
    return []


def test_no_log_metric_or_refusal_names_anyone(tmp_path: Path, refusals: list[Answer]) -> None:
    told_right, told_wrong = a_study(tmp_path, "CT"), a_study(tmp_path, "CR")
    patient = told_right.examination.patient
    settings = {"GATEWAY_STUDY_SETTLE_S": "0.1"}
    with an_index(tmp_path) as index:
        settings["GATEWAY_INDEX_URL"] = index.url
        with a_gateway(tmp_path, settings=settings) as gateway:
            to = dcmtk.called(gateway.dicom)
            dcmtk.run("dcmsend", *to, *told_right.files, *told_wrong.files)
            dcmtk.run("echoscu", "-aet", patient.local_id[:16], *to)
            dcmtk.run("echoscu", *dcmtk.called(gateway.dicom, title=patient.ins))

            acknowledgements = told(
                gateway.mllp,
                told_right.report,
                told_wrong.report.replace(b"|VALI", b"|PROV"),
                told_wrong.report.replace(b"ORU^R01", patient.ins.encode()),
                told_wrong.report.replace(b"|2.5|", f"|{patient.birth_name}|".encode()),
                told_wrong.report.replace(b"UNICODE UTF-8", patient.birth_name.encode()),
                told_wrong.report.replace(b"^Base64^", b"^Base64^!" + patient.ins.encode()),
                patient.birth_name.encode(),
            )
            published(gateway, told_right)
            wait_until(lambda: standing(gateway, told_wrong).get("state") == "set_aside")

            study, ins = told_right.uid, quote(patient.ins)
            for path in (
                f"/dicom-web/studies/{study}",
                f"/dicom-web/studies/{study}.1",
                f"/dicom-web/studies/{quote(patient.birth_name)}",
                f"/dicom-web/studies?PatientID={patient.local_id}",
                f"/dicom-web/studies?PatientName={quote(patient.birth_name)}",
                f"/dicom-web/studies?StudyInstanceUID={ins}x",
                f"/dicom-web/studies?limit={ins}x",
                f"/api/studies?limit={ins}",
                f"/{quote(patient.birth_name)}",
                f"/api/pointers/{ins}",
            ):
                for accept in (AS_STORED, INSTANCES, patient.ins, f"image/{patient.ins}"):
                    refusals.append(asked(gateway.http, path, accept=accept))
            for body in (
                {"ins": patient.ins, "oid": patient.birth_name},
                {"ins": [patient.ins]},
                {patient.birth_name: patient.ins},
                [patient.ins],
            ):
                path = "/api/pointers/search"
                refusals.append(asked(gateway.http, path, method="POST", body=body))
            refusals.append(asked(gateway.http, f"/{ins}", method=patient.ins))
            for query in (f"patient.identifier={ins}", f"{ins}={ins}", f"status={ins}"):
                refusals.append(asked(index.http, f"/fhir/DocumentReference?{query}"))
            metrics = [asked(one.http, "/metrics") for one in (gateway, index)]

            assert_names_nobody(gateway.program)
            assert_names_nobody(index.program)

    refused = [one for one in refusals if one.status >= 400]
    assert len(acknowledgements) == 7
    assert len(refused) > 20
    assert max(one.status for one in refused) < 500
    assert [one for one in refused + metrics if secrets_in(one.body.decode())] == []
    assert secrets_in("".join(one.split("MSA|")[1] for one in acknowledgements)) == []
