"""The index's HTTP face: who may ask, what it takes and gives, and what it never tells."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
import pytest

from indexer.server.access.policy import RefuseAll
from indexer.wire.fhir.bundles import provide_bundle
from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE, KOS, STUDY, a_submission, an_entry

FHIR = {"Content-Type": "application/fhir+json"}
FORM = {"patient.identifier": f"urn:oid:{ANNE.oid}|{ANNE.value}", "status": "current"}
UUID = "11111111-2222-4333-8444-555555555555"


async def submit(session: aiohttp.ClientSession, url: str, number: int = 1) -> str:
    body = orjson.dumps(provide_bundle(a_submission(number)))
    async with session.post(f"{url}/fhir", data=body, headers=FHIR) as answer:
        assert answer.status == 200
        bundle = await answer.json(content_type="application/fhir+json")
    location: str = bundle["entry"][1]["response"]["location"]
    return location.rpartition("/")[2]


async def outcome_of(answer: aiohttp.ClientResponse) -> str:
    """The issue type of an OperationOutcome."""
    assert answer.content_type == "application/fhir+json"
    outcome = orjson.loads(await answer.read())
    assert outcome["resourceType"] == "OperationOutcome"
    code: str = outcome["issue"][0]["code"]
    return code


async def test_without_open_access_only_probes_are_answered(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with a_served_index(tmp_path, policy=RefuseAll()) as url:
        async with session.get(f"{url}/openapi.json") as answer:
            paths = (await answer.json())["paths"]
        statuses = {}
        for path, operations in paths.items():
            for method in operations:
                # Nothing that is sent would be valid: who asks comes before what is asked.
                async with session.request(
                    method, url + path, data=b"{", headers={"Authorization": "Bearer x"}
                ) as answer:
                    statuses[path] = answer.status
                    if answer.status == 401:
                        assert await outcome_of(answer) == "login"
                        assert answer.headers["WWW-Authenticate"] == "Bearer"

    public = {"/health/live": 200, "/health/ready": 200, "/metrics": 200}
    assert {path: status for path, status in statuses.items() if status != 401} == public
    assert "/fhir" in statuses


async def test_without_open_access_an_unknown_address_is_not_told_from_a_known_one(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with (
        a_served_index(tmp_path, policy=RefuseAll()) as url,
        session.get(f"{url}/fhir/Patient/1") as answer,
    ):
        assert answer.status == 401


async def test_with_open_access_a_wrong_authorization_is_ignored(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": "Bearer nobody"}

    async with session.get(f"{index_url}/fhir/metadata", headers=headers) as answer:
        assert answer.status == 200


async def test_a_transaction_is_answered_entry_by_entry(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    bundle = provide_bundle(a_submission())
    async with session.post(f"{index_url}/fhir", json=bundle) as answer:
        created = [
            one["response"]["location"] for one in (await answer.json(content_type=None))["entry"]
        ]

    answers: list[Any] = []
    for place in created[:2]:
        async with session.get(f"{index_url}/fhir/{place}") as answer:
            answers.append(await answer.json(content_type="application/fhir+json"))

    listed, document = answers
    assert listed["entry"] == [{"item": {"reference": created[1]}}]
    assert [f"List/{listed['id']}", f"DocumentReference/{document['id']}"] == created[:2]
    url = document["content"][0]["attachment"]["url"]
    async with session.get(url, headers={"Accept": "application/dicom"}) as answer:
        assert (await answer.read(), answer.content_type) == (KOS, "application/dicom")


async def test_a_search_is_answered_the_same_by_address_and_by_form(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    await submit(session, index_url)
    place = f"{index_url}/fhir/DocumentReference"

    async with session.get(place, params=FORM) as answer:
        by_address = await answer.json(content_type=None)
    async with session.post(f"{place}/_search", data=FORM) as answer:
        by_form = await answer.json(content_type=None)

    assert by_address["entry"] == by_form["entry"]
    assert len(by_form["entry"]) == 1


async def test_an_accession_number_finds_its_study(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    await submit(session, index_url)
    place = f"{index_url}/fhir/DocumentReference/_search"

    counts = []
    for accession in (r"A\|1", r"A\|2"):
        async with session.post(place, data=FORM | {"accession-number": accession}) as answer:
            counts.append(len((await answer.json(content_type=None)).get("entry", [])))

    assert counts == [1, 0]


async def test_the_address_of_a_further_page_holds_no_identity(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    for number in range(1, 6):
        await submit(session, index_url, number)
    async with session.post(
        f"{index_url}/fhir/DocumentReference/_search", data=FORM | {"_count": "2"}
    ) as answer:
        pages = [await answer.json(content_type=None)]

    while following := [link["url"] for link in pages[-1]["link"] if link["relation"] == "next"]:
        assert ANNE.value not in following[0]
        assert "patient.identifier" not in dict(parse_qsl(urlsplit(following[0]).query))
        async with session.get(following[0]) as answer:
            pages.append(await answer.json(content_type=None))

    ids = [entry["resource"]["id"] for page in pages for entry in page["entry"]]
    assert [len(page["entry"]) for page in pages] == [2, 2, 1]
    assert len(set(ids)) == 5


@pytest.mark.parametrize("address", [
    "/fhir/DocumentReference/" + UUID,
    "/fhir/DocumentReference/not-an-id",
    "/fhir/List/" + UUID,
    "/fhir/Binary/" + UUID,
    "/fhir/Patient/1",
    "/fhir/DocumentReference?status=current&_after=" + UUID,
    "/",
])  # fmt: skip
async def test_what_is_not_held_is_not_found(
    index_url: str, session: aiohttp.ClientSession, address: str
) -> None:
    async with session.get(index_url + address) as answer:
        assert answer.status == 404
        assert await outcome_of(answer) == "not-found"


@pytest.mark.parametrize("body, media_type, status, code", [
    (b"{", "application/fhir+json", 400, "structure"),
    (b"[]", "application/fhir+json", 400, "structure"),
    (b"{}", "application/json; charset=utf-8", 400, "required"),
    (b"[" * 100_000, "application/fhir+json", 400, "structure"),
    (b"<Bundle/>", "application/fhir+xml", 400, "structure"),
    (b"{}", "text/plain", 415, "not-supported"),
    (b"{}", "", 415, "not-supported"),
    (b" " * (2**20 + 1), "application/fhir+json", 413, "too-long"),
])  # fmt: skip
async def test_a_body_that_is_no_submission_is_refused_with_its_reason(
    index_url: str,
    session: aiohttp.ClientSession,
    *,
    body: bytes,
    media_type: str,
    status: int,
    code: str,
) -> None:
    headers = {"Content-Type": media_type}

    async with session.post(f"{index_url}/fhir", data=body, headers=headers) as answer:
        assert (answer.status, await outcome_of(answer)) == (status, code)


async def test_a_body_that_does_not_come_is_not_waited_for_for_ever(
    index_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.server.web.http.BODY_WAIT_S_MAX", 0.05)

    assert (await half_a_submission(index_url)).startswith(b"HTTP/1.1 408 ")


async def test_a_caller_that_breaks_off_is_no_fault_of_ours(
    index_url: str, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    await half_a_submission(index_url, break_off=True)
    async with session.get(f"{index_url}/health/ready") as answer:
        assert answer.status == 200

    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def half_a_submission(url: str, *, break_off: bool = False) -> bytes:
    """The first line of the answer to a body that is promised and not sent in full."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = "POST /fhir HTTP/1.1\r\nHost: index\r\nContent-Type: application/fhir+json\r\n"
    writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    line = b"" if break_off else await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


