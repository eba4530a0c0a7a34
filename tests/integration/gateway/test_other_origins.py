"""Pages of listed origins, and of no others, may read DICOMweb in a browser (CORS)."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import ValidationError

from gateway.app.program import opened
from gateway.security.callers import Callers
from gateway.security.policy import OpenAccess, Policy, RefuseAll
from gateway.settings import Settings
from tests.support.retrieval import serving

VIEWER = "https://viewer.example"
STUDIES = "/dicom-web/studies"
PREFLIGHT = {
    "Origin": VIEWER,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization,range",
}


def told(folder: Path, *origins: str) -> Settings:
    return Settings(
        data_dir=folder, http_port=0, dicom_port=0, mllp_port=0, sweep_from="", sweep_to="",
        cors_origins=frozenset(origins),
    )  # fmt: skip


CLOSED = RefuseAll(callers=Callers(frozenset()), hl7_senders=frozenset())


@pytest.fixture(params=[OpenAccess(), CLOSED], ids=["open", "closed"])
async def url(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The root of a gateway, open or closed, that lists a viewer's origin."""
    policy: Policy = request.param
    async with (
        opened(told(tmp_path, VIEWER), policy) as gateway,
        serving(gateway.http) as root,
    ):
        yield root


async def asked(url: str, *, method: str = "GET", **headers: str) -> aiohttp.ClientResponse:
    async with (
        aiohttp.ClientSession() as http,
        http.request(
            method, url, headers={k.replace("_", "-"): v for k, v in headers.items()}
        ) as response,
    ):
        await response.read()
        return response


async def test_a_listed_origin_may_read_the_answer_and_its_headers(url: str) -> None:
    answer = await asked(url + STUDIES, Origin=VIEWER)

    assert answer.headers["Access-Control-Allow-Origin"] == VIEWER
    assert "Origin" in answer.headers["Vary"]
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert {"ETag", "Content-Range", "Warning"} <= set(exposed.split(", "))


async def test_a_preflight_request_is_answered_before_anybody_shows_who_they_are(url: str) -> None:
    answer = await asked(url + STUDIES, method="OPTIONS", **PREFLIGHT)

    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == VIEWER
    assert "Range" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", ["https://other.example", "https://viewer.example.evil", "null"])
async def test_no_other_origin_may_read_it(url: str, origin: str) -> None:
    answer = await asked(url + STUDIES, Origin=origin)
    preflight = await asked(url + STUDIES, method="OPTIONS", **{**PREFLIGHT, "Origin": origin})

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert preflight.status == 400
    assert "Access-Control-Allow-Origin" not in preflight.headers


@pytest.mark.parametrize("path", ["/api/studies", "/health/live", "/dicom-webs", "/metrics"])
async def test_nothing_but_dicomweb_is_given_to_another_origin(url: str, path: str) -> None:
    answer = await asked(url + path, Origin=VIEWER)

    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_without_a_list_no_origin_may_read_it(tmp_path: Path) -> None:
    async with (
        opened(told(tmp_path), OpenAccess()) as gateway,
        serving(gateway.http) as root,
    ):
        answer = await asked(root + STUDIES, Origin=VIEWER)

    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "viewer.example", "https://viewer.example/", "null", ""])
def test_what_is_no_origin_is_not_taken_for_one(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValidationError):
        told(tmp_path, origin)
