"""What the MHD client makes of an answer to a withdrawal: done, refused, or not known."""

import socket
from dataclasses import replace

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import Response

from indexer.client.mhd import MhdIndex
from indexer.contract.document import EntryStatus
from indexer.contract.errors import IndexUnavailable, SubmissionRejected
from indexer.wire.fhir.document_reference import document_reference
from indexer.wire.outcome import IssueCode, operation_outcome
from tests.support.pointers import an_entry
from tests.support.scripted_index import ScriptedIndex, json

WITHDRAWN = document_reference(
    replace(an_entry(), status=EntryStatus.WITHDRAWN), attachment_url="Binary/1"
)
ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def index(scripted: ScriptedIndex, session: aiohttp.ClientSession) -> MhdIndex:
    return MhdIndex(scripted.url, session)


async def test_a_withdrawal_patches_the_status_of_the_entry_by_its_id(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    sent: list[Request] = []

    def answer(request: Request) -> Response:
        sent.append(request)
        return json(WITHDRAWN)(request)

    scripted.answer = answer

    await index.withdraw(ID)

    [request] = sent
    assert (request.method, request.url.path) == ("PATCH", f"/fhir/DocumentReference/{ID}")
    assert request.headers["Content-Type"] == "application/json-patch+json"


@pytest.mark.parametrize("content, status", [
    (operation_outcome(IssueCode.NOT_FOUND, "none"), 404),
    (operation_outcome(IssueCode.DELETED, "gone"), 410),
    ("gone", 410),
])  # fmt: skip
async def test_what_the_index_does_not_hold_counts_as_withdrawn(
    scripted: ScriptedIndex, index: MhdIndex, content: object, status: int
) -> None:
    scripted.answer = json(content, status)

    await index.withdraw(ID)


@pytest.mark.parametrize("content, status", [
    ("a page of a proxy", 200),
    (WITHDRAWN | {"status": "current"}, 200),
    (WITHDRAWN | {"resourceType": "List"}, 200),
    ("no such page", 404),
    ("not from here", 403),
    ({}, 202),
    ({}, 301),
    (operation_outcome(IssueCode.LOGIN, "who are you"), 401),
    (operation_outcome(IssueCode.TRANSIENT, "later"), 429),
    (operation_outcome(IssueCode.EXCEPTION, "failed"), 500),
    (operation_outcome(IssueCode.TRANSIENT, "later"), 503),
])  # fmt: skip
async def test_a_withdrawal_that_is_not_acknowledged_is_tried_again(
    scripted: ScriptedIndex, index: MhdIndex, content: object, status: int
) -> None:
    headers = {} if status == 200 else {"Retry-After": "7"}
    scripted.answer = json(content, status, **headers)

    with pytest.raises(IndexUnavailable) as fault:
        await index.withdraw(ID)

    assert fault.value.retry_after_s == (None if status == 200 else 7)
    assert not fault.value.never_sent


@pytest.mark.parametrize("content, status, code", [
    (operation_outcome(IssueCode.STRUCTURE, "no patch"), 400, "structure"),
    ({"resourceType": "OperationOutcome", "issue": [{"code": "forbidden"}]}, 403, "forbidden"),
    (operation_outcome(IssueCode.NOT_SUPPORTED, "not the status"), 405, "not-supported"),
    ("no such method", 405, "http-405"),
    (operation_outcome(IssueCode.BUSINESS_RULE, "no"), 409, "business-rule"),
    ({}, 412, "http-412"),
    ({}, 415, "http-415"),
    (operation_outcome(IssueCode.BUSINESS_RULE, "no"), 422, "business-rule"),
])  # fmt: skip
async def test_a_withdrawal_that_is_refused_is_told_by_the_indexs_own_word(
    scripted: ScriptedIndex, index: MhdIndex, *, content: object, status: int, code: str
) -> None:
    scripted.answer = json(content, status)

    with pytest.raises(SubmissionRejected) as rejection:
        await index.withdraw(ID)

    assert rejection.value.code == code


async def test_a_withdrawal_that_never_left_is_told_apart(session: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        index = MhdIndex(f"http://127.0.0.1:{port}", session, answer_s_max=0.1)
        with pytest.raises(IndexUnavailable) as unanswered:
            await index.withdraw(ID)

    with pytest.raises(IndexUnavailable) as unsent:
        await index.withdraw(ID)

    assert (unanswered.value.never_sent, unsent.value.never_sent) == (False, True)
