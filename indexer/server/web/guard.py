"""Lets nobody by whom the policy refuses, before anything else of a request is looked at."""

import base64
import logging

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import Unavailable
from indexer.server.access.policy import AccessPolicy, Unproved, is_loopback
from indexer.server.web.http_errors import come_again
from indexer.server.web.negotiation import FhirResponse
from indexer.wire.outcome import IssueCode, operation_outcome
from indexer.wire.soap.envelope import SecurityFault

log = logging.getLogger(__name__)

PUBLIC_PATHS = frozenset({"/health/live", "/health/ready", "/openapi.json"})
METRICS_PATH = "/metrics"
SOAP_PATHS = "/xds/"


class Guard:
    """Answers 401 to whom the policy refuses, probes apart, before anything is validated.

    What comes by SOAP proves itself in its envelope, which its endpoint reads.
    """

    def __init__(self, app: ASGIApp, *, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_public(scope) and not self._asks_later(scope):
            try:
                # A bearer asks for a page, and then for each document of it (RFC 6750 §5.2).
                scope["caller"] = await self._policy.caller(_bearer(scope), one_time=False)
            except Unproved as error:
                await _refused(error)(scope, receive, send)
                return
            except Unavailable as error:
                await come_again(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _asks_later(self, scope: Scope) -> bool:
        return (
            self._policy.in_envelopes
            and scope["method"] == "POST"
            and scope["path"].startswith(SOAP_PATHS)
        )


def _bearer(scope: Scope) -> bytes | None:
    """The token of Authorization (RFC 6750 §2.1), decoded; empty where it cannot be."""
    told = Headers(scope=scope).get("authorization")
    if told is None:
        return None
    scheme, _, token = told.strip().partition(" ")
    if scheme.lower() != "bearer":
        return b""
    try:
        bare = token.strip().rstrip("=").encode("ascii")
        padded = bare + b"=" * (-len(bare) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _refused(error: Unproved) -> Response:
    log.info("caller_refused", extra={"code": error.fault.value, "reason": error.reason})
    shown = error.fault is not SecurityFault.TOKEN_UNAVAILABLE
    challenge = 'Bearer error="invalid_token"' if shown else "Bearer"
    outcome = operation_outcome(IssueCode.LOGIN, error.reason)
    return FhirResponse(outcome, status_code=401, headers={"WWW-Authenticate": challenge})


def _is_public(scope: Scope) -> bool:
    if scope["path"] == METRICS_PATH:
        return is_loopback(scope["client"][0] if scope["client"] else "")
    return scope["path"] in PUBLIC_PATHS
