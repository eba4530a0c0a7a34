"""Who may ask: the policy seam of the index, asked before a request is looked at.

Three policies stand: everybody on this machine, nobody, and who shows an assertion that is true
(`indexer.server.assertions`).
"""

import base64
import logging
from ipaddress import ip_address
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import Unavailable
from indexer.contract.access import Caller
from indexer.server.negotiation import FhirResponse
from indexer.wire.outcome import IssueCode, operation_outcome
from indexer.wire.soap import SecurityFault

log = logging.getLogger(__name__)

PUBLIC_PATHS = frozenset({"/health/live", "/health/ready", "/openapi.json"})
METRICS_PATH = "/metrics"
SOAP_PATHS = "/xds/"


class Unproved(Exception):
    """Who asks is not known, whatever they say.

    Args:
        reason: what is wrong with their proof, without a word of theirs.
    """

    def __init__(self, reason: str, *, fault: SecurityFault = SecurityFault.FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


class AccessPolicy(Protocol):
    """Decides who is let in, before anything else of a request is looked at."""

    @property
    def in_envelopes(self) -> bool:
        """Whether a proof may come in a SOAP message, which then is read as far as that."""

    async def caller(self, proof: bytes | None, *, one_time: bool) -> Caller | None:
        """Who asks; None where nobody has to say.

        Args:
            proof: what they show; None where they show nothing.
            one_time: whether it is good for one request alone.

        Raises:
            Unproved: they are not let in.
            Unavailable: it cannot be found out now.
        """


def caller_of(request: Request) -> Caller | None:
    """Who asks, as the policy proved it; None where nobody had to say."""
    caller: Caller | None = request.scope.get("caller")
    return caller


class OpenAccess:
    """Anyone: for tests and demonstrations, on loopback only."""

    in_envelopes = True

    async def caller(self, proof: bytes | None, *, one_time: bool) -> None:
        """Nobody in particular, whatever they show."""


class RefuseAll:
    """No one: how the index starts unless it is told otherwise."""

    in_envelopes = False

    async def caller(self, proof: bytes | None, *, one_time: bool) -> Caller | None:
        raise Unproved("say who you are", fault=SecurityFault.TOKEN_UNAVAILABLE)


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
            except Unavailable:
                await _busy()(scope, receive, send)
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


def _busy() -> Response:
    outcome = operation_outcome(IssueCode.TRANSIENT, "the index cannot take this now")
    return FhirResponse(outcome, status_code=503, headers={"Retry-After": "1"})


def _is_public(scope: Scope) -> bool:
    if scope["path"] == METRICS_PATH:
        return is_loopback(scope["client"][0] if scope["client"] else "")
    return scope["path"] in PUBLIC_PATHS


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
