"""ITI-105: a document within its metadata, published with a submission set of the index's own."""

import base64

import aiohttp
import orjson
import pytest

from indexer.wire.fhir.xml_form import read_resource, write_resource
from indexer.wire.outcome import Json
from indexer.wire.xds.stored_query import QueryKind
from tests.support.pointers import ANNE, KOS, an_entry
from tests.support.transactions import a_transaction, of_kind
from tests.support.xds import query

JSON, XML = "application/fhir+json", "application/fhir+xml"


def a_publication(number: int = 1) -> Json:
    """The DocumentReference of that document, with the document inside and unmeasured."""
    [resource] = of_kind(a_transaction([number]), "DocumentReference")
    attachment = resource["content"][0]["attachment"]
    for name in ("url", "size", "hash"):
        del attachment[name]
    attachment["data"] = base64.b64encode(KOS).decode()
    return resource


async def publish(
    session: aiohttp.ClientSession, url: str, resource: Json, form: str = JSON
) -> tuple[int, str, Json]:
    """Status, place and body of the answer."""
    body = write_resource(resource) if form == XML else orjson.dumps(resource)
    headers = {"Content-Type": form, "Accept": form}
    place = f"{url}/fhir/DocumentReference"
    async with session.post(place, data=body, headers=headers) as answer:
        told = await answer.read()
        parsed: Json = read_resource(told) if form == XML else orjson.loads(told)
        return answer.status, answer.headers.get("Location", ""), parsed


@pytest.mark.parametrize("form", [JSON, XML])
async def test_a_document_is_held_as_if_it_had_come_in_a_transaction(
    session: aiohttp.ClientSession, index_url: str, form: str
) -> None:
    status, place, created = await publish(session, index_url, a_publication(), form)

    assert status == 201
    async with session.get(place) as answer:
        held = orjson.loads(await answer.read())
    meta = held.pop("meta")
    assert held == {name: value for name, value in created.items() if name != "meta"}
    assert meta["versionId"] == "1"
    attachment = held["content"][0]["attachment"]
    assert (attachment["size"], "data" in attachment) == (len(KOS), False)
    async with session.get(attachment["url"], headers={"Accept": "*/*"}) as answer:
        assert await answer.read() == KOS


async def test_its_submission_set_is_made_of_it(
    session: aiohttp.ClientSession, index_url: str
) -> None:
    _, _, created = await publish(session, index_url, a_publication())
    found = await query(
        index_url, QueryKind.GET_SUBMISSION_SETS, ("$uuid", f"('urn:uuid:{created['id']}')")
    )
    [set_id] = found.ids("RegistryPackage")

    async with session.get(f"{index_url}/fhir/List/{set_id}") as answer:
        listed = orjson.loads(await answer.read())

    assert listed["entry"] == [{"item": {"reference": f"DocumentReference/{created['id']}"}}]
    designation = listed["extension"][0]["valueCodeableConcept"]
    assert designation["coding"][0]["code"] == an_entry().type_code.code


async def test_a_publication_may_replace_what_is_held(
    session: aiohttp.ClientSession, index_url: str
) -> None:
    _, first, old = await publish(session, index_url, a_publication(1))
    target = {"reference": f"DocumentReference/{old['id']}"}
    relation = [{"code": "replaces", "target": target}]

    status, _, new = await publish(session, index_url, a_publication(2) | {"relatesTo": relation})

    assert (status, new["relatesTo"]) == (201, relation)
    async with session.get(first) as answer:
        assert orjson.loads(await answer.read())["status"] == "superseded"


async def test_a_repeat_is_told_as_one(session: aiohttp.ClientSession, index_url: str) -> None:
    await publish(session, index_url, a_publication())

    status, _, outcome = await publish(session, index_url, a_publication())

    assert (status, outcome["issue"][0]["code"]) == (409, "duplicate")


@pytest.mark.parametrize("change, code", [
    ({"data": None}, "required"),
    ({"data": "not base64!"}, "value"),
    ({"url": "urn:uuid:1"}, "not-supported"),
    ({"size": len(KOS) + 1}, "value"),
    ({"hash": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "value"),
    ({"contentType": None}, "required"),
])  # fmt: skip
async def test_what_contradicts_itself_is_refused_and_not_held(
    session: aiohttp.ClientSession, index_url: str, change: Json, code: str
) -> None:
    resource = a_publication()
    attachment = resource["content"][0]["attachment"] | change
    resource["content"][0]["attachment"] = {
        name: value for name, value in attachment.items() if value is not None
    }

    status, place, outcome = await publish(session, index_url, resource)

    assert (status, place, outcome["issue"][0]["code"]) == (400, "", code)
    patient = f"urn:oid:{ANNE.oid}|{ANNE.value}"
    form = {"patient.identifier": patient, "status": "current"}
    async with session.post(f"{index_url}/fhir/DocumentReference/_search", data=form) as answer:
        assert orjson.loads(await answer.read())["total"] == 0
