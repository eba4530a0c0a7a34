"""Who may ask: the policy seam of the index, asked before a request is looked at.

Two policies stand until people and rights exist: everybody on this machine, or nobody.
"""

from ipaddress import ip_address
from typing import Protocol

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from indexer.contract.access import Caller
from indexer.server.negotiation import FhirResponse
from indexer.wire.outcome import IssueCode, operation_outcome

PUBLIC_PATHS = frozenset({"/health/live", "/health/ready", "/openapi.json"})
METRICS_PATH = "/metrics"


class AccessPolicy(Protocol):
    """Decides on a request by its connection and headers; its body is not read yet."""

    def permits(self, scope: Scope) -> bool:
        """Whether the request may go on."""


def caller_of(request: Request) -> Caller | None:
    """Who asks, as the policy proved it; None where nobody had to say."""
    caller: Caller | None = request.scope.get("caller")
    return caller


class OpenAccess:
    """Anyone: for tests and demonstrations, on loopback only."""

    def permits(self, scope: Scope) -> bool:
        return True


class RefuseAll:
    """No one: how the index starts unless it is told otherwise."""

    def permits(self, scope: Scope) -> bool:
        return False


class Guard:
    """Answers 401 to what the policy refuses, probes apart, before anything is validated."""

    def __init__(self, app: ASGIApp, *, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_public(scope) or self._policy.permits(scope):
            await self._app(scope, receive, send)
            return
        outcome = operation_outcome(IssueCode.LOGIN, "say who you are")
        response = FhirResponse(outcome, status_code=401, headers={"WWW-Authenticate": "Bearer"})
        await response(scope, receive, send)


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
