"""Errors as answers: an OperationOutcome with the status that FHIR gives it (R4 §3.1.0)."""

import math
from collections.abc import Mapping

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.errors import NotFound, Unavailable
from indexer.server.registry.registry import Withdrawn
from indexer.server.web.negotiation import FhirResponse
from indexer.wire.fhir.patch import NotChangeable
from indexer.wire.outcome import IssueCode, Json, Refusal, operation_outcome

BUSY = "the index cannot take this now"
RETRY_AFTER_S = 1.0
"""What a caller is asked to wait when the engine names no time of its own."""

REFUSAL_STATUS = {
    IssueCode.BUSINESS_RULE: 422,
    IssueCode.CONFLICT: 412,
    IssueCode.DELETED: 422,
    IssueCode.DUPLICATE: 409,
    IssueCode.FORBIDDEN: 403,
    IssueCode.NOT_FOUND: 404,
    IssueCode.SUPPRESSED: 422,
    IssueCode.TIMEOUT: 408,
    IssueCode.TOO_LONG: 413,
}
"""Every other refusal is 400."""

_HTTP_CODES = {404: IssueCode.NOT_FOUND}


def answer_errors(app: FastAPI) -> None:
    """Have the application answer each kind of error in one place."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(NotChangeable, _not_changeable)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(Withdrawn, _withdrawn)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    outcome = operation_outcome(
        error.code, error.reason, expression=error.expression, record=error.record
    )
    # A 404 would say that the address is wrong.
    status = REFUSAL_STATUS.get(error.code, 400) if error.record is None else 422
    return _answer(status, outcome)


async def _not_changeable(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotChangeable)
    # PDSm's flow 04 asks for this status, and RFC 9110 §15.5.6 for the header.
    return _answer(405, operation_outcome(error.code, error.reason), {"Allow": "GET, PATCH"})


async def _withdrawn(request: Request, error: Exception) -> Response:
    return _answer(410, operation_outcome(IssueCode.DELETED, "the document is withdrawn"))


async def _not_found(request: Request, error: Exception) -> Response:
    return _answer(404, operation_outcome(IssueCode.NOT_FOUND, str(error)))


async def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)
    return come_again(error)


def come_again(error: Unavailable) -> Response:
    """The answer to what cannot be done now."""
    wait_s = math.ceil(error.retry_after_s or RETRY_AFTER_S)
    outcome = operation_outcome(IssueCode.TRANSIENT, BUSY)
    return _answer(503, outcome, headers={"Retry-After": str(wait_s)})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, IssueCode.NOT_SUPPORTED)
    return _answer(error.status_code, operation_outcome(code, error.detail), headers=error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    # Nobody reads it; without an answer the server would log the absence as a fault of ours.
    return _answer(400, operation_outcome(IssueCode.STRUCTURE, "the body broke off"))


async def _bug(request: Request, error: Exception) -> Response:
    return _answer(500, operation_outcome(IssueCode.EXCEPTION, "the index failed"))


def _answer(status: int, outcome: Json, headers: Mapping[str, str] | None = None) -> Response:
    return FhirResponse(outcome, status_code=status, headers=headers)
