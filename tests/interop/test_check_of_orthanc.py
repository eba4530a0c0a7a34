"""`drim-gateway check` tells whether a real PACS can be pulled from over the web."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import orthanc_plugin
from tests.support.program import HOST
from tests.support.programs import Orthanc, an_orthanc


@pytest.fixture(scope="module")
def serving_dicomweb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    options = {
        "Plugins": [str(orthanc_plugin("DicomWeb"))],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    folder = tmp_path_factory.mktemp("orthanc")
    with an_orthanc(folder, modalities={"gateway": ("DRIMBOX", 1)}, options=options) as orthanc:
        yield orthanc


@pytest.mark.parametrize(
    "path, state",
    [
        ("/dicom-web", "ok"),
        ("/dicom-web/", "ok"),
        ("", "warn"),  # Orthanc's own API, which has studies of its own kind
        ("/wado-rs", "warn"),
        ("/dicom-web/studies", "warn"),
    ],
)
def test_the_root_of_its_services_is_told_from_other_addresses(
    serving_dicomweb: Orthanc, tmp_path: Path, path: str, state: str
) -> None:
    pacs = {
        "ae_title": "ORTHANC", "host": HOST, "port": serving_dicomweb.dicom, "retrieve": "wado",
        "wado_url": f"http://{HOST}:{serving_dicomweb.http}{path}",
    }  # fmt: skip
    settings = {"GATEWAY_DATA_DIR": str(tmp_path), "GATEWAY_PACS": json.dumps([pacs])}

    checked = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--json"],
        env={**os.environ, **settings},
        capture_output=True,
        timeout=60,
        check=False,
    )

    found = {one["what"]: one["state"] for one in json.loads(checked.stdout)["findings"]}
    assert found["PACS ORTHANC, WADO-RS"] == state
    assert found["PACS ORTHANC, C-FIND"] == "ok"
