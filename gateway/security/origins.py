"""Which pages of other origins may read DICOMweb in a browser (Fetch Standard, CORS).

A browser keeps an answer from a page of another origin unless the answer names that origin. Named
are those that the centre lists; nothing but DICOMweb is given to them.
"""

from collections.abc import Collection
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS")
ASKED: Final = ("Accept", "Authorization", "Content-Type", "If-None-Match", "If-Range", "Range")
TOLD: Final = (
    "Accept-Ranges", "Content-Length", "Content-Location", "Content-Range", "ETag", "Retry-After",
    "Warning",
)  # fmt: skip
"""Headers that a page may read beside those that it always may."""
KNOWN_S: Final = 600
"""How long a browser need not ask again whether it may ask."""


class Origins:
    """Answers a browser's preflight request, and names the origin to it in every other answer.

    It stands before the gate: a preflight request has no Authorization header.

    Args:
        origins: such as `https://viewer.example`; none where no other page may ask.
        roots: paths at or below which they may.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str], roots: tuple[str, ...]) -> None:
        self._app = app
        self._roots = roots
        self._shared = CORSMiddleware(
            app,
            allow_origins=list(origins),
            allow_methods=METHODS,
            allow_headers=ASKED,
            expose_headers=TOLD,
            max_age=KNOWN_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back."""
        within = scope["type"] == "http" and any(
            scope["path"] == root or scope["path"].startswith(f"{root}/") for root in self._roots
        )
        await (self._shared if within else self._app)(scope, receive, send)
