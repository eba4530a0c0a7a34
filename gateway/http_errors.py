"""Errors become answers here, and nowhere else: problem bodies of RFC 9457.

A body tells what was wrong and never quotes what was sent, which may name a patient.
"""

import logging
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import (
    AccessDenied,
    Conflict,
    InvalidRequest,
    NotAcceptable,
    NotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    Rejected,
    TooBroad,
    Unauthenticated,
    Unavailable,
)
from indexer.contract.errors import (
    DocumentNotFound,
    IndexUnavailable,
    InvalidValue,
    SubmissionRejected,
)

log = logging.getLogger(__name__)

HTTP_STATUS: Final[dict[type[Exception], int]] = {
    InvalidValue: 400,
    InvalidRequest: 400,
    NotAcceptable: 406,
    PreconditionFailed: 412,
    RangeNotSatisfiable: 416,
    TooBroad: 413,
    Unauthenticated: 401,
    AccessDenied: 403,
    NotFound: 404,
    Conflict: 409,
    DocumentNotFound: 404,
    Rejected: 502,
    SubmissionRejected: 502,
    Unavailable: 503,
    IndexUnavailable: 503,
}

FORMS: Final = {
    "missing": "missing",
    "model_attributes_type": "an object",
    "list_type": "a list",
    "string_type": "a text",
    "string_too_short": "too short",
    "string_too_long": "too long",
    "too_short": "too few",
    "too_long": "too many",
}
"""What a field is told to lack or to be, by pydantic's name of the fault."""


def install(app: FastAPI) -> None:
    """Have the application answer every error as a problem."""
    for error in HTTP_STATUS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unknown)


def status_of(error: Exception) -> int:
    """The HTTP status that an error is answered with."""
    return next(HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS)


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None) -> Response:
    """A problem body (RFC 9457 §3)."""
    body = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    return Response(
        orjson.dumps(body), status, headers=headers, media_type="application/problem+json"
    )


def answer(error: Exception) -> Response:
    """What a caller is told of an error that the gateway or the index's contract names."""
    status = status_of(error)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(retry_after_s)))
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return problem(status, str(error), headers=headers)


def answer_to(error: Exception) -> Response | None:
    """What a caller is told of any error; None of a bug, of which it is told nothing here."""
    if isinstance(error, HTTPException):
        phrase = HTTPStatus(error.status_code).phrase
        return problem(error.status_code, phrase, headers=dict(error.headers or {}))
    return answer(error) if any(kind in HTTP_STATUS for kind in type(error).__mro__) else None


async def _known(_request: Request, error: Exception) -> Response:
    return answer(error)


async def _of_the_framework(_request: Request, error: Exception) -> Response:
    told = answer_to(error)
    assert told is not None
    return told


async def _invalid(_request: Request, error: Exception) -> Response:
    """Names the places that are wrong; pydantic's own message would quote what stands there, and
    the name of a field that has no place here is the caller's own text."""
    assert isinstance(error, RequestValidationError)
    places = sorted({_fault(one) for one in error.errors()})
    return problem(400, f"missing or not of the expected form: {', '.join(places)}")


def _fault(fault: dict[str, Any]) -> str:
    place, form = ".".join(map(str, _place(fault))), FORMS.get(fault["type"])
    return place if form is None else f"{place} ({form})"


def _place(fault: dict[str, Any]) -> tuple[int | str, ...]:
    loc: tuple[int | str, ...] = fault["loc"]
    return (*loc[:-1], "an unknown field") if fault["type"] == "extra_forbidden" else loc


async def _unknown(_request: Request, error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return problem(500, "the gateway failed; its log says where")
