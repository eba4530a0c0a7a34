"""Retrieve Transaction on metadata resources (PS3.18 §10.4.1.1.2), as DICOM JSON or XML.

What is stored here was described when it came, so that an answer is bytes that lie ready. A large
value is named by the address at which it is fetched (see `BulkDataEndpoint`).
"""

from contextlib import aclosing
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from gateway.catalogue.descriptions import Listing
from gateway.dicomweb.charsets import ensure_utf_8
from gateway.dicomweb.codings import OF_TEXTS, Coding, Effort, packer
from gateway.dicomweb.negotiation import data_set_form
from gateway.model.resource import Resource
from gateway.retrieval.describing.answers import MetadataAnswers, Wanted
from gateway.retrieval.endpoints.answering import (
    BY_CODING,
    WARNING,
    Body,
    Request,
    answer,
    read_request,
)
from gateway.retrieval.files import FileReader
from gateway.retrieval.retriever import Retriever
from gateway.security.policy import Policy


class MetadataEndpoint:
    """Answers with the metadata of a study, a series, or of one instance."""

    def __init__(
        self, policy: Policy, retriever: Retriever, answers: MetadataAnswers, files: FileReader
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._answers = answers
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy, codings=OF_TEXTS)
        resource = request.resource()
        for charsets in request.query.getlist("charset"):
            ensure_utf_8(charsets)
        wanted = Wanted(
            media_type=data_set_form(request.accepted).kind,
            root_url=request.root_url,
            coding=request.coding,
        )
        listing = await self._retriever.listing(request.access, resource)
        alone = Body(send, vary=BY_CODING)
        if listing.entire and request.conditions.is_had(tag := wanted.tag(listing)):
            await alone.not_modified(tag, location=request.location)
            return
        if request.head and not listing.entire:
            await alone.send_head(wanted.form().content_type)
            return

        async def work(body: Body) -> None:
            if listing.entire:
                await self._answer(request, listing, wanted, body)
            else:
                await self._pull(request, resource, wanted, body)

        await answer(scope, receive, send, work, vary=BY_CODING)

    async def _answer(self, request: Request, listing: Listing, wanted: Wanted, body: Body) -> None:
        tag = wanted.tag(listing)
        async with self._answers.opened(listing, wanted) as joined:
            part = request.conditions.part_of(joined.opened.size_bytes, tag)
            await body.begin(
                joined.content_type,
                size_bytes=joined.opened.size_bytes,
                tag=tag,
                location=request.location,
                part=part,
                coding=wanted.coding,
                status=HTTPStatus.PARTIAL_CONTENT if joined.left_out else HTTPStatus.OK,
                warnings=_left_out(joined.left_out),
            )
            if not request.head:
                await body.write_file(joined.opened, self._files, part)
            await body.write(b"", more=False)

    async def _pull(self, request: Request, resource: Resource, wanted: Wanted, body: Body) -> None:
        """Tell of instances as they come from where they are: as they are, if that is taken, for
        what is packed would wait for more of it."""
        form = wanted.form()
        coding = Coding.AS_IS if request.as_is else wanted.coding
        packing = packer(coding, Effort.ONCE)
        async with aclosing(await self._retriever.open(request.access, resource)) as stream:
            async for held in stream:
                told = await self._answers.data_set(form, held, root_url=wanted.root_url)
                if not body.begun:
                    location = request.location
                    await body.begin(form.content_type, coding=coding, location=location)
                await body.write(await self._files.run(packing.add, told))
        end = await self._files.run(packing.add, form.end())
        await body.write(end + packing.end(), more=False)


def _left_out(instances: int) -> tuple[str, ...]:
    if not instances:
        return ()
    return (WARNING.format(f"The metadata of {instances} instances cannot be read"),)
