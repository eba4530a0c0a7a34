"""PATCH on an entry, as any publisher may send it: what changes, and what is refused."""

from typing import Any

import aiohttp
import orjson
import pytest

from indexer.wire.fhir.bundles import provide_bundle
from indexer.wire.fhir.patch import withdrawal_patch
from indexer.wire.fhir.xml_form import write_resource
from indexer.wire.outcome import Json
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import QueryKind
from tests.support.pointers import ANNE, KOS, a_submission, an_entry
from tests.support.xds import query

PATCH = {"Content-Type": "application/json-patch+json"}
WITHDRAWAL = orjson.dumps(withdrawal_patch())
UNKNOWN = "11111111-2222-4333-8444-555555555555"
UNIQUE_ID = f"urn:ietf:rfc:3986|urn:oid:{an_entry().unique_id}"


@pytest.fixture
async def entry_id(index_url: str, session: aiohttp.ClientSession) -> str:
    """An entry that the index holds."""
    body, headers = (
        orjson.dumps(provide_bundle(a_submission())),
        {"Content-Type": "application/fhir+json"},
    )
    async with session.post(f"{index_url}/fhir", data=body, headers=headers) as answer:
        bundle = orjson.loads(await answer.read())
    location: str = bundle["entry"][1]["response"]["location"]
    return location.rpartition("/")[2]


@pytest.fixture
def place(index_url: str) -> str:
    return f"{index_url}/fhir/DocumentReference"


async def told(answer: aiohttp.ClientResponse) -> Any:
    assert answer.content_type == "application/fhir+json"
    return orjson.loads(await answer.read())


async def code_of(answer: aiohttp.ClientResponse) -> str:
    outcome = await told(answer)
    assert outcome["resourceType"] == "OperationOutcome"
    code: str = outcome["issue"][0]["code"]
    return code


async def status_of(session: aiohttp.ClientSession, place: str, entry_id: str) -> str:
    async with session.get(f"{place}/{entry_id}") as answer:
        status: str = (await told(answer))["status"]
    return status


async def test_a_withdrawal_by_id_is_answered_with_the_entry_as_it_is_then(
    session: aiohttp.ClientSession, place: str, entry_id: str
) -> None:
    url = f"{place}/{entry_id}"

    async with session.patch(url, data=WITHDRAWAL, headers=PATCH) as answer:
        assert answer.status == 200
        resource = await told(answer)

    assert (resource["id"], resource["status"]) == (entry_id, "entered-in-error")
    assert await status_of(session, place, entry_id) == "entered-in-error"


async def test_a_withdrawal_by_unique_id_does_the_same_and_can_be_repeated(
    session: aiohttp.ClientSession, place: str, entry_id: str
) -> None:
    condition = {"identifier": UNIQUE_ID}

    for _ in range(2):
        async with session.patch(place, params=condition, data=WITHDRAWAL, headers=PATCH) as answer:
            assert answer.status == 200
            resource = await told(answer)
            assert (resource["id"], resource["status"]) == (entry_id, "entered-in-error")


async def test_a_withdrawn_entry_is_found_by_its_status_alone(
    session: aiohttp.ClientSession, place: str, entry_id: str
) -> None:
    async with session.patch(f"{place}/{entry_id}", data=WITHDRAWAL, headers=PATCH) as answer:
        assert answer.status == 200
    patient = {"patient.identifier": f"urn:oid:{ANNE.oid}|{ANNE.value}"}
    searches = [
        patient | {"status": "current"},
        patient | {"status": "current,superseded"},
        {"identifier": UNIQUE_ID},
        patient | {"status": "entered-in-error"},
        {"identifier": UNIQUE_ID, "status": "entered-in-error"},
    ]

    counts = []
    for form in searches:
        async with session.post(f"{place}/_search", data=form) as answer:
            counts.append(len((await told(answer)).get("entry", [])))

    assert counts == [0, 0, 0, 1, 1]


async def test_a_withdrawn_document_is_gone(
    session: aiohttp.ClientSession, index_url: str, place: str, entry_id: str
) -> None:
    async with session.patch(f"{place}/{entry_id}", data=WITHDRAWAL, headers=PATCH) as answer:
        assert answer.status == 200

    async with session.get(f"{index_url}/fhir/Binary/{entry_id}") as answer:
        assert (answer.status, await code_of(answer)) == (410, "deleted")


