"""What the MHD client makes of an index that fails, lies or leads elsewhere."""

from dataclasses import replace

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import Response

from indexer.client import mhd
from indexer.client.mhd import PAGES_MAX, MhdIndex
from indexer.contract.document import DocumentQuery
from indexer.contract.errors import DocumentNotFound, IndexUnavailable, SubmissionRejected
from indexer.wire.fhir.document_reference import document_reference
from indexer.wire.fhir.searchset import searchset
from indexer.wire.outcome import IssueCode, Json, operation_outcome
from tests.support.pointers import ANNE, KOS, a_submission, an_entry
from tests.support.scripted_index import ScriptedIndex, json

OF_ANNE = DocumentQuery(patient=ANNE)


@pytest.fixture
def index(scripted: ScriptedIndex, session: aiohttp.ClientSession) -> MhdIndex:
    return MhdIndex(scripted.url, session)


def page(*resources: Json, following: str = "") -> Json:
    return searchset(
        [("urn:uuid:1", one) for one in resources], self_url="urn:uuid:2", next_url=following
    )


def a_match(number: int = 1) -> Json:
    return document_reference(an_entry(number), attachment_url="Binary/1")


@pytest.mark.parametrize("mime_type, accept", [
    ("application/dicom", "application/dicom"),
    ("application/fhir+json", "*/*"),
    ("application/FHIR+xml; fhirVersion=4.0", "*/*"),
])  # fmt: skip
async def test_a_document_that_is_fhir_itself_is_asked_for_by_no_type(
    scripted: ScriptedIndex, index: MhdIndex, mime_type: str, accept: str
) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.headers["Accept"])
        return Response(KOS)

    scripted.answer = answer

    await index.retrieve(replace(scripted.entry(), mime_type=mime_type))

    assert asked == [accept]


@pytest.mark.parametrize("content, code", [
    (operation_outcome(IssueCode.VALUE, "no"), "value"),
    ({"resourceType": "OperationOutcome"}, "http-400"),
    ({"resourceType": "OperationOutcome", "issue": [{"code": "x" * 99}]}, "http-400"),
    ("a page of a proxy", "http-400"),
])  # fmt: skip
async def test_a_refusal_is_told_by_the_indexs_own_word(
    scripted: ScriptedIndex, index: MhdIndex, content: object, code: str
) -> None:
    scripted.answer = json(content, 400)

    with pytest.raises(SubmissionRejected) as rejection:
        await index.submit(a_submission())

    assert rejection.value.code == code


