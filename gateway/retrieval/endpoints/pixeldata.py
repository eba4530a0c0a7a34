"""Retrieve Transaction on the pixel data of a study or a series (PS3.18 §10.4.1.1.6), in parts.

That of one instance is a bulk value of it (see `BulkDataEndpoint`).
"""

from contextlib import aclosing

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.accept import OCTETS, Accepted, Form
from gateway.dicomweb.negotiation import bulk_form
from gateway.errors import NotFound
from gateway.model.resource import Resource
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN
from gateway.retrieval.bulk import BulkReader
from gateway.retrieval.describing.known import DescribedInstance
from gateway.retrieval.endpoints.answering import Body, Request, answer, read_request
from gateway.retrieval.endpoints.bulk import send_item
from gateway.retrieval.retriever import Retriever
from gateway.security.policy import Policy
from indexer.contract.identifiers import Uid
from indexer.framing.multipart_writer import MultipartRelated


class PixelDataEndpoint:
    """Answers with the pixels of each instance that has some."""

    def __init__(self, policy: Policy, retriever: Retriever, reader: BulkReader) -> None:
        self._policy = policy
        self._retriever = retriever
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        listing = await self._retriever.listing(request.access, resource)
        # All of them before the first byte: what cannot be ended must not be begun.
        for syntax in {one.transfer_syntax for one in listing.instances if one.key}:
            bulk_form(request.accepted, Uid(syntax), single=False)
        await answer(scope, receive, send, lambda body: self._answer(request, resource, body))

    async def _answer(self, request: Request, resource: Resource, body: Body) -> None:
        frame = MultipartRelated(OCTETS)
        each = self._retriever.each_described(request.access, resource)
        async with aclosing(each):
            async for instance in each:
                if instance.layout.pixels is None:
                    continue
                form = _form(request.accepted, instance)
                if not body.begun:
                    frame = MultipartRelated(form.kind)
                    await body.begin(frame.content_type, location=request.location)
                if request.head:
                    break
                await self._send(request.root_url, instance, form, frame, body)
        if not body.begun:
            raise NotFound("no instance of the resource has pixel data")
        await body.write(b"" if request.head else frame.end(), more=False)

    async def _send(
        self,
        root_url: str,
        instance: DescribedInstance,
        form: Form,
        frame: MultipartRelated,
        body: Body,
    ) -> None:
        pixels = f"{instance.held.resource.path}/bulkdata/{instance.layout.shown_pixels().path}"
        async with self._reader.opened(instance) as opened:
            for item in await self._reader.pixels(opened, instance):
                head = frame.part(
                    form.part_type, size_bytes=item.size_bytes, location=root_url + pixels
                )
                await send_item(body, self._reader, opened, item, before=head)


def _form(accepted: Accepted, instance: DescribedInstance) -> Form:
    pixels = instance.layout.shown_pixels()
    is_native = not instance.layout.bulk[pixels.path].fragmented
    stored = EXPLICIT_LITTLE_ENDIAN if is_native else instance.held.transfer_syntax
    return bulk_form(accepted, stored, single=False)
