"""Leads requests for images straight to the endpoints that answer them.

Such a request is looked for in one tree of addresses instead of route by route, and passes none of
what the framework does for endpoints of its own. It stands behind the gate. Whatever it does not
lead goes on to the framework, which has the same routes and says what else there is to say.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http_errors import answer_to

_METHODS: Final = frozenset({"GET", "HEAD"})


@dataclass(slots=True)
class _Branch:
    """What follows a part of an address."""

    named: dict[str, "_Branch"] = field(default_factory=dict)
    any: "_Branch | None" = None
    """For a segment that is a parameter."""
    route: Route | None = None
    """That ends here."""
    parameters: tuple[tuple[int, str], ...] = ()
    """Of the route: place among the segments, and name."""


class Shortcut:
    """Answers GET and HEAD of addresses whose parameters are whole segments.

    Args:
        app: what everything else goes on to.
    """

    def __init__(self, app: ASGIApp, *, routes: Iterable[Route]) -> None:
        self._app = app
        self._root = _Branch()
        for route in routes:
            self._add(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if scope["type"] != "http" or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        segments = scope["path"].split("/")
        found = self._find(segments)
        if found is None or found.route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = found.route
        scope["path_params"] = {name: segments[at] for at, name in found.parameters}
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await found.route.app(scope, receive, watched)
        except Exception as error:
            if begun or (response := answer_to(error)) is None:
                raise
            await response(scope, receive, send)

    def _add(self, route: Route) -> None:
        if not (route.methods or set()) >= _METHODS or ":" in route.path:
            return
        branch, parameters = self._root, []
        for at, segment in enumerate(route.path.split("/")):
            if segment.startswith("{"):
                parameters.append((at, segment.strip("{}")))
                branch.any = branch.any or _Branch()
                branch = branch.any
            else:
                branch = branch.named.setdefault(segment, _Branch())
        if branch.route is None:  # the first of two has it, as elsewhere
            branch.route, branch.parameters = route, tuple(parameters)

    def _find(self, segments: list[str]) -> _Branch | None:
        branch: _Branch | None = self._root
        for segment in segments:
            assert branch is not None
            known = branch.named.get(segment)
            branch = known or (branch.any if segment else None)
            if branch is None:
                return None
        return branch
