"""The gate before every route: who asks is settled before anything of the request is read."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Unauthenticated
from gateway.security.policy import Policy, is_loopback

PUBLIC: Final = frozenset({"/health/live", "/health/ready", "/openapi.json"})
FOR_THIS_MACHINE: Final = frozenset({"/metrics"})

BODY_BYTES_MAX: Final = 64 * 1024
"""The longest request body, but for the doors that take in more than a search form."""
BODY_S_MAX: Final = 30.0
"""For a body to come whole, from when it is first asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How long, and how slow, the body of a request may be."""

    bytes_max: int
    whole_s: float
    """From when it is first asked for to its end."""
    silent_s: float
    """Between two pieces of it."""


class Gate:
    """Authenticates each request, and bounds its body.

    Args:
        refusal: makes the answer to a caller who is not known; the application's own handling of
            errors lies behind this gate.
        wide: for what is posted at or below a path, other limits than those of every request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: Policy,
        refusal: Callable[[Exception], Response],
        wide: Mapping[str, BodyLimits],
    ) -> None:
        self._app = app
        self._policy = policy
        self._refusal = refusal
        self._wide = wide

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, and answer what may not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not _is_public(scope):
            authorization = Headers(scope=scope).get("authorization")
            try:
                access = self._policy.authenticate(authorization)
            except Unauthenticated as error:
                await self._refusal(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["access"] = access
        await self._app(scope, _bounded(receive, self._limits(scope)), send)

    def _limits(self, scope: Scope) -> BodyLimits:
        path = scope["path"]
        if scope["method"] == "POST":
            for root, limits in self._wide.items():
                if path == root or path.startswith(f"{root}/"):
                    return limits
        return BodyLimits(bytes_max=BODY_BYTES_MAX, whole_s=BODY_S_MAX, silent_s=BODY_S_MAX)


def _is_public(scope: Scope) -> bool:
    path = scope["path"]
    if path in FOR_THIS_MACHINE:
        client = scope.get("client")
        return client is not None and is_loopback(client[0])
    return path in PUBLIC


def _bounded(receive: Receive, limits: BodyLimits) -> Receive:
    taken = 0
    ends_at: float | None = None
    whole = False

    async def bounded() -> Message:
        nonlocal taken, ends_at, whole
        if whole:  # what comes now is that the client has gone, and may take as long as it likes
            return await receive()
        now = asyncio.get_running_loop().time()
        ends_at = ends_at or now + limits.whole_s
        try:
            async with asyncio.timeout_at(min(ends_at, now + limits.silent_s)):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        taken += len(message.get("body", b""))
        if taken > limits.bytes_max:
            raise HTTPException(413)
        whole = not message.get("more_body", False)
        return message

    return bounded
