"""The commands of the manual for operators, run as they stand there.

Only ports and the dots that a reader fills in are replaced.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import load_settings
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.interop.documented import MANUAL, block, run
from tests.interop.wire import asked
from tests.support.peers import peer
from tests.support.ports import free_port
from tests.support.programs import Gateway, a_gateway, an_index

EXAMINATION = make_examination(78, 1, "CR")
TLS = {"CERTIFICATE": "gateway.pem", "KEY": "gateway.key", "CA": "ca.pem"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the operator is: with the certificates that the manual makes, and a study."""
    peer("openssl")
    here = tmp_path_factory.mktemp("operator")
    run(block("Authority of the centre", document=MANUAL), here, ports={})
    save_study(EXAMINATION, here / "study")
    return here


@pytest.fixture(scope="module")
def tls_ports() -> dict[int, int]:
    return {2762: free_port(), 2576: free_port()}


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, tls_ports: dict[int, int]
) -> Iterator[Gateway]:
    settings = {f"GATEWAY_TLS_{name}": str(folder / file) for name, file in TLS.items()}
    settings["GATEWAY_DICOM_TLS_PORT"] = str(tls_ports[2762])
    settings["GATEWAY_MLLP_TLS_PORT"] = str(tls_ports[2576])
    with an_index(tmp_path_factory.mktemp("index")) as index:
        settings["GATEWAY_INDEX_URL"] = index.url
        with a_gateway(tmp_path_factory.mktemp("gateway"), settings=settings) as running:
            yield running


def test_the_certificates_of_the_manual_are_taken(
    gateway: Gateway, folder: Path, tls_ports: dict[int, int]
) -> None:
    peer("echoscu")
    commands = block("echoscu", document=MANUAL)
    for option, number in {
        "--study": EXAMINATION.study_uid,
        "--accession": EXAMINATION.accession,
        "--local-id": EXAMINATION.patient.local_id,
    }.items():
        commands = commands.replace(f"{option} …", f"{option} {number}")

    assert "accepted " in run(commands, folder, ports=tls_ports)


def test_a_study_is_pushed_acted_on_and_told_of_as_the_manual_says(
    gateway: Gateway, folder: Path
) -> None:
    ports = {8080: gateway.http}

    stored = json.loads(run(block("--cut", document=MANUAL), folder, ports=ports))
    acts = block("/withdraw", document=MANUAL).replace("1.2.3", EXAMINATION.study_uid)
    told = run(acts, folder, ports=ports)

    assert {"00081190", "00081199"} == set(stored)
    assert '{"done":"withdraw"}' in told
    [study] = asked(gateway.http, "/api/studies").json["studies"]
    assert study["study_uid"] == EXAMINATION.study_uid


def test_the_configuration_file_of_the_manual_is_read(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(block("data_dir", document=MANUAL))

    settings = load_settings(config)

    assert [pacs.ae_title for pacs in settings.pacs] == ["PACS"]
