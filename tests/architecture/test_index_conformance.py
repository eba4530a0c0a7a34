"""What the conformance statement says of the index is what its client and the mock do."""

import ast
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from starlette.requests import Request
from starlette.responses import Response

from indexer.client.mhd import MhdIndex
from indexer.client.xds import XdsIndex
from indexer.contract.document import DocumentQuery, EntryStatus
from indexer.contract.errors import (
    DocumentNotFound,
    IndexUnavailable,
    NoRecord,
    SubmissionRejected,
)
from indexer.contract.index import Index
from indexer.server.registry.judging import allot
from indexer.server.web.capability import capability_statement
from indexer.server.web.http_errors import REFUSAL_STATUS
from indexer.wire.fhir.bundles import provide_bundle
from indexer.wire.fhir.search import read_search
from indexer.wire.fhir.searchset import searchset
from indexer.wire.fhir.set_search import read_set_search
from indexer.wire.fhir.transaction import read_transaction, transaction_response
from indexer.wire.outcome import IssueCode, Refusal, XdsError, operation_outcome
from indexer.wire.xds.registry_messages import PROVIDE, QUERY, UPDATE
from indexer.wire.xds.stored_query import QueryKind
from tests.architecture.repository import files
from tests.architecture.statement import table, words
from tests.support.index_clients import SOURCE
from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE, KOS, a_submission
from tests.support.scripted_index import Answer, ScriptedIndex, a_scripted_index, json
from tests.support.scripted_registry import ID, ScriptedRegistry, found, held, refused

CLIENT, SERVER = "The gateway, as a client", "The mock index, as a server"
BY_XDS = "The gateway, as a client by XDS.b"
OUTCOME = operation_outcome(IssueCode.INVALID, "no")
EVERY_OTHER = "every other"
STATUSES = [int(status) for status in HTTPStatus if status >= HTTPStatus.OK]
"""All that a server may end a request with (RFC 9110 §15)."""
SUBMITTED = read_transaction(provide_bundle(a_submission()))
HELD = allot(SUBMITTED.submitted, lambda: str(uuid4()))

PLACES = {
    **{(kind, "read"): [("/{id}", "get")] for kind in ("DocumentReference", "List", "Binary")},
    **{
        (kind, "search-type"): [("", "get"), ("/_search", "post")]
        for kind in ("DocumentReference", "List")
    },
    ("AuditEvent", "search-type"): [("/_search", "post")],
    ("DocumentReference", "create"): [("", "post")],
    ("DocumentReference", "patch"): [("/{id}", "patch"), ("", "patch")],
}
"""Where each interaction is asked for (R4 §3.1.0)."""

GOOD = {
    "Submission": transaction_response(SUBMITTED, HELD),
    "Search": searchset([], self_url="urn:uuid:1", next_url=""),
    "Withdrawal": {"resourceType": "DocumentReference", "status": EntryStatus.WITHDRAWN.value},
}


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedIndex]:
    async with a_scripted_index() as index:
        yield index


async def ask(index: Index, scripted: ScriptedIndex, what: str, *, entry_id: str = "1") -> str:
    """What comes of a request, in the statement's words."""
    try:
        match what:
            case "Submission":
                await index.submit(a_submission())
            case "Search":
                await index.find(DocumentQuery(patient=ANNE))
            case "Document":
                await index.retrieve(scripted.entry())
            case _:
                await index.withdraw(entry_id)
    except IndexUnavailable:
        return "again"
    except SubmissionRejected:
        return "refused"
    except NoRecord:
        return "no record"
    except DocumentNotFound:
        return "gone"
    return "done"


@pytest.mark.parametrize("what", ["Submission", "Search", "Document", "Withdrawal"])
async def test_each_status_is_taken_as_is_stated(scripted: ScriptedIndex, what: str) -> None:
    stated = by_status(what)

    taken = {}
    async with ClientSession() as session:
        index = MhdIndex(scripted.url, session)
        for status in STATUSES:
            answers = []
            for body in (GOOD.get(what), OUTCOME) if status == HTTPStatus.OK else (None, OUTCOME):
                scripted.answer = json(body, status) if body else with_document(status)
                answers.append(await ask(index, scripted, what))
            taken[status] = answers

    assert {status: said(stated.get(status, "again")) for status in STATUSES} == taken


@pytest.mark.parametrize("what", ["Submission", "Withdrawal"])
async def test_each_code_of_an_error_is_taken_as_is_stated(
    scripted: ScriptedIndex, what: str
) -> None:
    stated = table(BY_XDS, "Code of an error")
    cells = dict(zip(stated.column("Code of an error"), stated.column(what), strict=True))
    expected = {code: said for cell, said in cells.items() for code in words(cell)}
    unstated = sorted({*XdsError} - expected.keys())
    expected |= dict.fromkeys(unstated, cells[EVERY_OTHER])

    taken = {}
    async with ClientSession() as session:
        index = XdsIndex(scripted.url, session, source=SOURCE)
        for code in expected:
            registry = ScriptedRegistry(scripted)
            registry.answers = {
                PROVIDE: refused(code), UPDATE: refused(code), QUERY: found(held()),
            }  # fmt: skip
            taken[code] = await ask(index, scripted, what, entry_id=ID)
            if taken[code] == "done" and QUERY in registry.asked[1:]:
                taken[code] = "asked for"

    assert taken == expected


