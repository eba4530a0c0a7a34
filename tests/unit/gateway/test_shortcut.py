"""The shortcut to images answers as the framework does, which has the same routes."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from gateway import http_errors
from gateway.errors import NotFound, Unavailable
from gateway.shortcut import Shortcut
from gateway.telemetry import NamedRoute

STUDY = "/dicom-web/studies/{study}"
INSTANCE = f"{STUDY}/series/{{series}}/instances/{{instance}}"
PATHS = (
    "/wado",
    "/dicom-web/studies",
    STUDY,
    f"{STUDY}/series",
    INSTANCE,
    f"{INSTANCE}/frames/{{frames}}",
    f"{INSTANCE}/frames/{{frames}}/rendered",
    f"{INSTANCE}/bulkdata/{{value:path}}",
)
SEGMENTS = ["", "wado", "dicom-web", "studies", "series", "instances", "frames", "rendered",
            "bulkdata", "1.2", "é", "a b", "{study}"]  # fmt: skip
FILLED = [path.replace("{", "").replace("}", "").removeprefix("/") for path in PATHS]
ERRORS = [
    NotFound("nothing here"),
    Unavailable("later", retry_after_s=3),
    HTTPException(408, headers={"Connection": "close"}),
]

Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]


class Echo:
    """Tells which route it was asked by, and what was read of the address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = {"route": scope["route"].path, "parameters": scope["path_params"]}
        await JSONResponse(told)(scope, receive, send)


class Failing:
    """Fails, before its body or in it."""

    def __init__(self, error: Exception, *, begun: bool = False) -> None:
        self._error = error
        self._begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise self._error


def an_application(endpoint: Endpoint, *, shortcut: bool) -> FastAPI:
    app = FastAPI()
    http_errors.install(app)
    routes = [NamedRoute(path, endpoint, methods=["GET"]) for path in PATHS]
    routes.append(NamedRoute("/dicom-web/studies", endpoint, methods=["POST"]))
    if shortcut:
        # Where the framework has none of the routes, whatever is answered came by the shortcut.
        app.add_middleware(Shortcut, routes=routes)
    app.router.routes.extend(routes)
    return app


def asked(app: FastAPI, path: str, method: str = "GET") -> tuple[int, object, list[object]]:
    """Status, body and headers of the answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("gateway", 80),
    }
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body) if body else None, sorted(sent[0]["headers"])


BY_FRAMEWORK = an_application(Echo(), shortcut=False)
BY_SHORTCUT = an_application(Echo(), shortcut=True)


@given(
    st.lists(st.sampled_from(SEGMENTS), max_size=12).map("/".join) | st.sampled_from(FILLED),
    st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
)
def test_each_address_is_answered_as_by_the_framework(path: str, method: str) -> None:
    assert asked(BY_SHORTCUT, f"/{path}", method) == asked(BY_FRAMEWORK, f"/{path}", method)


@pytest.mark.parametrize("path", [path for path in PATHS if ":" not in path])
def test_addresses_of_whole_segments_do_not_reach_the_framework(path: str) -> None:
    app = FastAPI()
    app.add_middleware(Shortcut, routes=[NamedRoute(path, Echo(), methods=["GET"])])

    status, _, _ = asked(app, path.replace("{", "").replace("}", ""))

    assert status == 200


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_answered_as_by_the_framework(error: Exception) -> None:
    answers = [
        asked(an_application(Failing(error), shortcut=one), "/wado") for one in (True, False)
    ]

    assert answers[0] == answers[1]
    assert answers[0][0] in (404, 408, 503)


@pytest.mark.parametrize("error", [*ERRORS, RuntimeError("a bug")], ids=lambda e: type(e).__name__)
def test_a_body_that_has_begun_gets_no_second_head(error: Exception) -> None:
    with pytest.raises(type(error)):
        asked(an_application(Failing(error, begun=True), shortcut=True), "/wado")


def test_a_bug_is_answered_by_the_framework() -> None:
    app = an_application(Failing(RuntimeError("a bug")), shortcut=True)

    with pytest.raises(RuntimeError):  # which the framework raises again once it has answered 500
        asked(app, "/wado")
