"""A gateway and an index without `--open-access`: nobody gets in who is not named."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.interop import dcmtk
from tests.interop.studies import a_study, assert_names_nobody
from tests.interop.wire import END, START, asked, segment, told
from tests.support.program import HOST
from tests.support.programs import Gateway, Index, a_gateway, an_index
from tests.support.reports import a_report

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
PUBLIC = {"/health/live", "/health/ready", "/openapi.json", "/metrics"}

STUDY = "/dicom-web/studies/1.2.3"
SERIES = f"{STUDY}/series/4.5"
INSTANCE = f"{SERIES}/instances/6.7"
UNDESCRIBED = [
    "/",
    "/no-such-route",
    "/dicom-web",
    "/dicom-web/studies",
    "/dicom-web/series",
    "/dicom-web/instances",
    STUDY,
    f"{STUDY}/metadata",
    f"{STUDY}/series",
    f"{STUDY}/instances",
    SERIES,
    f"{SERIES}/metadata",
    f"{SERIES}/instances",
    INSTANCE,
    f"{INSTANCE}/metadata",
    f"{INSTANCE}/frames/1",
    "/dicom-web/studies/not%20a%20uid",
    "/dicom-web/studies?limit=none",
    "/api/studies?limit=none",
    "/wado?requestType=WADO",
]
"""Addresses that the OpenAPI description does not list, and requests that are faulty besides."""


@pytest.fixture(scope="module")
def closed_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with an_index(tmp_path_factory.mktemp("closed-index"), open_access=False) as running:
        yield running


@pytest.fixture(scope="module")
def closed_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "GATEWAY_CALLING_AE_TITLES": '["MODALITY"]',
        "GATEWAY_PACS": '[{"ae_title": "PACS", "host": "127.0.0.1", "port": 1}]',
    }
    folder = tmp_path_factory.mktemp("closed")
    with a_gateway(folder, settings=settings, open_access=False) as running:
        yield running
        assert_names_nobody(running.program)


def paths(port: int) -> set[str]:
    """Every path that the program describes, with something in place of each parameter."""
    described = asked(port, "/openapi.json").json["paths"]
    return {path.replace("{", "").replace("}", "") for path in described}


def answers(port: int, addresses: set[str]) -> dict[str, int]:
    return {
        f"{method} {path}": asked(port, path, method=method).status
        for path in addresses
        for method in METHODS
    }


def test_every_route_of_the_gateway_wants_to_know_who_asks(closed_gateway: Gateway) -> None:
    described = paths(closed_gateway.http)

    given = answers(closed_gateway.http, (described | set(UNDESCRIBED)) - PUBLIC)

    assert {"/api/studies", "/api/set-aside", "/api/pointers/search"} <= described
    assert {request: status for request, status in given.items() if status != 401} == {}


def test_a_form_that_is_no_form_is_not_looked_at(closed_gateway: Gateway) -> None:
    answer = asked(closed_gateway.http, "/api/pointers/search", method="POST", body={"ins": 1})

    assert answer.status == 401
    assert answer.json["status"] == 401


def test_the_probes_are_public(closed_gateway: Gateway, closed_index: Index) -> None:
    for port in (closed_gateway.http, closed_index.http):
        given = {path: asked(port, path).status for path in PUBLIC}

        assert given == dict.fromkeys(PUBLIC, 200)


def test_the_index_refuses_everyone(closed_index: Index) -> None:
    fhir = {"/fhir", "/fhir/DocumentReference", "/fhir/DocumentReference/1", "/fhir/Binary/1"}

    given = answers(closed_index.http, (paths(closed_index.http) | fhir) - PUBLIC)

    assert {request: status for request, status in given.items() if status != 401} == {}


@pytest.mark.parametrize("title", ["MODALITY", "PACS"])
def test_a_title_that_is_configured_gets_in(
    closed_gateway: Gateway, title: str, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CR")
    to = dcmtk.called(closed_gateway.dicom)

    echo = dcmtk.run("echoscu", "-aet", title, *to)
    store = dcmtk.run("dcmsend", "-aet", title, *to, *study.files)

    assert (echo.returncode, store.returncode) == (0, 0), store.stdout


@pytest.mark.parametrize("program", ["echoscu", "storescu"])
def test_another_title_is_rejected_before_anything_is_taken(
    closed_gateway: Gateway, program: str, tmp_path: Path
) -> None:
    files = a_study(tmp_path, "CR").files if program == "storescu" else ()

    run = dcmtk.run(program, "-aet", "STRANGER", *dcmtk.called(closed_gateway.dicom), *files)

    assert run.returncode != 0
    assert "Calling AE Title Not Recognized" in run.stdout


def test_an_address_that_is_not_configured_sends_no_reports(closed_gateway: Gateway) -> None:
    with socket.create_connection((HOST, closed_gateway.mllp), timeout=30) as connection:
        with suppress(ConnectionError):  # it may be closed before all is sent
            connection.sendall(START + a_report() + END)
        try:
            answer = connection.recv(1)
        except ConnectionError:
            answer = b""

    assert answer == b""


def test_an_address_that_is_configured_does(tmp_path: Path) -> None:
    settings = {"GATEWAY_HL7_SENDERS": f'["{HOST}"]'}

    with a_gateway(tmp_path, settings=settings, open_access=False) as gateway:
        [answer] = told(gateway.mllp, a_report())

    assert segment(answer, "MSA")[1] == "AA"
