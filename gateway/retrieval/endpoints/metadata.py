"""Retrieve Transaction on metadata resources (PS3.18 §10.4.1.1.2), as DICOM JSON or XML.

What is stored here was described when it came, so that an answer is bytes that lie ready. A large
value is named by the address at which it is fetched (see `BulkDataEndpoint`).
"""

from contextlib import aclosing
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from gateway.catalogue.descriptions import Listing
from gateway.dicomweb.negotiation import data_set_form
from gateway.model.resource import Resource
from gateway.retrieval.describing.answers import MetadataAnswers, metadata_form
from gateway.retrieval.endpoints.answering import WARNING, Body, Request, answer, read_request
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
        request = read_request(scope, self._policy)
        resource = request.resource()
        media_type = data_set_form(request.accepted).kind
        listing = await self._retriever.listing(request.access, resource)
        if not listing.entire:
            if request.head:
                await Body(send).send_head(metadata_form(media_type).content_type)
                return
            await answer(
                scope, receive, send, lambda body: self._pull(request, resource, media_type, body)
            )
            return
        tag = self._answers.tag(listing, media_type, gzip=request.gzip)
        if request.conditions.is_had(tag):
            await Body(send).not_modified(tag, gzip=request.gzip)
            return
        await answer(
            scope, receive, send, lambda body: self._answer(request, listing, media_type, body)
        )

    async def _answer(
        self, request: Request, listing: Listing, media_type: str, body: Body
    ) -> None:
        gzip = request.gzip
        tag = self._answers.tag(listing, media_type, gzip=gzip)
        async with self._answers.opened(listing, media_type, gzip=gzip) as joined:
            part = request.conditions.part_of(joined.opened.size_bytes, tag)
            await body.begin(
                joined.content_type,
                size_bytes=joined.opened.size_bytes,
                tag=tag,
                part=part,
                gzip=gzip,
                status=HTTPStatus.PARTIAL_CONTENT if joined.left_out else HTTPStatus.OK,
                warnings=_left_out(joined.left_out),
            )
            if not request.head:
                await body.write_file(joined.opened, self._files, part)
            await body.write(b"", more=False)

    async def _pull(
        self, request: Request, resource: Resource, media_type: str, body: Body
    ) -> None:
        """Tell of instances as they come from where they are."""
        form = metadata_form(media_type)
        async with aclosing(await self._retriever.open(request.access, resource)) as stream:
            async for held in stream:
                told = await self._answers.data_set(form, held)
                if not body.begun:
                    await body.begin(form.content_type, gzip=False)
                await body.write(told)
        await body.write(form.end(), more=False)


def _left_out(instances: int) -> tuple[str, ...]:
    if not instances:
        return ()
    return (WARNING.format(f"The metadata of {instances} instances cannot be read"),)
