"""ITI-65 over HTTP, in both forms: many documents at once, all of them or none."""

import aiohttp
import orjson
import pytest

from indexer.wire.fhir.xml_form import read_resource, write_resource
from indexer.wire.outcome import Json
from tests.support.pointers import ANNE, KOS, an_entry
from tests.support.transactions import a_transaction, related, uncontained

JSON, XML = "application/fhir+json", "application/fhir+xml"


class Forms:
    """An index, asked in one of the two forms."""

    def __init__(self, session: aiohttp.ClientSession, url: str, form: str) -> None:
        self._session = session
        self._url = f"{url}/fhir"
        self._form = form

    async def post(self, resource: Json, *, address: str = "") -> tuple[int, Json]:
        body = write_resource(resource) if self._form == XML else orjson.dumps(resource)
        headers = {"Content-Type": self._form, "Accept": self._form}
        async with self._session.post(self._url + address, data=body, headers=headers) as answer:
            return answer.status, await self._told(answer)

    async def get(self, address: str) -> tuple[int, Json]:
        headers = {"Accept": self._form}
        async with self._session.get(f"{self._url}/{address}", headers=headers) as answer:
            return answer.status, await self._told(answer)

    async def statuses(self, numbers: range) -> list[str]:
        """Of the documents by their unique ids; empty where there is none."""
        told = []
        for number in numbers:
            unique_id = f"urn:oid:{an_entry(number).unique_id}"
            _, found = await self.get(f"DocumentReference?identifier={unique_id}")
            told += [one["resource"]["status"] for one in found.get("entry", [{}]) if one] or [""]
        return told

    async def _told(self, answer: aiohttp.ClientResponse) -> Json:
        assert answer.content_type == self._form
        body = await answer.read()
        told: Json = read_resource(body) if self._form == XML else orjson.loads(body)
        return told


@pytest.fixture(params=[JSON, XML])
def forms(session: aiohttp.ClientSession, index_url: str, request: pytest.FixtureRequest) -> Forms:
    return Forms(session, index_url, request.param)


def locations(answer: Json) -> list[str]:
    return [one["response"].get("location", "") for one in answer["entry"]]


async def test_documents_of_one_set_are_held_together(forms: Forms) -> None:
    status, answer = await forms.post(a_transaction([1, 2, 3]))

    assert status == 200
    listed, *documents = locations(answer)
    _, held = await forms.get(listed)
    assert [one["item"]["reference"] for one in held["entry"]] == documents[::2]
    for place in documents[1::2]:
        _, binary = await forms.get(place)
        assert binary["contentType"] == "application/dicom"
    assert await forms.statuses(range(1, 4)) == ["current"] * 3


async def test_if_one_document_is_refused_none_is_held(forms: Forms) -> None:
    await forms.post(a_transaction([2]))

    status, outcome = await forms.post(a_transaction([1, 2, 3]))

    assert (status, outcome["issue"][0]["code"]) == (409, "duplicate")
    assert await forms.statuses(range(1, 4)) == ["", "current", ""]


@pytest.mark.parametrize("code, after", [
    ("replaces", "superseded"), ("appends", "current"), ("transforms", "current"),
    ("signs", "current"),
])  # fmt: skip
async def test_what_is_held_becomes_what_the_relation_makes_of_it(
    forms: Forms, code: str, after: str
) -> None:
    _, held = await forms.post(a_transaction([1]))
    target = locations(held)[1]

    status, answer = await forms.post(related(a_transaction([2]), code, target))

    assert status == 200
    _, document = await forms.get(locations(answer)[1])
    assert document["relatesTo"] == [{"code": code, "target": {"reference": target}}]
    assert await forms.statuses(range(1, 3)) == [after, "current"]


async def test_who_stands_beside_a_document_is_found_within_it(forms: Forms) -> None:
    bundle = uncontained(a_transaction(profile="UnContained.Comprehensive"))

    status, answer = await forms.post(bundle)

    assert status == 200
    _, document = await forms.get(locations(answer)[1])
    assert document["subject"]["identifier"]["value"] == ANNE.value
    kinds = {one["resourceType"] for one in document["contained"]}
    assert kinds == {"Patient", "Practitioner", "Organization"}
    assert locations(answer)[3:] == [""] * (len(bundle["entry"]) - 3)


async def test_a_document_is_the_same_whatever_the_form_it_came_in(
    session: aiohttp.ClientSession, index_url: str, forms: Forms
) -> None:
    _, answer = await forms.post(a_transaction())

    place = f"{index_url}/fhir/{locations(answer)[2]}"
    async with session.get(place, headers={"Accept": "*/*"}) as document:
        assert await document.read() == KOS


async def test_what_is_refused_is_told_in_the_form_that_was_asked_for(forms: Forms) -> None:
    bundle = a_transaction()
    bundle["type"] = "batch"

    status, outcome = await forms.post(bundle)

    assert (status, outcome["issue"][0]["code"]) == (400, "value")


@pytest.mark.parametrize("accept, form", [
    ("application/fhir+xml", XML),
    ("application/xml", XML),
    ("application/fhir+json;q=0.5, application/fhir+xml", XML),
    ("text/html, application/fhir+xml;q=0.9, */*;q=0.8", XML),
    ("application/fhir+xml;q=0.5, application/json", JSON),
    ("application/*", JSON),
    ("*/*", JSON),
    ("", JSON),
])  # fmt: skip
async def test_the_form_that_is_liked_best_is_given(
    session: aiohttp.ClientSession, index_url: str, accept: str, form: str
) -> None:
    headers = {"Accept": accept}

    async with session.get(f"{index_url}/fhir/metadata", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, form)


@pytest.mark.parametrize("told, form", [
    ("xml", XML), ("application/fhir+xml", XML), ("application/fhir%2Bjson", JSON), ("json", JSON),
])  # fmt: skip
async def test_an_address_may_name_the_form_whatever_accept_says(
    session: aiohttp.ClientSession, index_url: str, told: str, form: str
) -> None:
    headers = {"Accept": "text/html"}

    async with session.get(f"{index_url}/fhir/metadata?_format={told}", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, form)


@pytest.mark.parametrize("address, accept", [
    ("metadata", "text/html"), ("metadata?_format=ttl", "*/*"),
    ("metadata", "*/*, application/*;q=0, text/*;q=0"),
])  # fmt: skip
async def test_who_takes_neither_form_is_told_so_in_json(
    session: aiohttp.ClientSession, index_url: str, address: str, accept: str
) -> None:
    headers = {"Accept": accept}

    async with session.get(f"{index_url}/fhir/{address}", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (406, JSON)
