"""OPTIONS tells what the gateway can do, no more and no less (PS3.18 §8.9)."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from gateway.app.program import opened
from gateway.security.policy import OpenAccess
from gateway.settings import Settings
from tests.support.retrieval import serving

WADL = "{http://wadl.dev.java.net/2009/02}"
PUBLIC_URL = "https://gateway.example"
ROOT = "/dicom-web"


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[FastAPI]:
    settings = Settings(
        data_dir=tmp_path, http_port=0, dicom_port=0, mllp_port=0, sweep_from="", sweep_to="",
        public_url=PUBLIC_URL,
    )  # fmt: skip
    async with opened(settings, OpenAccess()) as gateway:
        yield gateway.http


@pytest.fixture
async def root(application: FastAPI) -> AsyncIterator[str]:
    async with serving(application) as url:
        yield url + ROOT


async def options(
    url: str, accept: str = "*/*", **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    async with (
        aiohttp.ClientSession() as http,
        http.options(url, headers={"Accept": accept, **headers}) as response,
    ):
        return response, await response.read()


async def test_what_is_described_is_what_is_routed(application: FastAPI, root: str) -> None:
    _, document = await options(root)

    assert set(described(ElementTree.fromstring(document))) == set(routed(application))


def described(document: ElementTree.Element) -> Iterator[tuple[str, str]]:
    [resources] = document.findall(f"{WADL}resources")
    assert resources.get("base") == f"{PUBLIC_URL}{ROOT}"
    yield from _described(resources, "")


def _described(holder: ElementTree.Element, at: str) -> Iterator[tuple[str, str]]:
    for method in holder.iterfind(f"{WADL}method"):
        yield at, method.attrib["name"]
    for resource in holder.iterfind(f"{WADL}resource"):
        yield from _described(resource, f"{at}/{resource.attrib['path']}")


def routed(application: FastAPI) -> Iterator[tuple[str, str]]:
    for route in application.router.routes:
        if isinstance(route, Route) and route.path.startswith(f"{ROOT}/"):
            for method in (route.methods or set()) - {"HEAD", "OPTIONS"}:
                yield route.path.removeprefix(ROOT).replace(":path}", "}"), method


async def test_each_method_is_described_with_what_it_gives(root: str) -> None:
    _, document = await options(root)

    methods = ElementTree.fromstring(document).findall(f".//{WADL}method")

    assert methods
    assert [one for one in methods if not one.findall(f"{WADL}response/{WADL}representation")] == []


async def test_each_resource_can_be_asked_what_it_can_do(application: FastAPI, root: str) -> None:
    for path in {path for path, _ in routed(application)}:
        response, document = await options(root + path.replace("{", "").replace("}", ""))

        assert response.status == 200
        [resource] = ElementTree.fromstring(document).findall(f"{WADL}resources/{WADL}resource")
        assert resource.get("path") == path.removeprefix("/")
        methods = {one.get("name") for one in resource.iterfind(f"{WADL}method")}
        assert methods == {method for at, method in routed(application) if at == path}
        assert set(response.headers["Allow"].split(", ")) - {"HEAD"} == methods | {"OPTIONS"}


@pytest.mark.parametrize(
    "accept, given",
    [
        ("*/*", "application/vnd.sun.wadl+xml"),
        ("application/vnd.sun.wadl+xml", "application/vnd.sun.wadl+xml"),
        ("application/json", "application/json"),
        ("application/dicom+json", "application/dicom+json"),
    ],
)
async def test_it_is_told_as_wadl_or_json(root: str, accept: str, given: str) -> None:
    response, content = await options(root, accept)

    assert (response.status, response.headers["Content-Type"]) == (200, given)
    assert len(content) == int(response.headers["Content-Length"])


async def test_json_tells_what_wadl_tells(root: str) -> None:
    response, _ = await options(root, "application/json")
    _, document = await options(root)

    told = await response.json()
    assert told["application"]["resources"]["base"] == f"{PUBLIC_URL}{ROOT}"
    assert set(_in_json(told["application"]["resources"], "")) == set(
        described(ElementTree.fromstring(document))
    )


def _in_json(holder: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    for method in holder.get("method", ()):
        yield at, method["name"]
    for resource in holder.get("resource", ()):
        yield from _in_json(resource, f"{at}/{resource['path']}")


async def test_who_has_it_is_told_that_nothing_changed(root: str) -> None:
    first, _ = await options(root)
    tag = first.headers["ETag"]

    again, content = await options(root, **{"If-None-Match": tag})
    other, _ = await options(root, "application/json", **{"If-None-Match": tag})

    assert (again.status, content, again.headers["ETag"]) == (304, b"", tag)
    assert other.status == 200


async def test_it_is_not_told_in_another_form(root: str) -> None:
    response, _ = await options(root, "text/html")

    assert response.status == 406


@pytest.mark.parametrize(
    "path",
    ["/studies/", "/studies/1.2/metadata/", "/studies/1.2/series/1.3/instances/1.4/bulkdata"],
)
async def test_what_is_not_described_leads_nowhere(root: str, path: str) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(root + path, allow_redirects=False) as response,
    ):
        assert response.status == 404
