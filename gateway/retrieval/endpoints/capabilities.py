"""Retrieve Capabilities Transaction (PS3.18 §8.9): what there is, made from the routes themselves.

It is asked of the service, as the standard says, or of any resource, as another DRIMbox asks; then
it tells of that resource and of what lies below it.
"""

from http import HTTPStatus
from typing import Final

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.dicomweb.capabilities import WADL, Methods, as_json, describe, write_wadl
from gateway.dicomweb.conditions import tag_of
from gateway.dicomweb.negotiation import JSON_TYPES, document_type
from gateway.retrieval.endpoints.answering import read_request
from gateway.security.policy import Policy

OPTIONS: Final = "OPTIONS"


class CapabilitiesEndpoint:
    """Answers with what one resource, and what lies below it, can do."""

    def __init__(self, policy: Policy, methods: Methods, *, at: str) -> None:
        self._policy = policy
        own = {*methods[at], OPTIONS} | ({"HEAD"} if "GET" in methods[at] else set())
        self._allowed = ", ".join(sorted(own))
        self._methods = methods
        self._at = at
        # Nearly all clients reach the gateway at one address.
        self._written = ("", b"", b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one OPTIONS request."""
        request = read_request(scope, self._policy)
        content_type = document_type(request.accepted, (WADL, *JSON_TYPES))
        wadl, json = self._documents(request.root_url)
        content = wadl if content_type == WADL else json
        tag = tag_of((content_type, content.decode()))
        headers = {"Allow": self._allowed, "ETag": tag, "Vary": "Accept"}
        if request.conditions.is_had(tag):
            response = Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        else:
            response = Response(content, headers=headers | {"Content-Type": content_type})
        await response(scope, receive, send)

    def _documents(self, root_url: str) -> tuple[bytes, bytes]:
        at, wadl, json = self._written
        if at != root_url:
            description = describe(self._methods, base_url=root_url, at=self._at)
            wadl = write_wadl(description)
            json = orjson.dumps({"application": as_json(description)})
            self._written = (root_url, wadl, json)
        return wadl, json
