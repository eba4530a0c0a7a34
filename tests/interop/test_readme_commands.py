"""The commands of the README that connect a PACS, a RIS and a viewer, run as they stand there.

Only ports and the dots that a reader fills in are replaced.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.interop.documented import ROOT, block, run
from tests.interop.wire import asked
from tests.support.peers import peer
from tests.support.ports import free_port
from tests.support.programs import Gateway, a_gateway, an_index

EXAMINATION = make_examination(77, 1, "CR")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp
    with an_index(folder("index")) as index:
        settings = {"GATEWAY_INDEX_URL": index.url}
        with a_gateway(folder("gateway"), settings=settings) as running:
            yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reader is: with an image of their own."""
    here = tmp_path_factory.mktemp("reader")
    shutil.copy(save_study(EXAMINATION, here / "study")[0], here / "image.dcm")
    return here


def ports(gateway: Gateway) -> dict[int, int]:
    return {8080: gateway.http, 11112: gateway.dicom, 2575: gateway.mllp}


def test_a_pacs_checks_the_line_and_sends_an_image(gateway: Gateway, folder: Path) -> None:
    peer("echoscu")

    run(block("echoscu"), folder, ports=ports(gateway))

    [study] = asked(gateway.http, "/api/studies").json["studies"]
    assert (study["study_uid"], study["instances"]) == (EXAMINATION.study_uid, 1)


def test_a_ris_is_told_why_its_message_is_refused(gateway: Gateway, folder: Path) -> None:
    told = run(block("/dev/tcp"), folder, ports=ports(gateway))

    assert "MSA|AE|1|the message must have one PID segment" in told


def test_a_made_up_report_is_taken_and_taken_back(gateway: Gateway, folder: Path) -> None:
    peer("echoscu")
    send_image(gateway, folder)
    numbers = {
        "--study": EXAMINATION.study_uid,
        "--accession": EXAMINATION.accession,
        "--local-id": EXAMINATION.patient.local_id,
    }
    command = block("drim-sim report")
    for option, number in numbers.items():
        command = command.replace(f"{option} …", f"{option} {number}")

    document, accepted = run(command, folder, ports=ports(gateway)).splitlines()
    deletion = f"{command.rstrip()} --delete {document.split()[1]}"
    again, _ = run(deletion, folder, ports=ports(gateway)).splitlines()

    assert accepted.startswith("accepted ")
    assert again == document
    [study] = asked(gateway.http, "/api/studies").json["studies"]
    assert study["code"] != "report"  # it no longer waits for one


def test_a_viewer_searches_and_fetches(gateway: Gateway, folder: Path) -> None:
    peer("storescu")
    send_image(gateway, folder)
    filled = block("/api/pointers/search").replace(
        '"ins": "…"', f'"ins": "{EXAMINATION.patient.ins}"'
    )
    filled = filled.replace("studies/…", f"studies/{EXAMINATION.study_uid}")
    [series] = asked(gateway.http, f"/dicom-web/studies/{EXAMINATION.study_uid}/series").json
    filled = filled.replace("series/…", f"series/{series['0020000E']['Value'][0]}")

    told = run(filled.replace("/tmp", str(folder)), folder, ports=ports(gateway))

    assert told == '{"pointers":[]}'
    assert b"DICM" in (folder / "series.multipart").read_bytes()[:4096]


def test_a_patient_takes_a_study_along(gateway: Gateway, folder: Path) -> None:
    peer("storescu")
    send_image(gateway, folder)
    commands = block("study.zip").replace("studies/…", f"studies/{EXAMINATION.study_uid}")

    run(commands.replace("/tmp", str(folder)), folder, ports=ports(gateway))

    assert "DICOMDIR" in ZipFile(folder / "study.zip").namelist()
    assert (folder / "study.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_program_searches_and_fetches(gateway: Gateway, folder: Path) -> None:
    peer("storescu")
    send_image(gateway, folder)
    script = block("DICOMwebClient").replace("8080", str(gateway.http))

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "1 instances\n"


def test_the_programs_start_as_written(tmp_path: Path) -> None:
    """With free ports and folders of the test; the shell ends them with itself."""
    ports = {name: str(free_port()) for name in ("HTTP_PORT", "DICOM_PORT", "MLLP_PORT")}
    settings = {f"GATEWAY_{name}": port for name, port in ports.items()}
    settings |= {"INDEX_HTTP_PORT": str(free_port()), "INDEX_DATA_DIR": str(tmp_path / "index")}
    settings["GATEWAY_DATA_DIR"] = str(tmp_path / "gateway")
    commands = block("drim-index serve")
    program = subprocess.Popen(
        ["bash", "-c", f"trap 'kill 0' TERM; {{ {commands} }} 2>&1 & wait"],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    try:
        for line in program.stdout:
            if '"event": "listening"' in line and '"dicom"' in line:  # the index says it, too
                break
        ready = asked(int(ports["HTTP_PORT"]), "/health/ready")
        assert (ready.json["ready"], ready.json["failed"]) == (True, [])
    finally:
        program.terminate()
        program.wait(30)
        program.stdout.close()


def test_the_settings_for_a_pacs_are_settings() -> None:
    read = "from gateway.settings import load_settings as l; print(l(None).pacs[0].ae_title)"
    commands = f"{block('export GATEWAY_PACS')}\n{sys.executable} -c '{read}'"

    done = subprocess.run(
        ["bash", "-c", commands], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "PACS\n"


def test_a_check_with_these_settings_tells_of_the_pacs(tmp_path: Path) -> None:
    settings = block("export GATEWAY_PACS").replace("10.20.0.10", "127.0.0.1")
    settings = settings.replace("104", str(free_port()))
    environment = os.environ | {"GATEWAY_DATA_DIR": str(tmp_path / "gateway")}

    done = subprocess.run(
        ["bash", "-c", f"{settings}\n{block('drim-gateway check')}"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "GATEWAY_DATA_DIR, GATEWAY_PACS" in done.stdout.splitlines()[0]
    assert "fail  PACS PACS, connection" in done.stdout


def send_image(gateway: Gateway, folder: Path) -> None:
    """As the PACS test does, for a test that runs alone."""
    run(block("echoscu"), folder, ports=ports(gateway))