async def test_a_document_is_given_as_a_resource_to_who_asks_for_one(
    session: aiohttp.ClientSession, index_url: str, entry_id: str
) -> None:
    url = f"{index_url}/fhir/Binary/{entry_id}"
    async with session.get(url, headers={"Accept": "application/fhir+json"}) as answer:
        resource = await told(answer)

    async with session.get(url, headers={"Accept": "*/*"}) as answer:
        document = await answer.read()

    assert (resource["resourceType"], resource["contentType"]) == ("Binary", "application/dicom")
    assert document == KOS


@pytest.mark.parametrize("body, status, code", [
    (b"{", 400, "structure"),
    (b"{}", 400, "structure"),
    (b"[" * 10_000, 400, "structure"),
    (b'[{"op": "erase", "path": "/status"}]', 400, "structure"),
    (b'[{"op": "replace", "path": "/description", "value": "x"}]', 405, "not-supported"),
    (b'[{"op": "replace", "path": "/securityLabel", "value": []}]', 422, "business-rule"),
    (b'[{"op": "test", "path": "/status", "value": "superseded"}]', 422, "business-rule"),
    (b'[{"op": "remove", "path": "/status"}]', 400, "required"),
    (b" " * (16 * 1024 + 1), 413, "too-long"),
])  # fmt: skip
async def test_another_change_is_refused_and_changes_nothing(
    session: aiohttp.ClientSession,
    place: str,
    entry_id: str,
    *,
    body: bytes,
    status: int,
    code: str,
) -> None:
    async with session.patch(f"{place}/{entry_id}", data=body, headers=PATCH) as answer:
        assert (answer.status, await code_of(answer)) == (status, code)
        assert answer.headers.get("Allow") == ("GET, PATCH" if status == 405 else None)

    assert await status_of(session, place, entry_id) == "current"


async def test_a_withdrawn_entry_does_not_come_back(
    session: aiohttp.ClientSession, place: str, entry_id: str
) -> None:
    back = WITHDRAWAL.replace(b"entered-in-error", b"current")

    statuses = []
    for body in (WITHDRAWAL, back):
        async with session.patch(f"{place}/{entry_id}", data=body, headers=PATCH) as answer:
            statuses.append(answer.status)

    assert statuses == [200, 422]
    assert await status_of(session, place, entry_id) == "entered-in-error"


async def test_a_label_that_is_changed_is_told_by_both_protocols_and_can_be_repeated(
    session: aiohttp.ClientSession, index_url: str, place: str, entry_id: str
) -> None:
    labels = [{"coding": [{"system": "urn:oid:1.2.250.1.213.1.1.4.13", "code": "MASQUE_PS"}]}]
    change = [{"op": "replace", "path": "/securityLabel", "value": labels}]

    told_by_fhir = []
    for _ in range(2):
        async with session.patch(
            f"{place}/{entry_id}", data=orjson.dumps(change), headers=PATCH
        ) as answer:
            told_by_fhir.append((await told(answer))["securityLabel"])
    parameter = ("$XDSDocumentEntryEntryUUID", f"('urn:uuid:{entry_id}')")
    found = await query(index_url, QueryKind.GET_DOCUMENTS, parameter)

    assert told_by_fhir == [labels, labels]
    scheme = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"  # confidentialityCode
    codes = [
        one.get("nodeRepresentation")
        for one in found.body.iter(f"{{{names.RIM}}}Classification")
        if one.get("classificationScheme") == scheme
    ]
    assert codes == ["MASQUE_PS"]


FHIRPATH: Json = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "replace"},
                {"name": "path", "valueString": "DocumentReference.status"},
                {"name": "value", "valueCode": "entered-in-error"},
            ],
        }
    ],
}


@pytest.mark.parametrize("media_type, body", [
    ("application/json-patch+json", WITHDRAWAL),
    ("application/fhir+json", orjson.dumps(FHIRPATH)),
    ("application/fhir+xml; charset=utf-8", write_resource(FHIRPATH)),
    ("application/xml-patch+xml", b'<diff xmlns:f="http://hl7.org/fhir"><replace '
     b'sel="/f:DocumentReference/f:status/@value">entered-in-error</replace></diff>'),
])  # fmt: skip
async def test_each_form_of_patch_does_the_same(
    session: aiohttp.ClientSession, place: str, entry_id: str, *, media_type: str, body: bytes
) -> None:
    headers = {"Content-Type": media_type}

    async with session.patch(f"{place}/{entry_id}", data=body, headers=headers) as answer:
        assert answer.status == 200

    assert await status_of(session, place, entry_id) == "entered-in-error"


