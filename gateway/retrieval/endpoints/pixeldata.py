"""Retrieve Transaction on the bulk data of a study, a series or an instance, in parts: on pixel
data (PS3.18 §10.4.1.1.6), or on all that metadata names by an address (§10.4.1.1.5).

The pixel data of one instance is a bulk value of it (see `BulkDataEndpoint`).
"""

from collections.abc import Callable, Collection, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.accept import OCTETS, Accepted, Form
from gateway.dicomweb.layout import Layout
from gateway.dicomweb.negotiation import bulk_form
from gateway.errors import NotAcceptable, NotFound
from gateway.model.resource import Resource
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN, given_as
from gateway.retrieval.bulk import BulkReader, Item
from gateway.retrieval.describing.known import DescribedInstance
from gateway.retrieval.endpoints.answering import Body, Request, answer, read_request
from gateway.retrieval.endpoints.bulk import send_item
from gateway.retrieval.files import OpenFile
from gateway.retrieval.retriever import Retriever
from gateway.security.policy import Policy
from indexer.contract.identifiers import Uid
from indexer.framing.multipart_writer import MultipartRelated

Paths = Callable[[Layout], Iterable[str]]
"""The values of an instance that are given."""


def of_pixels(layout: Layout) -> Iterable[str]:
    """Its pixels, if it has some."""
    return () if layout.pixels is None else (layout.pixels.path,)


def of_everything(layout: Layout) -> Iterable[str]:
    """Every value that metadata names by an address."""
    return layout.bulk


class ManyBulkEndpoint:
    """Answers with values of each instance that has some.

    Args:
        paths: which of them.
    """

    def __init__(
        self, policy: Policy, retriever: Retriever, reader: BulkReader, *, paths: Paths
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._reader = reader
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        listing = await self._retriever.listing(request.access, resource)
        # All of them before the first byte: what cannot be ended must not be begun.
        for syntax in {one.transfer_syntax for one in listing.instances if one.key}:
            _form(request.accepted, Uid(syntax))
        await answer(scope, receive, send, lambda body: self._answer(request, resource, body))

    async def _answer(self, request: Request, resource: Resource, body: Body) -> None:
        frame = MultipartRelated(OCTETS)
        each = self._retriever.each_described(request.access, resource)
        async with aclosing(each):
            async for instance in each:
                for path in self._paths(instance.layout):
                    if request.head:
                        form = _form(request.accepted, _stored(instance, path))
                        await body.send_head(MultipartRelated(form.kind).content_type)
                        return
                    frame = await self._send(request, instance, path, frame, body)
        if not body.begun:
            raise NotFound("no instance of the resource has such bulk data")
        await body.write(frame.end(), more=False)

    async def _send(
        self,
        request: Request,
        instance: DescribedInstance,
        path: str,
        frame: MultipartRelated,
        body: Body,
    ) -> MultipartRelated:
        """Send a value; the frame of the body that it is in."""
        location = f"{request.root_url}{instance.held.resource.path}/bulkdata/{path}"
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(self._reader.opened(instance))
            value = _Value(request.accepted, self._reader, instance, path, opened)
            form, opened, items = await value.given(stack, others_went=body.begun)
            if not body.begun:
                frame = MultipartRelated(form.kind)
                await body.begin(frame.content_type, location=request.location)
            for item in items:
                kind, size_bytes = form.part_type, item.size_bytes
                head = frame.part(kind, size_bytes=size_bytes, location=location)
                await send_item(body, self._reader, opened, item, before=head)
        return frame


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of an instance, in an open file."""

    accepted: Accepted
    reader: BulkReader
    instance: DescribedInstance
    path: str
    opened: OpenFile

    async def given(
        self, stack: AsyncExitStack, *, others_went: bool
    ) -> tuple[Form, OpenFile, list[Item]]:
        """The value in the form that is liked best of those that can hold it.

        Args:
            others_went: then one that cannot be given as it is wanted is given as it is stored,
                and keeps nobody from the rest.
        """
        stored = _stored(self.instance, self.path)
        cannot_hold: dict[Uid, NotAcceptable] = {}
        while True:
            try:
                form = _form(self.accepted, stored, but_for=cannot_hold)
            except NotAcceptable as error:
                if not others_went:
                    raise next(iter(cannot_hold.values()), error) from error
                form = Form(kind=OCTETS, multipart=True, transfer_syntax=stored)
            asked = form.transfer_syntax
            if asked is None or asked == stored or not self._is_pixels:
                return form, self.opened, await self._items()
            try:
                frames = await self.reader.every_frame(self.opened, self.instance)
                is_one = asked == EXPLICIT_LITTLE_ENDIAN
                given = self.reader.transcoded(self.opened, frames, asked, joined=is_one)
                return form, *await stack.enter_async_context(given)
            except NotAcceptable as error:
                cannot_hold[asked] = error

    @property
    def _is_pixels(self) -> bool:
        pixels = self.instance.layout.pixels
        return pixels is not None and pixels.path == self.path

    async def _items(self) -> list[Item]:
        if self._is_pixels:
            return await self.reader.pixels(self.opened, self.instance)
        return [await self.reader.value(self.opened, self.instance.layout.bulk[self.path])]


def _stored(instance: DescribedInstance, path: str) -> Uid:
    """The transfer syntax of a value as it lies: what is no fragments is little endian."""
    is_native = not instance.layout.bulk[path].fragmented
    return EXPLICIT_LITTLE_ENDIAN if is_native else instance.held.transfer_syntax


def _form(accepted: Accepted, stored: Uid, *, but_for: Collection[Uid] = ()) -> Form:
    targets = [syntax for syntax in given_as(stored) if syntax not in but_for]
    return bulk_form(accepted, stored, single=False, targets=lambda _stored: targets)