async def test_a_form_larger_than_a_search_needs_is_refused(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    place = f"{index_url}/fhir/DocumentReference/_search"

    async with session.post(place, data=FORM | {"type": "x" * 20_000}) as answer:
        assert (answer.status, await outcome_of(answer)) == (413, "too-long")


async def test_more_parameters_than_a_search_has_are_refused(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    place = f"{index_url}/fhir/DocumentReference?" + "a=1&" * 100

    async with session.get(place) as answer:
        assert (answer.status, await outcome_of(answer)) == (400, "structure")


@pytest.mark.parametrize("accept, status", [
    ("application/dicom", 200),
    ("application/*", 200),
    ("text/html, */*;q=0.1", 200),
    ("text/plain", 406),
    ("*/*, application/dicom;q=0", 406),
])  # fmt: skip
async def test_a_document_is_given_in_its_own_media_type_or_not_at_all(
    index_url: str, session: aiohttp.ClientSession, accept: str, status: int
) -> None:
    entry_id = await submit(session, index_url)

    async with session.get(
        f"{index_url}/fhir/Binary/{entry_id}", headers={"Accept": accept}
    ) as answer:
        assert answer.status == status


async def test_nothing_can_be_deleted(index_url: str, session: aiohttp.ClientSession) -> None:
    async with session.delete(f"{index_url}/fhir/DocumentReference/{UUID}") as answer:
        assert (answer.status, await outcome_of(answer)) == (405, "not-supported")


async def test_every_search_parameter_that_is_offered_is_taken(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{index_url}/fhir/metadata") as answer:
        statement = await answer.json(content_type=None)
    examples = {"date": "2026", "identifier": "urn:oid:1.2.3", **FORM}

    for resource in statement["rest"][0]["resource"]:
        if resource["type"] not in ("DocumentReference", "List"):
            continue
        for one in resource.get("searchParam", []):
            example = examples.get(one["name"], examples.get(one["type"], "1.2.3"))
            place = f"{index_url}/fhir/{resource['type']}/_search"
            form = {"code": "submissionset"} if resource["type"] == "List" else {}
            async with session.post(place, data=FORM | form | {one["name"]: example}) as answer:
                assert answer.status == 200, one["name"]


async def found(session: aiohttp.ClientSession, url: str, *told: tuple[str, str]) -> list[str]:
    """Unique ids of what a search of Anne's record finds, page by page."""
    form = [("patient.identifier", FORM["patient.identifier"]), *told]
    ids: list[str] = []
    following: str | None = None
    while True:
        request = (
            session.get(following)
            if following
            else session.post(f"{url}/fhir/DocumentReference/_search", data=form)
        )
        async with request as answer:
            assert answer.status == 200, await answer.text()
            bundle = await answer.json(content_type=None)
        ids += [one["resource"]["masterIdentifier"]["value"] for one in bundle.get("entry", [])]
        links = {one["relation"]: one["url"] for one in bundle["link"]}
        assert ("total" in bundle) == (following is None and "next" not in links)
        following = links.get("next")
        if following is None:
            return ids


async def test_a_search_by_what_has_no_column_goes_through_all_pages(
    index_url: str, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.server.registry.finder.SCANNED_ROWS", 2)
    for number in range(1, 8):
        await submit(session, index_url, number)
    unique_ids = [f"urn:oid:{an_entry(number).unique_id}" for number in range(7, 0, -1)]
    status = ("status", "current")

    late = ("creation", "ge2026-11-23T00:03Z")
    assert await found(session, index_url, status, late, ("_count", "2")) == unique_ids[:5]
    early = ("creation", "lt2026-11-23T00:03Z")
    assert await found(session, index_url, status, early, ("_count", "1")) == unique_ids[5:]
    assert await found(session, index_url, status, late, early) == []
    some = ("identifier", ",".join(unique_ids[1:4]))
    assert await found(session, index_url, some, ("_count", "1")) == unique_ids[1:4]
    assert await found(session, index_url, some, late, ("type", "IMG-KOS")) == unique_ids[1:4]
    assert await found(session, index_url, some, ("type", "other")) == []


async def test_a_search_that_would_look_at_too_much_is_refused(
    index_url: str, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.server.registry.finder.SCANNED_ROWS", 2)
    monkeypatch.setattr("indexer.server.registry.finder.SCANNED_MAX", 4)
    for number in range(1, 6):
        await submit(session, index_url, number)
    place = f"{index_url}/fhir/DocumentReference/_search"

    async with session.post(place, data=FORM | {"category": "none"}) as answer:
        assert (answer.status, await outcome_of(answer)) == (400, "too-costly")


async def test_an_unknown_parameter_is_passed_over_for_who_asks_for_it(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    await submit(session, index_url)
    place = f"{index_url}/fhir/DocumentReference/_search"
    told = FORM | {"patient": "Patient/1", "custom": "x"}

    async with session.post(place, data=told) as answer:
        assert (answer.status, await outcome_of(answer)) == (400, "not-supported")
    headers = {"Prefer": "respond-async, handling=lenient"}
    async with session.post(place, data=told, headers=headers) as answer:
        bundle = await answer.json(content_type=None)

    assert len(bundle["entry"]) == 1
    asked = dict(parse_qsl(urlsplit(bundle["link"][0]["url"]).query))
    assert asked == FORM


async def test_a_form_may_name_the_form_of_its_answer(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    place = f"{index_url}/fhir/DocumentReference/_search"

    async with session.post(place, data=FORM | {"_format": "xml"}) as answer:
        assert (answer.status, answer.content_type) == (200, "application/fhir+xml")


async def test_neither_logs_nor_metrics_nor_refusals_name_a_patient_or_a_study(
    index_url: str, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    entry_id = await submit(session, index_url)
    told = []
    requests = [
        ("GET", f"/fhir/DocumentReference?{'&'.join(f'{k}={v}' for k, v in FORM.items())}", None),
        ("GET", f"/fhir/DocumentReference?{ANNE.value}={ANNE.value}", None),
        ("GET", f"/fhir/{ANNE.value}", None),
        ("POST", "/fhir", orjson.dumps(provide_bundle(a_submission()))),
        ("POST", "/fhir", orjson.dumps(provide_bundle(a_submission(document=b"x")) | {"type": 1})),
        ("GET", f"/fhir/Binary/{entry_id}", None),
        ("GET", "/metrics", None),
    ]
    for method, address, body in requests:
        async with session.request(method, index_url + address, data=body, headers=FHIR) as answer:
            if answer.status >= 400 or address == "/metrics":
                told.append(await answer.text())

    ours = [one for one in caplog.records if one.name.partition(".")[0] in ("indexer", "gateway")]
    told += [json.dumps(vars(one), default=str) for one in ours]
    for secret in (ANNE.value, STUDY, an_entry().unique_id, "DESMAUX", "IPP-7"):
        assert not [one for one in told if secret in one]
    assert 'index_submissions_total{outcome="held"} 1.0' in "".join(told)
    assert 'index_submissions_total{outcome="duplicate"} 1.0' in "".join(told)
    assert {"/fhir", "/fhir/Binary/{id}", "unmatched"} <= {
        getattr(one, "route", "") for one in ours
    }
