"""At which address a client is told to find things, if a proxy forwards what it asks (RFC 7239)."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from gateway.security.forwarded import Forwarding
from gateway.security.policy import OpenAccess
from tests.support.retrieval import PUBLIC_URL, Bench, a_bench, a_slice
from tests.support.studies import SERIES, STUDY

OWN = "http://127.0.0.1:8080"
OUTER = "https://images.example/centre"
THERE = {
    "X-Forwarded-For": "192.0.2.60",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "images.example",
    "X-Forwarded-Prefix": "/centre",
}
STUDY_PATH = f"/studies/{STUDY}"
INSTANCE_PATH = f"{STUDY_PATH}/series/{SERIES}/instances/{SERIES}.1"
HOSTILE = [
    {"X-Forwarded-For": "x" * 5000, "X-Forwarded-Host": "images.example"},
    {"X-Forwarded-For": "192.0.2.60", "X-Forwarded-Host": "evil.example/<script>"},
    {"X-Forwarded-For": "192.0.2.60", "X-Forwarded-Host": 'a" b', "X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "\u00e9vil.example", "X-Forwarded-Proto": "\u00ff"},
    {"Forwarded": 'for="192.0.2.60;host=evil.example'},
    {"Forwarded": "for=192.0.2.60;host=evil.example\\"},
    {"Forwarded": ";,=" * 1000},
    {"X-Forwarded-Prefix": "/../..", "X-Forwarded-Host": "images.example"},
    {"X-Forwarded-For": "192.0.2.60", "Forwarded": "for=127.0.0.1;host=evil.example"},
]


def forwarding(*proxies: str, fixed: bool = False) -> Forwarding:
    networks = [ip_network(one) for one in proxies]
    return Forwarding(networks, base_url=PUBLIC_URL if fixed else OWN, fixed=fixed)


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Bench]:
    """It trusts this machine, and so the tests."""
    async with a_bench(tmp_path, OpenAccess(), forwarding=forwarding("127.0.0.0/8")) as bench:
        yield bench


async def addresses(bench: Bench, headers: Mapping[str, str]) -> set[str]:
    """The bases of all addresses that answers name."""
    named = set()
    for path in (STUDY_PATH, "/studies", f"{STUDY_PATH}/metadata", f"{INSTANCE_PATH}/frames/1",
                 f"{STUDY_PATH}/pixeldata"):  # fmt: skip
        async with bench.get(path, "*/*", headers) as response:
            assert response.status == 200
            body = await response.read()
            if path != "/studies":
                named.add(response.headers["Content-Location"].removesuffix(path))
        if path in ("/studies", f"{STUDY_PATH}/metadata"):
            told = json.dumps(json.loads(body))
            found = re.findall(r'"(https?://[^"]*)/studies', told)
        else:
            found = re.findall(rb"Content-Location: (.*?)/studies", body)
        assert found
        named |= {one.decode() if isinstance(one, bytes) else one for one in found}
    return {one.removesuffix("/dicom-web") for one in named}


async def test_every_answer_names_the_address_that_the_proxy_tells(behind: Bench) -> None:
    await behind.push(a_slice(1, PixelData=bytes(512)))

    assert await addresses(behind, THERE) == {OUTER}
    assert await addresses(behind, {}) == {OWN}


async def test_each_address_has_its_own_tags(behind: Bench) -> None:
    await behind.push(a_slice(1))

    for path in (STUDY_PATH, f"{STUDY_PATH}/metadata"):
        async with behind.get(path, "*/*") as response:
            tag = response.headers["ETag"]
        async with behind.get(path, "*/*", {**THERE, "If-None-Match": tag}) as response:
            assert response.status == 200
            there = response.headers["ETag"]
        async with behind.get(path, "*/*", {**THERE, "If-None-Match": there}) as response:
            assert response.status == 304
            assert response.headers["Content-Location"] == f"{OUTER}/dicom-web{path}"


@pytest.mark.parametrize("headers", HOSTILE)
async def test_what_is_wrong_is_passed_over(behind: Bench, headers: Mapping[str, str]) -> None:
    await behind.push(a_slice(1))

    assert await addresses(behind, headers) == {OWN}


async def test_a_public_url_rules(tmp_path: Path) -> None:
    trusting = forwarding("127.0.0.1", fixed=True)
    async with a_bench(tmp_path, OpenAccess(), forwarding=trusting) as bench:
        await bench.push(a_slice(1))

        assert await addresses(bench, THERE) == {PUBLIC_URL}


async def test_nobody_is_trusted_but_who_is_named(tmp_path: Path) -> None:
    trusting = forwarding("10.0.0.0/8", "::1")
    async with a_bench(tmp_path, OpenAccess(), forwarding=trusting) as bench:
        await bench.push(a_slice(1))

        assert await addresses(bench, THERE) == {OWN}


async def test_what_is_written_anew_or_comes_from_a_pacs_says_where_it_is(behind: Bench) -> None:
    await behind.push(a_slice(1), ImplicitVRLittleEndian)
    await behind.hold_in_pacs(a_slice(2, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4"))

    for path in (STUDY_PATH, "/studies/1.2.3", "/studies/1.2.3/metadata"):
        async with behind.get(path, "*/*", THERE) as response:
            assert response.headers["Content-Location"] == f"{OUTER}/dicom-web{path}"
            body = await response.read()
        if path.endswith("metadata"):
            assert f'"BulkDataURI":"{OUTER}/dicom-web/studies/1.2.3'.encode() in body
        else:
            assert f"Content-Location: {OUTER}/dicom-web{path}/series/".encode() in body
