"""Orthanc as the centre's PACS: studies stay in it, and travel through the gateway when asked for.

Orthanc has no Instance Availability Notification; one is sent in its stead where a test says so.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import AE

from simulators.imaging_centre.dimse import AS_REQUESTOR
from simulators.synthetic.identity import ACCESSION_ISSUER, PATIENT_ID_ISSUER
from tests.interop import dcmtk
from tests.interop.instances import Instance
from tests.interop.studies import (
    Study,
    a_study,
    assert_names_nobody,
    published,
    reported,
    standing,
    until,
)
from tests.interop.wire import AS_STORED, INSTANCES, asked, segment, told
from tests.support.program import HOST
from tests.support.programs import Gateway, Index, Orthanc, a_gateway

INSTANCE_AVAILABILITY = UID("1.2.840.10008.5.1.4.33")


@pytest.fixture(scope="module")
def gateway(
    orthanc: Orthanc, index: Index, dicom_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    pacs = {
        "ae_title": "ORTHANC",
        "host": HOST,
        "port": orthanc.dicom,
        "patient_id_issuer": PATIENT_ID_ISSUER,
        "accession_issuer": ACCESSION_ISSUER,
    }
    settings = {"GATEWAY_INDEX_URL": index.url, "GATEWAY_PACS": json.dumps([pacs])}
    folder = tmp_path_factory.mktemp("gateway-with-pacs")
    with a_gateway(folder, settings=settings, dicom=dicom_port) as running:
        yield running
        assert_names_nobody(running.program)


@pytest.mark.parametrize("modality", ["CT", "MR", "CR", "US", "MG"])
def test_a_study_is_described_from_orthanc_and_fetched_through_the_gateway(
    gateway: Gateway, orthanc: Orthanc, modality: str, tmp_path: Path
) -> None:
    study = a_study(tmp_path, modality)
    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)

    reported(gateway, study)
    pointer = published(gateway, study)
    answer = asked(gateway.http, f"/dicom-web/studies/{study.uid}", accept=AS_STORED)

    assert pointer["study_uid"] == study.uid
    assert modality in pointer["modalities"]
    assert digests(answer.parts) == study.digests


def digests(parts: list[tuple[str, bytes]]) -> dict[str, str]:
    came = [Instance.of(content) for _kind, content in parts]
    assert all(
        f"transfer-syntax={one.transfer_syntax}" in kind
        for one, (kind, _content) in zip(came, parts, strict=True)
    )
    return {one.sop_instance: one.digest for one in came}


def test_each_retrieve_url_of_the_pointer_gives_its_series(
    gateway: Gateway, orthanc: Orthanc, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CT")
    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    reported(gateway, study)
    urls = published(gateway, study)["retrieve_urls"]

    came: dict[str, str] = {}
    for url in urls:
        path = url.removeprefix(gateway.url).partition("?")[0]
        came |= digests(asked(gateway.http, path, accept=INSTANCES).parts)

    assert came == study.digests


def test_a_series_an_instance_and_their_metadata_are_moved_alone(
    gateway: Gateway, orthanc: Orthanc, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CT")
    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    reported(gateway, study)
    published(gateway, study)
    one = study.instances[0]
    series = f"/dicom-web{one.address.partition('/instances/')[0]}"

    whole = digests(asked(gateway.http, series, accept=AS_STORED).parts)
    alone = asked(gateway.http, f"/dicom-web{one.address}", accept="application/dicom")
    metadata = asked(gateway.http, f"{series}/metadata").json

    assert len(whole) == 5
    assert Instance.of(alone.body).digest == one.digest
    assert {item["00080018"]["Value"][0] for item in metadata} == set(whole)


def test_a_notification_makes_a_reported_study_be_looked_for_at_once(
    gateway: Gateway, orthanc: Orthanc, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "MR")
    reported(gateway, study)
    until(lambda: standing(gateway, study).get("code") == "images")

    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    status = announced(gateway, study)
    published(gateway, study)

    assert status == 0
    answer = asked(gateway.http, f"/dicom-web/studies/{study.uid}", accept=AS_STORED)
    assert digests(answer.parts) == study.digests


def announced(gateway: Gateway, study: Study) -> int:
    """The status of an Instance Availability Notification (PS3.4 annex R)."""
    notification = Dataset()
    notification.ReferencedPerformedProcedureStepSequence = []
    notification.StudyInstanceUID = study.uid
    series = Dataset()
    series.SeriesInstanceUID = study.instances[0].header.SeriesInstanceUID
    series.ReferencedSOPSequence = [available(one) for one in study.instances]
    notification.ReferencedSeriesSequence = [series]
    ae = AE("ORTHANC")
    ae.add_requested_context(INSTANCE_AVAILABILITY)
    association = ae.associate(HOST, gateway.dicom, ae_title="DRIMBOX", evt_handlers=AS_REQUESTOR)
    assert association.is_established
    status, _attributes = association.send_n_create(
        notification, INSTANCE_AVAILABILITY, generate_uid()
    )
    association.release()
    return int(status.Status)


def available(instance: Instance) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class
    item.ReferencedSOPInstanceUID = instance.sop_instance
    item.InstanceAvailability = "ONLINE"
    item.RetrieveAETitle = "ORTHANC"
    return item


def test_images_of_another_accession_are_set_aside(
    gateway: Gateway, orthanc: Orthanc, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CR")
    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    accession = study.examination.accession

    message = a_report_about(study, accession, "OTHER1")
    [answer] = told(gateway.mllp, message)
    until(lambda: standing(gateway, study).get("state") == "set_aside")

    assert segment(answer, "MSA")[1] == "AA"
    assert standing(gateway, study)["code"] == "accession_differs"


def a_report_about(study: Study, accession: str, instead: str) -> bytes:
    """The study's report with another accession number in its document."""
    fields = study.report.decode().split("^Base64^")
    document, rest = fields[1].split("|", 1)
    cda = base64.b64decode(document).decode()
    assert accession in cda
    changed = base64.b64encode(cda.replace(accession, instead).encode()).decode()
    return f"{fields[0]}^Base64^{changed}|{rest}".encode()


def test_what_was_moved_is_kept_and_comes_without_the_pacs(
    gateway: Gateway, orthanc: Orthanc, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CT")
    dcmtk.archived(orthanc.dicom, "ORTHANC", *study.files)
    reported(gateway, study)
    published(gateway, study)
    path = f"/dicom-web/studies/{study.uid}"

    moved = digests(asked(gateway.http, path, accept=AS_STORED).parts)
    until(lambda: counted(gateway, "gateway_pulls_under_way") == 0)
    pulls = counted(gateway, 'gateway_pulls_total{outcome="whole"}')
    again = digests(asked(gateway.http, path, accept=AS_STORED).parts)

    assert moved == again == study.digests
    assert counted(gateway, 'gateway_pulls_total{outcome="whole"}') == pulls > 0
    assert list((gateway.data_dir / "store" / "spool").iterdir()) == []


def counted(gateway: Gateway, metric: str) -> float:
    """What `/metrics` says of one metric."""
    lines = asked(gateway.http, "/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{metric} "))


def test_orthanc_listens_on_loopback_alone(orthanc: Orthanc) -> None:
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {one[1] for one in sockets if one[3] == "0A"}
    ports = {f"{port:04X}" for port in (orthanc.http, orthanc.dicom)}
    if f"00000000:{orthanc.dicom:04X}" in listening:
        pytest.skip("the system allows nobody a network of their own")

    assert {f"0100007F:{port}" for port in ports} <= listening
