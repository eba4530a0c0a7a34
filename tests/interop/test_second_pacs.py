"""DCMTK's archive as second and third PACS beside Orthanc; the third knows Patient Root alone."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.synthetic.identity import ACCESSION_ISSUER, PATIENT_ID_ISSUER
from tests.interop import dcmtk
from tests.interop.checking import checked
from tests.interop.studies import (
    a_study,
    assert_names_nobody,
    fetched,
    published,
    reported,
    standing,
    until,
)
from tests.support import confined as confined_program
from tests.support.peers import peer
from tests.support.ports import free_port
from tests.support.program import HOST, Program
from tests.support.programs import NO_DELAY, Gateway, Index, Orthanc, a_gateway

PACS_PORTS = dict[str, int]
"""Port of each PACS by its AE title."""

ARCHIVE = """
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
gateway = (DRIMBOX, localhost, {gateway})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{title} {folder} RW (200, 1024mb) ANY
AETable END
"""


@contextmanager
def an_archive(folder: Path, title: str, *options: str, gateway: int) -> Iterator[int]:
    """DCMTK's dcmqrscp, ready for associations; its port.

    It listens on every interface and cannot be told another, so it runs where loopback is the only
    one (see `confined`).
    """
    port, storage = free_port(), folder / title
    storage.mkdir()
    configuration = folder / f"{title}.cfg"
    configuration.write_text(
        ARCHIVE.format(port=port, gateway=gateway, title=title, folder=storage)
    )
    confined = [sys.executable, confined_program.__file__, str(port), str(gateway)]
    command = [*confined, str(peer("dcmqrscp")), *options, "-c", str(configuration)]
    program = Program(command, NO_DELAY, log=folder / f"{title}.log", port=port)
    try:
        program.launch()
        echo = ("echoscu", *dcmtk.called(port, title=title))
        until(lambda: dcmtk.run(*echo).returncode == 0)
        yield port
    finally:
        program.close()


@pytest.fixture(scope="module")
def ports(
    orthanc: Orthanc, dicom_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PACS_PORTS]:
    folder = tmp_path_factory.mktemp("archives")
    with (
        an_archive(folder, "SECOND", gateway=dicom_port) as second,
        an_archive(folder, "PATIENTS", "--no-study-root", gateway=dicom_port) as patients,
    ):
        yield {"ORTHANC": orthanc.dicom, "SECOND": second, "PATIENTS": patients}


@pytest.fixture(scope="module", params=["move", "get"])
def settings(request: pytest.FixtureRequest, ports: PACS_PORTS, index: Index) -> dict[str, str]:
    """Of a gateway that pulls by C-MOVE, or by C-GET."""
    issuers = {"patient_id_issuer": PATIENT_ID_ISSUER, "accession_issuer": ACCESSION_ISSUER}
    pacs = [
        {"ae_title": title, "host": HOST, "port": port, "retrieve": request.param, **issuers}
        for title, port in ports.items()
    ]
    return {"GATEWAY_INDEX_URL": index.url, "GATEWAY_PACS": json.dumps(pacs)}


@pytest.fixture(scope="module")
def gateway(
    settings: dict[str, str], dicom_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway-with-three-pacs")
    with a_gateway(folder, settings=settings, dicom=dicom_port) as running:
        yield running
        assert_names_nobody(running.program)


@pytest.mark.parametrize("title", ["ORTHANC", "SECOND", "PATIENTS"])
@pytest.mark.parametrize("modality", ["CT", "CR"])
def test_a_study_is_described_and_pulled_from_the_pacs_that_holds_it(
    gateway: Gateway, ports: PACS_PORTS, title: str, modality: str, tmp_path: Path
) -> None:
    study = a_study(tmp_path, modality)
    dcmtk.archived(ports[title], title, *study.files)

    reported(gateway, study)
    pointer = published(gateway, study)

    assert modality in pointer["modalities"]
    assert fetched(gateway, study.uid) == study.digests


def test_the_parts_that_two_pacs_hold_make_one_study(
    gateway: Gateway, ports: PACS_PORTS, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CT")
    half = len(study.files) // 2
    dcmtk.archived(ports["ORTHANC"], "ORTHANC", *study.files[:half])
    dcmtk.archived(ports["SECOND"], "SECOND", *study.files[half:])

    reported(gateway, study)
    published(gateway, study)

    assert standing(gateway, study)["instances"] == len(study.files)
    assert fetched(gateway, study.uid) == study.digests


def test_check_finds_nothing_wrong_with_any_pacs(
    gateway: Gateway, settings: dict[str, str]
) -> None:
    found = checked(gateway, settings)

    of_pacs = {what: state for what, state in found.items() if what.startswith("PACS")}
    assert len(of_pacs) == 3 * 5  # connection, association, C-ECHO, C-FIND, C-MOVE
    assert {what: state for what, state in of_pacs.items() if state != "ok"} == {}
    assert (found["index, search"], found["port MLLP"]) == ("ok", "ok")


def test_check_names_the_pacs_that_does_not_know_its_title(
    gateway: Gateway, ports: PACS_PORTS, settings: dict[str, str]
) -> None:
    mistaken = [
        {"ae_title": "ORTHANK", "host": HOST, "port": ports["ORTHANC"]},
        {"ae_title": "SECONT", "host": HOST, "port": ports["SECOND"]},
    ]

    found = checked(gateway, settings | {"GATEWAY_PACS": json.dumps(mistaken)})

    assert found["PACS ORTHANK, association"] == "fail"
    assert found["PACS SECONT, association"] == "fail"
