"""DICOM's other doors with others' programs: TLS, storage commitment, procedure steps."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from simulators.imaging_centre.dimse import DicomAddress
from simulators.imaging_centre.modality import look_at
from simulators.imaging_centre.steps import begin_step, end_step
from tests.interop import dcmtk
from tests.interop.checking import checked
from tests.interop.studies import (
    a_study,
    assert_names_nobody,
    fetched,
    standing,
    until,
)
from tests.interop.wire import asked
from tests.support.certificates import Authority, Certificate
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import Gateway, Index, Orthanc, a_gateway, an_orthanc

ANSWER_WITHIN_S = 60
CR_IMAGE = "1.2.840.10008.5.1.4.1.1.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "centre")


@pytest.fixture(scope="module")
def modality(authority: Authority) -> Certificate:
    return authority.certify("modality")


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {"dicom": free_port(), "tls": free_port()}


@pytest.fixture(scope="module")
def orthanc(
    authority: Authority,
    modality: Certificate,
    ports: dict[str, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Orthanc]:
    gateway = {"AET": "DRIMBOX", "Host": HOST}
    options = {
        "DicomModalities": {
            "gateway": {**gateway, "Port": ports["dicom"]},
            "secured": {**gateway, "Port": ports["tls"], "UseDicomTls": True},
        },
        "DicomTlsEnabled": True,
        "DicomTlsRemoteCertificateRequired": True,
        "DicomTlsCertificate": str(modality.certificate),
        "DicomTlsPrivateKey": str(modality.key),
        "DicomTlsTrustedCertificates": str(authority.ca),
    }
    known = {name: ("DRIMBOX", port) for name, port in ports.items()}
    folder = tmp_path_factory.mktemp("orthanc")
    with an_orthanc(folder, modalities=known, options=options) as running:
        yield running


@pytest.fixture(scope="module")
def settings(
    authority: Authority, ports: dict[str, int], orthanc: Orthanc, index: Index
) -> dict[str, str]:
    own = authority.certify("gateway")
    listens = {"ae_title": "ORTHANC", "host": HOST, "port": orthanc.dicom, "tls": True}
    return {
        "GATEWAY_INDEX_URL": index.url,
        "GATEWAY_DICOM_TLS_PORT": str(ports["tls"]),
        "GATEWAY_TLS_CERTIFICATE": str(own.certificate),
        "GATEWAY_TLS_KEY": str(own.key),
        "GATEWAY_TLS_CA": str(authority.ca),
        "GATEWAY_COMMITMENT_PEERS": json.dumps([listens]),
    }


@pytest.fixture(scope="module")
def gateway(
    settings: dict[str, str], ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway-tls")
    with a_gateway(folder, settings=settings, dicom=ports["dicom"]) as running:
        yield running
        assert_names_nobody(running.program)


def secured(authority: Authority, own: Certificate) -> list[str]:
    """Arguments that have a program of DCMTK speak TLS as this client."""
    return ["+tls", str(own.key), str(own.certificate), "+cf", str(authority.ca)]


def test_storescu_sends_over_tls(
    gateway: Gateway, authority: Authority, modality: Certificate, ports: dict[str, int],
    tmp_path: Path,
) -> None:  # fmt: skip
    study = a_study(tmp_path, "CT")
    to = dcmtk.called(ports["tls"])

    run = dcmtk.run("storescu", *secured(authority, modality), *to, *study.files)

    assert run.returncode == 0, run.stdout
    assert fetched(gateway, study.uid) == study.digests


def test_dcmtk_is_refused_without_a_certificate_of_the_centre(
    gateway: Gateway, authority: Authority, ports: dict[str, int], tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "elsewhere").certify("stranger")
    to = dcmtk.called(ports["tls"])

    anonymous = dcmtk.run("echoscu", "+tla", "-ic", *to)
    foreign = dcmtk.run("echoscu", *secured(authority, stranger), *to)
    plain = dcmtk.run("echoscu", "-to", "5", *to)
    still = dcmtk.run("echoscu", *dcmtk.called(gateway.dicom))

    assert 0 not in (anonymous.returncode, foreign.returncode, plain.returncode)
    assert still.returncode == 0


def test_a_pacs_that_speaks_tls_alone_is_called_by_tls(
    gateway: Gateway, settings: dict[str, str]
) -> None:
    [listens] = json.loads(settings["GATEWAY_COMMITMENT_PEERS"])
    as_pacs = {"GATEWAY_PACS": json.dumps([listens])}
    without_tls = {"GATEWAY_PACS": json.dumps([listens | {"tls": False}])}

    found = checked(gateway, settings | as_pacs)
    of_other = checked(gateway, settings | without_tls)

    of_pacs = {what: state for what, state in found.items() if what.startswith("PACS")}
    assert [*of_pacs.values()] == ["ok"] * 5  # connection, association, C-ECHO, C-FIND, C-MOVE
    assert (found["commitment peer ORTHANC"], found["certificate chain"]) == ("ok", "ok")
    assert of_other["PACS ORTHANC, association"] == "fail"


def post(port: int, path: str, body: object) -> Any:
    """What Orthanc answers."""
    connection = HTTPConnection(HOST, port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("POST", path, body=json.dumps(body))
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return json.loads(content)
    finally:
        connection.close()


def committed(orthanc: Orthanc, door: str, references: list[list[str]]) -> Any:
    """The report that Orthanc has of a storage commitment, once it is told."""
    transaction = post(
        orthanc.http, f"/modalities/{door}/storage-commitment", {"DicomInstances": references}
    )["ID"]

    def told() -> Any:
        report = asked(orthanc.http, f"/storage-commitment/{transaction}").json
        return report if report["Status"] != "Pending" else None

    return until(told)


@pytest.mark.parametrize("door", ["gateway", "secured"])
def test_orthanc_is_promised_what_it_has_sent(
    gateway: Gateway, orthanc: Orthanc, door: str, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "MR")
    names = [orthanc.took(path)["ID"] for path in study.files]
    post(orthanc.http, f"/modalities/{door}/store", names)

    report = committed(
        orthanc, door, [[one.sop_class, one.sop_instance] for one in study.instances]
    )

    assert report["Status"] == "Success"
    assert {one["SOPInstanceUID"] for one in report["Success"]} == set(study.digests)
    assert fetched(gateway, study.uid) == study.digests


def test_orthanc_is_told_what_is_not_held(
    gateway: Gateway, orthanc: Orthanc, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CR")
    kept, *_rest = study.instances
    run = dcmtk.run("storescu", *dcmtk.called(gateway.dicom), study.files[0])
    assert run.returncode == 0, run.stdout

    report = committed(
        orthanc, "gateway", [[kept.sop_class, kept.sop_instance], [CR_IMAGE, "1.2.250.1.999.8.1"]]
    )

    assert report["Status"] == "Failure"
    assert [one["SOPInstanceUID"] for one in report["Success"]] == [kept.sop_instance]
    [failed] = report["Failures"]
    assert failed["SOPInstanceUID"] == "1.2.250.1.999.8.1"
    assert failed["FailureReason"] == 0x0112


def test_a_procedure_step_that_ends_has_its_study_looked_at(
    gateway: Gateway, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CT")
    to = DicomAddress("DRIMBOX", HOST, gateway.dicom)

    step = begin_step(study.examination, to)
    before = standing(gateway, study)
    end_step(step, study.examination, look_at(study.files), to)

    assert before == {}
    assert until(lambda: standing(gateway, study))["study_uid"] == study.uid
