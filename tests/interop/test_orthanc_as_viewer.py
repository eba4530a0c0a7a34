"""Orthanc's DICOMweb plug-in, as a client, searches the gateway and fetches from it."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.interop import dcmtk
from tests.interop.instances import Instance
from tests.interop.studies import Study, a_study
from tests.interop.wire import ANSWER_WITHIN_S
from tests.support.peers import orthanc_plugin
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import Gateway, Orthanc, an_orthanc


@pytest.fixture(scope="module")
def studies(open_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    """By modality: native, RLE, and an X-ray."""
    folder = tmp_path_factory.mktemp("sent")
    made = {modality: a_study(folder, modality) for modality in ("CT", "US", "CR")}
    for study in made.values():
        run = dcmtk.run("dcmsend", *dcmtk.called(open_gateway.dicom), *study.files)
        assert run.returncode == 0, run.stdout
    return made


@pytest.fixture(scope="module")
def orthanc(
    open_gateway: Gateway, studies: dict[str, Study], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Orthanc]:
    """An Orthanc that holds nothing and knows the gateway as a DICOMweb server."""
    server = {"Url": f"{open_gateway.dicomweb}/", "HasDelete": False}
    options = {
        "Plugins": [str(orthanc_plugin("DicomWeb"))],
        "DicomWeb": {"Enable": True, "Servers": {"gateway": server}},
    }
    folder = tmp_path_factory.mktemp("orthanc-views")
    nobody = {"nobody": ("NOBODY", free_port())}
    reaches = [open_gateway.http]
    with an_orthanc(folder, modalities=nobody, options=options, reaches=reaches) as running:
        yield running


def told(orthanc: Orthanc, method: str, path: str, body: object = None) -> bytes:
    """What its own API answers."""
    connection = HTTPConnection(HOST, orthanc.http, timeout=ANSWER_WITHIN_S)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    assert response.status == 200, content
    return content


def of_gateway(orthanc: Orthanc, act: str, body: object) -> Any:
    return json.loads(told(orthanc, "POST", f"/dicom-web/servers/gateway/{act}", body))


@pytest.mark.parametrize("modality", ["CT", "US", "CR"])
def test_it_fetches_a_study_as_it_was_sent(
    orthanc: Orthanc, studies: dict[str, Study], modality: str
) -> None:
    study = studies[modality]

    wanted = {"Resources": [{"Study": study.uid}], "Synchronous": True}
    of_gateway(orthanc, "retrieve", wanted)

    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study.uid}}
    found = json.loads(told(orthanc, "POST", "/tools/find", query))
    files = [told(orthanc, "GET", f"/instances/{one}/file") for one in found]
    came = {one.sop_instance: one.digest for one in map(Instance.of, files)}
    assert came == study.digests


def test_it_fetches_one_series_and_one_instance(
    orthanc: Orthanc, studies: dict[str, Study]
) -> None:
    first = studies["CT"].instances[0]
    series = {"Study": studies["CT"].uid, "Series": str(first.header.SeriesInstanceUID)}

    whole = of_gateway(orthanc, "retrieve", {"Resources": [series], "Synchronous": True})
    instance = {**series, "Instance": first.sop_instance}
    one = of_gateway(orthanc, "retrieve", {"Resources": [instance], "Synchronous": True})

    assert int(whole["ReceivedInstancesCount"]) == 5
    assert int(one["ReceivedInstancesCount"]) == 1


def test_it_searches(orthanc: Orthanc, studies: dict[str, Study]) -> None:
    patient = studies["CT"].examination.patient.local_id

    found = of_gateway(orthanc, "qido", {"Uri": "/studies", "Arguments": {"PatientID": patient}})

    assert [one["0020000D"]["Value"] for one in found] == [studies["CT"].uid]


def test_it_passes_on_what_it_gets(orthanc: Orthanc, studies: dict[str, Study]) -> None:
    study = studies["CT"]

    metadata = of_gateway(orthanc, "get", {"Uri": f"/studies/{study.uid}/metadata"})

    assert {one["00080018"]["Value"][0] for one in metadata} == set(study.digests)
