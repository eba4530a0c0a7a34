"""ITI-66: which submission sets are found, page by page, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
import pytest

from indexer.contract.document import Code, Person, Submission
from indexer.contract.identifiers import Oid
from indexer.wire.fhir.bundles import provide_bundle
from indexer.wire.outcome import Json
from tests.support.pointers import ANNE, PAUL, a_submission

OF_ANNE = ("patient.identifier", f"urn:oid:{ANNE.oid}|{ANNE.value}")
SETS = [("code", "submissionset"), ("status", "current")]


def told(number: int) -> Submission:
    """Anne's sets, a day apart; the third is another hospital's of another type."""
    submission = a_submission(number)
    moment = datetime(2026, 11, number, 9, 30, tzinfo=UTC)
    if number < 3:
        return replace(submission, submitted_at=moment)
    author = Person(number="9", family="Lefèvre", given="Zoé")
    return replace(
        submission,
        submitted_at=moment,
        source_id=Oid("1.2.3"),
        content_type=Code(code="05", scheme="1.2.250.1.213.2.2"),
        entry=replace(submission.entry, author=author),
    )


@pytest.fixture
async def lists(session: aiohttp.ClientSession, index_url: str) -> "Lists":
    for submission in (*map(told, (1, 2, 3)), a_submission(4, patient=PAUL)):
        body = orjson.dumps(provide_bundle(submission))
        headers = {"Content-Type": "application/fhir+json"}
        async with session.post(f"{index_url}/fhir", data=body, headers=headers) as answer:
            assert answer.status == 200
    return Lists(session, f"{index_url}/fhir/List")


class Lists:
    """The lists of an index, as they are asked for."""

    def __init__(self, session: aiohttp.ClientSession, place: str) -> None:
        self._session = session
        self.place = place

    async def ask(self, *parameters: tuple[str, str]) -> tuple[int, Json]:
        async with self._session.post(f"{self.place}/_search", data=list(parameters)) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def get(self, url: str) -> Json:
        async with self._session.get(url) as answer:
            told: Json = orjson.loads(await answer.read())
            return told

    async def days(self, *parameters: tuple[str, str]) -> list[int]:
        """The days of the sets that are found."""
        status, bundle = await self.ask(*parameters)
        assert status == 200
        return days(bundle)


def days(bundle: Json) -> list[int]:
    return [int(one["resource"]["date"][8:10]) for one in bundle.get("entry", [])]


async def test_a_patients_sets_are_found_the_latest_first(lists: Lists) -> None:
    assert await lists.days(OF_ANNE, *SETS) == [3, 2, 1]


@pytest.mark.parametrize("parameter, expected", [
    (("date", "2026-11-02"), [2]),
    (("date", "ge2026-11-02"), [3, 2]),
    (("date", "lt2026-11-02,gt2026-11-02"), [3, 1]),
    (("designationType", "05"), [3]),
    (("designationType", "urn:oid:1.2.250.1.213.2.2|04"), [2, 1]),
    (("designationType", "urn:oid:1.2.3|04"), []),
    (("sourceId", "1.2.3"), [3]),
    (("sourceId", "urn:ietf:rfc:3986|urn:oid:1.2.3"), [3]),
    (("source.family", "lefe"), [3]),
    (("source.given:exact", "Zoé"), [3, 2, 1]),
    (("source.family:contains", "art"), [2, 1]),
    (("identifier", f"urn:oid:{told(2).submission_id}"), [2]),
    (("code", "folder"), []),
    (("status", "superseded"), []),
])  # fmt: skip
async def test_each_parameter_leaves_what_it_asks_for(
    lists: Lists, parameter: tuple[str, str], expected: list[int]
) -> None:
    assert await lists.days(OF_ANNE, *SETS, parameter) == expected


async def test_a_set_is_found_by_its_ids_without_its_patient(lists: Lists) -> None:
    _, bundle = await lists.ask(("identifier", f"urn:oid:{told(1).submission_id}"))
    [found] = bundle["entry"]

    again = await lists.days(("identifier", f"urn:uuid:{found['resource']['id']}"))

    assert (days(bundle), again) == ([1], [1])
    assert await lists.get(found["fullUrl"]) == found["resource"]


async def test_the_address_of_a_further_page_of_lists_holds_no_identity(lists: Lists) -> None:
    _, first = await lists.ask(OF_ANNE, *SETS, ("_count", "2"))
    [following] = [one["url"] for one in first["link"] if one["relation"] == "next"]

    second = await lists.get(following)

    assert (days(first), days(second)) == ([3, 2], [1])
    assert "total" not in first
    assert ANNE.value not in following
    assert {"_after", "code", "status"} <= dict(parse_qsl(urlsplit(following).query)).keys()


async def test_lists_are_found_by_address_as_by_form(lists: Lists) -> None:
    by_address = await lists.get(
        f"{lists.place}?patient.identifier={OF_ANNE[1]}&code=submissionset&status=current"
    )

    assert days(by_address) == [3, 2, 1]
    assert by_address["total"] == 3


@pytest.mark.parametrize("parameters, code", [
    ([*SETS], "required"),
    ([OF_ANNE, SETS[0]], "required"),
    ([OF_ANNE, SETS[1]], "required"),
    ([OF_ANNE, *SETS, ("title", "x")], "not-supported"),
    ([OF_ANNE, *SETS, ("patient", "Patient/1")], "not-supported"),
    ([OF_ANNE, *SETS, ("date", "yesterday")], "value"),
    ([OF_ANNE, ("code", "submissionset"), ("status", "draft")], "value"),
    ([OF_ANNE, *SETS, ("_after", "x")], "value"),
])  # fmt: skip
async def test_what_lists_cannot_be_searched_by_is_refused(
    lists: Lists, parameters: list[tuple[str, str]], code: str
) -> None:
    status, outcome = await lists.ask(*parameters)

    assert (status, outcome["issue"][0]["code"]) == (400, code)
    assert ANNE.value not in orjson.dumps(outcome).decode()


async def test_a_page_of_lists_after_one_that_is_not_known_is_not_found(lists: Lists) -> None:
    unknown = ("_after", "11111111-2222-4333-8444-555555555555")

    status, _ = await lists.ask(*SETS, unknown)

    assert status == 404
