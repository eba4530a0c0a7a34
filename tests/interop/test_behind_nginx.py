"""With nginx in front, every address that an answer names leads back through nginx."""

import json
import re
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from tests.interop.studies import Study, a_study
from tests.support.ports import free_port
from tests.support.program import HOST
from tests.support.programs import Gateway, Nginx, a_gateway, an_nginx

CUSTOMARY = """
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $host:$server_port;
            proxy_set_header X-Forwarded-Prefix /centre;
"""
STANDARD = r"""
            proxy_set_header Forwarded "for=$remote_addr;proto=$scheme;host=\"$host:$server_port\"";
            proxy_set_header X-Forwarded-Prefix /centre;
"""
ELSEWHERE = "192.0.2.60"
NOTHING: Mapping[str, str] = MappingProxyType({})
ANY_PARTS = 'multipart/related; type="*/*"; transfer-syntax=*'


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class World(NamedTuple):
    """A gateway, the nginx in front of it, and a study that was stored by way of that."""

    gateway: Gateway
    nginx: Nginx
    study: Study
    stored_at: str

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.nginx.http}/centre"

    def asked(self, url: str, *, method: str = "GET", **headers: str) -> Answer:
        """What comes of an address that lies behind nginx."""
        assert url.startswith(f"{self.base_url}/"), url
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return fetched(self.nginx.http, "/centre" + url.removeprefix(self.base_url), method, named)


def fetched(port: int, path: str, method: str, headers: Mapping[str, str]) -> Answer:
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, headers={"Accept": "*/*", **headers})
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, response.read())
    finally:
        connection.close()


@pytest.fixture(scope="module", params=[CUSTOMARY, STANDARD], ids=["X-Forwarded", "Forwarded"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("behind")
    yield from _world(folder, request.param, {"GATEWAY_TRUSTED_PROXIES": f'["{HOST}"]'})


@pytest.fixture
def untrusting(tmp_path: Path) -> Iterator[World]:
    """It is told of no proxy."""
    yield from _world(tmp_path, CUSTOMARY, {})


def _world(folder: Path, headers: str, settings: Mapping[str, str]) -> Iterator[World]:
    http = free_port()
    place = (
        f"location /centre/ {{ proxy_pass http://{HOST}:{http}/; proxy_buffering off;{headers}}}"
    )
    for name in ("ours", "nginx", "study"):
        (folder / name).mkdir()
    with (
        a_gateway(folder / "ours", http=http, settings=settings) as gateway,
        an_nginx(folder / "nginx", server=place) as nginx,
    ):
        study = a_study(folder / "study", "CT")
        client = DICOMwebClient(url=f"http://{HOST}:{nginx.http}/centre/dicom-web")
        told = client.store_instances([pydicom.dcmread(path) for path in study.files])
        yield World(gateway, nginx, study, str(told.RetrieveURL))


def test_what_was_stored_is_had_where_the_answer_says(world: World) -> None:
    answer = world.asked(world.stored_at, Accept='multipart/related; type="application/dicom"')

    assert answer.status == 200
    assert answer.headers["content-location"] == world.stored_at
    places = re.findall(rb"Content-Location: ([^\r]+)", answer.body)
    assert len(places) == len(world.study.files)
    for place in places:
        assert world.asked(place.decode(), Accept="application/dicom").status == 200


def test_what_a_search_finds_is_had_where_it_says(world: World) -> None:
    found = json.loads(world.asked(f"{world.base_url}/dicom-web/studies").body)

    [url] = [study["00081190"]["Value"][0] for study in found]
    assert url == world.stored_at
    assert world.asked(f"{url}/metadata").status == 200


def test_bulk_data_is_had_where_metadata_says(world: World) -> None:
    metadata = world.asked(f"{world.stored_at}/metadata")

    uris = re.findall(rb'"BulkDataURI":"([^"]+)"', metadata.body)
    assert uris
    for uri in uris:
        answer = world.asked(uri.decode(), Accept=ANY_PARTS)
        assert answer.status == 200
        assert b"Content-Location: " + uri + b"\r\n" in answer.body


def test_the_service_describes_itself_where_it_is_reached(world: World) -> None:
    answer = world.asked(f"{world.base_url}/dicom-web", method="OPTIONS")

    assert f'base="{world.base_url}/dicom-web"'.encode() in answer.body


def findings(world: World, **headers: str) -> bool:
    """Whether the caller is told what only one on this machine is."""
    answer = world.asked(f"{world.base_url}/health/ready", **headers)
    return "findings" in json.loads(answer.body)["detail"]


def test_what_is_for_this_machine_is_not_for_who_comes_from_elsewhere(world: World) -> None:
    """nginx adds its caller to what that told; here its caller is a proxy of the centre, too. Where
    it sets the other kind alone, what its caller told contradicts that."""
    assert findings(world)
    assert not findings(world, X_Forwarded_For=ELSEWHERE)


def test_what_nginx_does_not_set_is_not_believed_of_its_caller(world: World) -> None:
    told = f"for={ELSEWHERE};host=evil.example"

    answer = world.asked(f"{world.base_url}/dicom-web/studies", Forwarded=told)

    assert answer.status == 200
    assert b"evil.example" not in answer.body


def test_who_trusts_no_proxy_names_its_own_address(untrusting: World) -> None:
    own = f"http://{HOST}:{untrusting.gateway.http}/dicom-web"

    answer = fetched(untrusting.nginx.http, "/centre/dicom-web/studies", "GET", NOTHING)

    [study] = json.loads(answer.body)
    assert study["00081190"]["Value"] == [f"{own}/studies/{untrusting.study.uid}"]
