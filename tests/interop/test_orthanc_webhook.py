"""Orthanc tells of its studies by the scripts that the operations manual prints."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.synthetic.identity import ACCESSION_ISSUER, PATIENT_ID_ISSUER
from tests.interop import dcmtk
from tests.interop.studies import a_study, assert_names_nobody, published, standing, until
from tests.interop.wire import asked, told
from tests.support.peers import ROOT, orthanc_plugin
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import Gateway, Index, Orthanc, a_gateway, an_orthanc

MANUAL = ROOT / "docs" / "operations.md"
ADDRESS = "http://127.0.0.1:8080"


def script(language: str, port: int) -> str:
    """The manual's only script in this language that asks a gateway, with its address in it."""
    scripts = re.findall(rf"```{language}\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    [found] = [one for one in scripts if ADDRESS in one]
    return str(found).replace(ADDRESS, f"http://{HOST}:{port}")


def lua(folder: Path, port: int) -> dict[str, object]:
    path = folder / "told.lua"
    path.write_text(script("lua", port))
    return {"LuaScripts": [str(path)]}


def python(folder: Path, port: int) -> dict[str, object]:
    path = folder / "told.py"
    path.write_text(script("python", port))
    return {"Plugins": [str(orthanc_plugin("Python"))], "PythonScript": str(path)}


@pytest.fixture(scope="module", params=[lua, python], ids=["lua", "python"])
def pair(
    request: pytest.FixtureRequest, index: Index, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Orthanc]]:
    """A gateway, and the PACS that tells it of its studies."""
    folder = tmp_path_factory.mktemp("told")
    http, dicom = free_port(), free_port()
    options = request.param(folder, http) | {"StableAge": 1}
    modalities = {"gateway": ("DRIMBOX", dicom), "modality": ("STORESCU", free_port())}
    with an_orthanc(folder, modalities=modalities, options=options, reaches=[http]) as orthanc:
        pacs = {
            "ae_title": "ORTHANC",
            "host": HOST,
            "port": orthanc.dicom,
            "patient_id_issuer": PATIENT_ID_ISSUER,
            "accession_issuer": ACCESSION_ISSUER,
        }
        settings = {"GATEWAY_INDEX_URL": index.url, "GATEWAY_PACS": json.dumps([pacs])}
        with a_gateway(folder, settings=settings, http=http, dicom=dicom) as gateway:
            yield gateway, orthanc
            assert_names_nobody(gateway.program)


def test_a_reported_study_is_published_as_soon_as_orthanc_tells_of_it(
    pair: tuple[Gateway, Orthanc], tmp_path: Path
) -> None:
    gateway, orthanc = pair
    study = a_study(tmp_path, "CT")
    told(gateway.mllp, study.report)
    until(lambda: standing(gateway, study).get("code") == "images")

    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    pointer = published(gateway, study)

    assert pointer["study_uid"] == study.uid


def test_being_told_again_makes_no_other_revision(
    pair: tuple[Gateway, Orthanc], tmp_path: Path
) -> None:
    gateway, orthanc = pair
    study, later = a_study(tmp_path, "CR"), a_study(tmp_path, "CR")
    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    told(gateway.mllp, study.report)
    published(gateway, study)

    for _ in range(3):
        answer = asked(
            gateway.http, "/notifications/studies", method="POST", body={"study_uid": study.uid}
        )
        assert answer.status == 202
    dcmtk.archived(orthanc.dicom, "ORTHANC", *later.files)
    told(gateway.mllp, later.report)
    published(gateway, later)

    row = standing(gateway, study)
    assert (row["state"], row["revision"]) == ("published", 1)


def test_what_a_search_answers_is_a_notification(
    pair: tuple[Gateway, Orthanc], tmp_path: Path
) -> None:
    gateway, orthanc = pair
    study = a_study(tmp_path, "CR")
    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    told(gateway.mllp, study.report)
    published(gateway, study)

    found = asked(gateway.http, f"/dicom-web/studies?StudyInstanceUID={study.uid}").json
    answer = asked(gateway.http, "/notifications/studies", method="POST", body=found)

    assert answer.status == 202
    assert answer.json == {"announced": 1}
