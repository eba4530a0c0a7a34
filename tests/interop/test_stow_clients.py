"""Clients of others push instances over the web: the Imaging Data Commons' and Orthanc's."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from simulators.digest import digest_of
from tests.interop.instances import Instance
from tests.interop.studies import a_study, assert_names_nobody, fetched, published
from tests.interop.wire import ANSWER_WITHIN_S, AS_STORED, Answer, asked, segment, told
from tests.support.peers import orthanc_plugin, shared_data
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import Gateway, Index, Orthanc, a_gateway, an_orthanc

REFUSED = {
    "HTJ2KLossless_08_RGB.dcm",
    "HTJ2K_08_RGB.dcm",
    "JLSL_08_07_0_1F.dcm",
    "JLSL_16_15_1_1F.dcm",
    "JLSL_RGB_ILV0.dcm",
    "JLSL_RGB_ILV1.dcm",
    "JLSL_RGB_ILV2.dcm",
    "JLSN_RGB_ILV0.dcm",
    "JPEGLosslessP14SV1_1s_1f_u_16_16.dcm",
    "OT-PAL-8-face.dcm",
    "bad_sequence.dcm",
}
"""Files without a series, with one that is no UID, or without the head of a Part 10 file."""
SERVER = {"HasDelete": False, "ChunkedTransfers": True}


@pytest.mark.parametrize("modality", ["CT", "US"])
def test_dicomweb_client_stores_a_study_that_is_published(
    open_gateway: Gateway, modality: str, tmp_path: Path
) -> None:
    study = a_study(tmp_path, modality)
    client = DICOMwebClient(url=open_gateway.dicomweb)
    datasets = [pydicom.dcmread(path) for path in study.files]

    answer = client.store_instances(datasets)
    [acknowledged] = told(open_gateway.mllp, study.report)
    published(open_gateway, study)

    stored = {str(item.ReferencedSOPInstanceUID) for item in answer.ReferencedSOPSequence}
    assert stored == set(study.digests)
    assert "FailedSOPSequence" not in answer
    assert answer.RetrieveURL == f"{open_gateway.dicomweb}/studies/{study.uid}"
    assert segment(acknowledged, "MSA")[1] == "AA"
    assert fetched(open_gateway, study.uid) == study.digests


def test_dicomweb_client_fetches_from_the_addresses_that_it_is_told(
    open_gateway: Gateway, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CR")
    client = DICOMwebClient(url=open_gateway.dicomweb)
    answer = client.store_instances([pydicom.dcmread(study.files[0])], study.uid)

    [stored] = answer.ReferencedSOPSequence
    path = str(stored.RetrieveURL).removeprefix(open_gateway.url)
    came = asked(open_gateway.http, path, accept="application/dicom")

    assert digest_of(BytesIO(came.body)) == study.digests[str(stored.ReferencedSOPInstanceUID)]


def test_dicomweb_client_is_told_what_is_not_stored(open_gateway: Gateway, tmp_path: Path) -> None:
    study, other = a_study(tmp_path, "CR"), a_study(tmp_path, "CR")
    client = DICOMwebClient(url=open_gateway.dicomweb)
    datasets = [pydicom.dcmread(study.files[0]), pydicom.dcmread(other.files[0])]

    answer = client.store_instances(datasets, study.uid)

    [stored], [failed] = answer.ReferencedSOPSequence, answer.FailedSOPSequence
    assert stored.ReferencedSOPInstanceUID == datasets[0].SOPInstanceUID
    assert failed.ReferencedSOPInstanceUID == datasets[1].SOPInstanceUID
    assert failed.FailureReason == 0xC409


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # some are broken on purpose
def test_every_file_that_others_published_comes_back_or_is_refused_for_its_fault(
    gateway: Gateway,
) -> None:
    # The gateway of this module alone: the shared one has been told reports on some of these
    # studies, and gives nothing that does not fit them.
    folder = shared_data() / "dicom"
    refused, differing, seen = {}, [], set()
    for path in sorted(one for one in folder.rglob("*.dcm")):
        answer = pushed(gateway, path.read_bytes())
        if answer.status != 200:
            refused[path.name] = answer.status
            continue
        sent = Instance.of(path.read_bytes())
        if sent.sop_instance in seen:
            continue
        seen.add(sent.sop_instance)
        came = asked(gateway.http, f"/dicom-web{sent.address}", accept=AS_STORED)
        [(_kind, content)] = came.parts
        if Instance.of(content).digest != sent.digest:
            differing.append(path.name)

    assert refused == dict.fromkeys(REFUSED, 409)
    assert differing == []
    assert len(seen) > 100


def pushed(gateway: Gateway, file: bytes) -> Answer:
    """The answer to a Store transaction of one file."""
    connection = HTTPConnection(HOST, gateway.http, timeout=ANSWER_WITHIN_S)
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--b--\r\n"
    try:
        headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
        connection.request("POST", "/dicom-web/studies", body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type", ""), response.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def gateway(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"GATEWAY_INDEX_URL": index.url, "GATEWAY_STUDY_SETTLE_S": "0.2"}
    with a_gateway(tmp_path_factory.mktemp("pushed-to"), settings=settings) as running:
        yield running
        assert_names_nobody(running.program)


@pytest.fixture(scope="module")
def orthanc(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    servers = {
        "chunked": SERVER | {"Url": f"{gateway.dicomweb}/"},
        "whole": SERVER | {"Url": f"{gateway.dicomweb}/", "ChunkedTransfers": False},
    }
    options = {
        "Plugins": [str(orthanc_plugin("DicomWeb"))],
        "DicomWeb": {"Enable": True, "Servers": servers},
    }
    folder = tmp_path_factory.mktemp("orthanc-pushes")
    nobody = {"nobody": ("NOBODY", free_port())}
    with an_orthanc(folder, modalities=nobody, options=options, reaches=[gateway.http]) as running:
        yield running


@pytest.mark.parametrize("server", ["chunked", "whole"])
@pytest.mark.parametrize("modality", ["CT", "US"])
def test_orthanc_stores_a_study_that_is_published(
    gateway: Gateway, orthanc: Orthanc, server: str, modality: str, tmp_path: Path
) -> None:
    study = a_study(tmp_path, modality)
    resources = {orthanc.took(path)["ParentStudy"] for path in study.files}

    wanted = {"Resources": sorted(resources), "Synchronous": True}
    answer = asked(orthanc.http, f"/dicom-web/servers/{server}/stow", method="POST", body=wanted)
    told(gateway.mllp, study.report)
    published(gateway, study)

    assert answer.status == 200, json.dumps(answer.json)
    assert fetched(gateway, study.uid) == study.digests
