"""The gate before every route: who asks is settled before anything of the request is read."""

import asyncio
from collections.abc import Callable
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
"""The longest request body; no door here takes more than a search form."""
BODY_S_MAX: Final = 30.0
"""For a body to come whole, from when it is first asked for."""


class Gate:
    """Authenticates each request, and bounds its body.

    Args:
        refusal: makes the answer to a caller who is not known; the application's own handling of
            errors lies behind this gate.
    """

    def __init__(
        self, app: ASGIApp, *, policy: Policy, refusal: Callable[[Exception], Response]
    ) -> None:
        self._app = app
        self._policy = policy
        self._refusal = refusal

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
        await self._app(scope, _bounded(receive), send)


def _is_public(scope: Scope) -> bool:
    path = scope["path"]
    if path in FOR_THIS_MACHINE:
        client = scope.get("client")
        return client is not None and is_loopback(client[0])
    return path in PUBLIC


def _bounded(receive: Receive) -> Receive:
    taken = 0
    asked_at: float | None = None
    whole = False

    async def bounded() -> Message:
        nonlocal taken, asked_at, whole
        if whole:  # what comes now is that the client has gone, and may take as long as it likes
            return await receive()
        asked_at = asked_at or asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(asked_at + BODY_S_MAX):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise HTTPException(413)
        whole = not message.get("more_body", False)
        return message

    return bounded