async def test_what_the_sender_may_not_do_is_refused_for_good(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    scripted.answer = json(operation_outcome(IssueCode.FORBIDDEN, "forbidden: no"), 403)

    with pytest.raises(SubmissionRejected) as rejection:
        await index.submit(a_submission())

    assert rejection.value.code == "forbidden"


async def test_a_403_of_what_lies_between_is_tried_again(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    scripted.answer = json("not from here", 403)

    with pytest.raises(IndexUnavailable):
        await index.submit(a_submission())


@pytest.mark.parametrize("content, status", [
    ("no bundle", 200),
    ({"resourceType": "Bundle", "type": "transaction-response"}, 200),
    ({"resourceType": "Bundle", "type": "transaction-response", "entry": [{}]}, 200),
    ({}, 202),
])  # fmt: skip
async def test_an_answer_without_a_location_leaves_the_outcome_unknown(
    scripted: ScriptedIndex, index: MhdIndex, content: object, status: int
) -> None:
    scripted.answer = json(content, status)

    with pytest.raises(IndexUnavailable):
        await index.submit(a_submission())


async def test_a_duplicate_that_the_index_does_not_show_is_asked_for_again_later(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    def answer(request: Request) -> Response:
        if request.url.path == "/fhir":
            return json(operation_outcome(IssueCode.DUPLICATE, "held"), 409)(request)
        return json(page())(request)

    scripted.answer = answer

    with pytest.raises(IndexUnavailable):
        await index.submit(a_submission())


async def test_no_address_names_a_patient_or_a_document(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    scripted.answer = json(page(a_match()))

    [found] = await index.find(OF_ANNE)
    await index.find_by_unique_id(found.unique_id)

    assert scripted.asked == [f"{scripted.url}/fhir/DocumentReference/_search"] * 2


async def test_an_entry_that_breaks_the_rules_does_not_hide_the_others(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    broken = a_match(1) | {"masterIdentifier": {}}
    scripted.answer = json(page(broken, a_match(2)))

    found = await index.find(OF_ANNE)

    assert [entry.unique_id for entry in found] == [an_entry(2).unique_id]


@pytest.mark.parametrize("following", [
    "http://127.0.0.2:1/fhir/DocumentReference",
    "https://127.0.0.1/fhir/DocumentReference",
    "//evil.example/fhir",
    "file:///etc/passwd",
    "http://user@{host}/fhir",
    "http://{host}\\@evil.example/",
    "http://{host}:port/",
    "not an address",
])  # fmt: skip
async def test_a_further_page_outside_the_index_is_not_asked_for(
    scripted: ScriptedIndex, index: MhdIndex, following: str
) -> None:
    host = scripted.url.removeprefix("http://")
    scripted.answer = json(page(a_match(), following=following.format(host=host)))

    with pytest.raises(IndexUnavailable, match="address"):
        await index.find(OF_ANNE)

    assert len(scripted.asked) == 1


async def test_pages_without_end_are_not_read_for_ever(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    scripted.answer = json(page(a_match(), following="DocumentReference?_after=1"))

    with pytest.raises(IndexUnavailable, match="pages"):
        await index.find(OF_ANNE)

    assert len(scripted.asked) == PAGES_MAX


async def test_more_entries_than_a_patient_has_are_not_gathered(
    scripted: ScriptedIndex, index: MhdIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mhd, "ENTRIES_MAX", 5)
    scripted.answer = json(page(a_match(1), a_match(2), following="DocumentReference?_after=1"))

    with pytest.raises(IndexUnavailable, match="more than 5 entries"):
        await index.find(OF_ANNE)

    assert len(scripted.asked) == 3


@pytest.mark.parametrize("content", [b"no JSON", b"{}", b'{"resourceType": "Patient"}'])
async def test_an_answer_that_is_no_searchset_is_not_taken_for_an_empty_one(
    scripted: ScriptedIndex, index: MhdIndex, content: bytes
) -> None:
    scripted.answer = lambda request: Response(content)

    with pytest.raises(IndexUnavailable):
        await index.find(OF_ANNE)


async def test_a_document_is_retrieved_as_it_is(scripted: ScriptedIndex, index: MhdIndex) -> None:
    scripted.answer = lambda request: Response(KOS)

    assert await index.retrieve(scripted.entry()) == KOS


@pytest.mark.parametrize("content", [KOS[:-1], KOS[::-1], KOS * 1000])
async def test_a_document_that_is_not_the_one_described_is_not_given(
    scripted: ScriptedIndex, index: MhdIndex, content: bytes
) -> None:
    scripted.answer = lambda request: Response(content)

    with pytest.raises(IndexUnavailable):
        await index.retrieve(scripted.entry())


@pytest.mark.parametrize("status", [404, 410])
async def test_a_document_that_is_gone_is_told_so(
    scripted: ScriptedIndex, index: MhdIndex, status: int
) -> None:
    scripted.answer = json({}, status)

    with pytest.raises(DocumentNotFound):
        await index.retrieve(scripted.entry())


async def test_a_document_outside_the_index_is_not_fetched(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    entry = replace(scripted.entry(), document_url="http://127.0.0.2:1/fhir/Binary/1")

    with pytest.raises(DocumentNotFound):
        await index.retrieve(entry)

    assert scripted.asked == []


async def test_a_document_larger_than_is_taken_is_not_read(
    scripted: ScriptedIndex, session: aiohttp.ClientSession
) -> None:
    scripted.answer = lambda request: Response(KOS)
    index = MhdIndex(scripted.url, session, document_bytes_max=len(KOS) - 1)

    with pytest.raises(IndexUnavailable, match="larger"):
        await index.retrieve(scripted.entry())


@pytest.mark.parametrize("code", ["DESMAUX Anne", "\x9b31m", "duplicate\n", "x" * 65, ""])
async def test_a_word_of_the_index_that_is_no_code_is_not_repeated(
    scripted: ScriptedIndex, index: MhdIndex, code: str
) -> None:
    outcome = operation_outcome(IssueCode.INVALID, "no")
    outcome["issue"][0]["code"] = code
    scripted.answer = json(outcome, 422)

    with pytest.raises(SubmissionRejected) as refused:
        await index.submit(a_submission())

    assert refused.value.code == "http-422"