def by_status(what: str) -> dict[int, str]:
    stated = table(CLIENT, "Status")
    assert stated.rows[-1] == (EVERY_OTHER, *["again"] * 4)
    return {
        int(status): cell
        for statuses, cell in zip(stated.column("Status"), stated.column(what), strict=True)
        if statuses != EVERY_OTHER
        for status in statuses.split(", ")
    }


def said(cell: str) -> list[str]:
    """What comes of an answer without, and with, an OperationOutcome; of 200 the good answer and
    another."""
    if cell in ("held", "read", "done, if it shows the new status"):
        return ["done", "again"]
    if cell.endswith(", with an OperationOutcome; else again"):
        return ["again", cell.partition(",")[0]]
    return [cell, cell]


def with_document(status: int) -> Answer:
    return lambda _request: Response(KOS, status)


async def test_each_request_is_stated(scripted: ScriptedIndex) -> None:
    asked = {}
    async with ClientSession() as session:
        index = MhdIndex(scripted.url, session)
        for what in ("Submission", "Search", "Document", "Withdrawal"):

            def answer(request: Request, what: str = what) -> Response:
                asked[what] = f"{request.method} {request.url.path}"
                return Response(status_code=500)

            scripted.answer = answer
            await ask(index, scripted, what)

    stated = [
        word for cell in table(CLIENT, "Transaction").column("Request") for word in words(cell)
    ]
    assert [asked["Submission"], asked["Search"], "GET", asked["Withdrawal"]] == [
        one.replace("{id}", "1") for one in stated
    ]
    assert asked["Document"].startswith("GET ")


async def test_each_address_of_the_mock_is_stated(tmp_path: Path) -> None:
    async with (
        a_served_index(tmp_path) as url,
        ClientSession() as session,
        session.get(f"{url}/openapi.json") as response,
    ):
        described = (await response.json())["paths"]

    stated = table(SERVER, "Address")
    addresses = [address for cell in stated.column("Address") for address in words(cell)]
    assert sorted(zip(addresses, stated.column("Method"), strict=True)) == sorted(
        (path, method.upper()) for path, methods in described.items() for method in methods
    )


@pytest.mark.parametrize("kind, column, controls", [
    ("DocumentReference", "Parameter", {"_count", "_after", "_format", "_sort"}),
    ("List", "Of a List", {"_count", "_after", "_format"}),
])  # fmt: skip
def test_each_search_parameter_of_the_mock_is_stated(
    kind: str, column: str, controls: set[str]
) -> None:
    told = table(SERVER, column)
    stated = {word for cell in told.column(column) for word in words(cell)}

    [rest] = capability_statement("http://127.0.0.1")["rest"]
    [declared] = [
        {one["name"] for one in resource["searchParam"]}
        for resource in rest["resource"]
        if resource["type"] == kind
    ]
    assert stated == declared | controls
    for parameter in stated:
        assert "is not searched by here" not in refusal_of(kind, parameter)


def refusal_of(kind: str, parameter: str) -> str:
    read = {"DocumentReference": read_search, "List": read_set_search}[kind]
    try:
        read([(parameter, "")])
    except Refusal as refusal:
        return refusal.reason
    return ""


async def test_what_the_capability_statement_declares_is_what_there_are_addresses_for(
    tmp_path: Path,
) -> None:
    async with (
        a_served_index(tmp_path) as url,
        ClientSession() as session,
        session.get(f"{url}/openapi.json") as response,
    ):
        paths = (await response.json())["paths"]

    [rest] = capability_statement("http://127.0.0.1")["rest"]
    declared = {
        (f"/fhir/{resource['type']}{suffix}", method)
        for resource in rest["resource"]
        for one in resource["interaction"]
        for suffix, method in PLACES[resource["type"], one["code"]]
    }
    declared |= {("/fhir", "post"), ("/fhir/metadata", "get")}
    served = {
        (path, method)
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/fhir")
    }
    assert declared == served
    assert rest["interaction"] == [{"code": "transaction"}]


def test_each_status_of_the_mock_is_stated() -> None:
    answered = {200, 400, 405, *REFUSAL_STATUS.values(), *told_in_the_code()}

    assert set(table(SERVER, "Status").column("Status")) == {str(one) for one in answered}


def told_in_the_code() -> Iterator[int]:
    """Statuses that the mock's own modules name."""
    for path in files(".py", under=("indexer/server",)):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="HTTPException" | "_answer"),
                    args=[ast.Constant(value=int(status)), *_],
                ):
                    yield status
                case ast.keyword(arg="status_code", value=ast.Constant(value=int(status))):
                    yield status


def test_each_code_of_xds_is_stated() -> None:
    stated = [word for cell in table(SERVER, "Code").column("Code") for word in words(cell)]

    assert sorted(stated) == sorted(XdsError)


def test_each_stored_query_is_stated() -> None:
    [cell] = [row[1] for row in table(SERVER, "Transaction").rows if row[0] == "ITI-18"]

    assert len(cell.partition(";")[0].split(", ")) == len(QueryKind)