@pytest.mark.parametrize("media_type", ["application/json", "text/xml", ""])
async def test_another_form_of_patch_is_refused_with_those_that_are_taken(
    session: aiohttp.ClientSession, place: str, entry_id: str, media_type: str
) -> None:
    headers = {"Content-Type": media_type}

    async with session.patch(f"{place}/{entry_id}", data=WITHDRAWAL, headers=headers) as answer:
        assert (answer.status, await code_of(answer)) == (415, "not-supported")
        assert answer.headers["Accept-Patch"] == (
            "application/json-patch+json, application/xml-patch+xml, application/fhir+json, "
            "application/fhir+xml"
        )


@pytest.mark.parametrize("address, status, code", [
    (f"/{UNKNOWN}", 404, "not-found"),
    ("/not-an-id", 404, "not-found"),
    ("?identifier=urn:oid:2.25.404", 404, "not-found"),
    ("", 400, "required"),
    ("?status=current", 400, "required"),
    ("?name=x", 400, "not-supported"),
    ("?identifier=urn:oid:x", 400, "value"),
])  # fmt: skip
async def test_what_names_no_entry_is_refused(
    session: aiohttp.ClientSession,
    place: str,
    entry_id: str,
    *,
    address: str,
    status: int,
    code: str,
) -> None:
    async with session.patch(place + address, data=WITHDRAWAL, headers=PATCH) as answer:
        assert (answer.status, await code_of(answer)) == (status, code)

    assert await status_of(session, place, entry_id) == "current"


async def test_each_change_makes_a_version_and_a_repeat_makes_none(
    session: aiohttp.ClientSession, place: str, entry_id: str
) -> None:
    url, seen = f"{place}/{entry_id}", []
    label = {"coding": [{"system": "urn:oid:1.2.250.1.213.1.1.4.13", "code": "MASQUE_PS"}]}
    change = orjson.dumps([{"op": "replace", "path": "/securityLabel", "value": [label]}])

    for body in (None, change, change, WITHDRAWAL):
        request = session.patch(url, data=body, headers=PATCH) if body else session.get(url)
        async with request as answer:
            meta = (await told(answer))["meta"]
            seen.append((meta["versionId"], answer.headers["ETag"], meta["lastUpdated"]))

    assert [number for number, _, _ in seen] == ["1", "2", "2", "3"]
    assert [tag for _, tag, _ in seen] == ['W/"1"', 'W/"2"', 'W/"2"', 'W/"3"']
    assert seen[1] == seen[2]
    assert seen[0][2] <= seen[1][2] <= seen[3][2]


async def test_a_change_of_a_version_that_is_no_longer_is_refused(
    session: aiohttp.ClientSession, place: str, entry_id: str
) -> None:
    url, answers = f"{place}/{entry_id}", []

    for expected in ('W/"2"', "1", 'W/"1"', '"1"', "*"):
        headers = PATCH | {"If-Match": expected}
        async with session.patch(url, data=WITHDRAWAL, headers=headers) as answer:
            resource = await told(answer)
            code = resource["issue"][0]["code"] if "issue" in resource else ""
            answers.append((answer.status, code))

    assert answers == [(412, "conflict"), (400, "value"), (200, ""), (412, "conflict"), (200, "")]


async def test_what_is_replaced_or_withdrawn_by_another_way_is_another_version(
    session: aiohttp.ClientSession, index_url: str, place: str, entry_id: str
) -> None:
    body = orjson.dumps(provide_bundle(a_submission(2, replaces=entry_id)))
    headers = {"Content-Type": "application/fhir+json"}
    async with session.post(f"{index_url}/fhir", data=body, headers=headers) as answer:
        assert answer.status == 200

    async with session.get(f"{place}/{entry_id}") as answer:
        assert (await told(answer))["meta"]["versionId"] == "2"


async def test_an_entry_is_found_by_when_it_was_changed(
    session: aiohttp.ClientSession, place: str, entry_id: str
) -> None:
    async with session.get(f"{place}/{entry_id}") as answer:
        moment = (await told(answer))["meta"]["lastUpdated"]
    form = {"patient.identifier": f"urn:oid:{ANNE.oid}|{ANNE.value}", "status": "current"}

    counts = []
    for value in (moment, f"ge{moment}", f"gt{moment}", "lt2020", "ge2020"):
        async with session.post(f"{place}/_search", data=form | {"_lastUpdated": value}) as answer:
            counts.append((await told(answer))["total"])

    assert counts == [1, 1, 0, 0, 1]
