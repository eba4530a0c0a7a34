"""Bounds what the bodies of all requests under way hold in memory, and has them read in turn."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Unavailable

BODIES_BYTES_MAX: Final = 256 * 2**20
"""Of all bodies under way; one alone is taken whatever its size."""
SMALL_BYTES: Final = 64 * 1024
"""What a body may have uncounted, so that large ones keep nobody from searching."""
RETRY_AFTER_S: Final = 1.0


class BodyRoom:
    """An application whose requests wait elsewhere while the bodies of others are too much.

    A body counts until its request is answered, for so long it is held in one form or another. The
    request that would be too much is asked to come again, which its sender can do at any time.

    Of bodies that are there together one is given on in each turn of the loop. To read one takes
    half a millisecond, and a transaction needs the loop at each of its statements: between two of
    them it would else wait for all the bodies that came meanwhile, and their answers for it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held_bytes = 0
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size_bytes = counted_bytes = 0

        async def counted() -> Message:
            nonlocal size_bytes, counted_bytes
            message = await receive()
            size_bytes += len(message.get("body", b""))
            if size_bytes > SMALL_BYTES:
                others_bytes = self._held_bytes - counted_bytes
                if others_bytes and others_bytes + size_bytes > BODIES_BYTES_MAX:
                    raise Unavailable("too much is under way", retry_after_s=RETRY_AFTER_S)
                self._held_bytes = others_bytes + size_bytes
                counted_bytes = size_bytes
            if size_bytes and not message.get("more_body", False):
                async with self._turn:
                    await asyncio.sleep(0)
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held_bytes -= counted_bytes
