"""Retrieve Transaction on bulk data (PS3.18 §10.4.1.1.5), which metadata names by its address.

An address is the instance's, `bulkdata/`, and the tags and item numbers that lead to the value.
"""

import re
from typing import Final

from starlette.types import Receive, Scope, Send

from gateway.catalogue.descriptions import ALL_FRAMES
from gateway.dicomweb.negotiation import bulk_form
from gateway.errors import InvalidRequest, NotFound
from gateway.model.resource import Resource
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN
from gateway.retrieval.bulk import BulkReader
from gateway.retrieval.describing.known import DescribedInstance
from gateway.retrieval.endpoints.answering import Body, Request, answer, read_request
from gateway.retrieval.endpoints.bulk import BulkAnswer, Named, answer_pixels
from gateway.retrieval.retriever import Retriever
from gateway.security.policy import Policy

PATH_LENGTH_MAX: Final = 1280
"""Characters of the path to a value: of 64 sequences within each other."""
PIXELS: Final = ""
"""The path of the pixels of the data set, whichever element holds them."""

_PATH: Final = re.compile(r"[0-9A-Fa-f]{8}(/[1-9][0-9]{0,8}/[0-9A-Fa-f]{8})*", re.ASCII)


class BulkDataEndpoint:
    """Answers with one value of an instance, or with its pixels if the address names none."""

    def __init__(self, policy: Policy, retriever: Retriever, reader: BulkReader) -> None:
        self._policy = policy
        self._retriever = retriever
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        named = request.path.get("value")
        resource, path = request.resource(), PIXELS if named is None else _read_path(named)
        await answer(scope, receive, send, lambda body: self._answer(request, resource, path, body))

    async def _answer(self, request: Request, resource: Resource, path: str, body: Body) -> None:
        places = (1, ALL_FRAMES)
        async with self._retriever.described(request.access, resource, frames=places) as instance:
            await self._send(request, instance, path, body)

    async def _send(
        self, request: Request, instance: DescribedInstance, path: str, body: Body
    ) -> None:
        layout = instance.layout
        path = path or layout.shown_pixels().path
        if (value := layout.bulk.get(path)) is None:
            raise NotFound("the instance has no such bulk data")
        named = Named(
            request=request,
            what=f"bulkdata/{path}",
            each=[f"{instance.held.resource.path}/bulkdata/{path}"],
        )
        pixels = layout.pixels
        if pixels is not None and pixels.path == path:
            await answer_pixels(
                named,
                self._reader,
                instance,
                body,
                single=pixels.is_one_item,
                items_of=lambda opened: self._reader.pixels(opened, instance),
                joined=True,
            )
            return
        stored = instance.held.transfer_syntax if value.fragmented else EXPLICIT_LITTLE_ENDIAN
        form = bulk_form(request.accepted, stored, single=True)
        tag = named.tag(instance, form)
        if await named.is_had(tag, body):
            return
        async with self._reader.opened(instance) as opened:
            items = [await self._reader.value(opened, value)]
            await BulkAnswer(named, self._reader, form, tag=tag).send(body, opened, items)


def _read_path(text: str) -> str:
    if len(text) > PATH_LENGTH_MAX or not _PATH.fullmatch(text):
        raise InvalidRequest("bulk data is named by tags of 8 hexadecimal digits and item numbers")
    return text.upper()
