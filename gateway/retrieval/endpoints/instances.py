"""Retrieve Transaction on instance resources (PS3.18 §10.4.1.1.1): the bytes of a study."""

from contextlib import AsyncExitStack, aclosing

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.accept import Accepted, Form
from gateway.dicomweb.negotiation import DICOM, instance_form
from gateway.model.resource import Resource
from gateway.retrieval.endpoints.answering import Body, Request, answer, read_request
from gateway.retrieval.files import FileReader, OpenFile
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.source import HeldInstance, InstanceStream
from gateway.retrieval.transcode import Transcoder
from gateway.security.policy import Policy
from indexer.framing.multipart_writer import MultipartRelated


class InstancesEndpoint:
    """Answers with the instances of a study, a series, or with one instance."""

    def __init__(
        self, policy: Policy, retriever: Retriever, transcoder: Transcoder, files: FileReader
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._transcoder = transcoder
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        if request.head:
            await self._retriever.ensure_known(request.access, resource)
            await Body(send).send_head(f'multipart/related; type="{DICOM}"')
            return
        await answer(receive, send, lambda body: self._answer(request, resource, body))

    async def _answer(self, request: Request, resource: Resource, body: Body) -> None:
        async with aclosing(await self._retriever.open(request.access, resource)) as stream:
            single = resource.instance is not None
            # All of them before the first byte: what cannot be ended must not be begun.
            forms = [
                instance_form(request.accepted, syntax, single=single) for syntax in stream.foreseen
            ]
            if forms[0].multipart:
                await self._send_parts(stream, request.accepted, single, body)
            else:
                await self._send_alone(stream, request.accepted, body)

    async def _send_parts(
        self, stream: InstanceStream, accepted: Accepted, single: bool, body: Body
    ) -> None:
        frame = MultipartRelated(DICOM)
        async for held in stream:
            form = instance_form(accepted, held.transfer_syntax, single=single)
            async with AsyncExitStack() as stack:
                opened = await self._open(stack, held, form)
                if not body.begun:
                    await body.begin(frame.content_type)
                await body.write(frame.part(form.part_type, size_bytes=opened.size_bytes))
                async for chunk in self._files.chunks(opened):
                    await body.write(chunk)
        await body.write(frame.end(), more=False)

    async def _send_alone(self, stream: InstanceStream, accepted: Accepted, body: Body) -> None:
        form = instance_form(accepted, stream.first.transfer_syntax, single=True)
        async with AsyncExitStack() as stack:
            opened = await self._open(stack, stream.first, form)
            await body.begin(form.part_type, size_bytes=opened.size_bytes)
            async for chunk in self._files.chunks(opened):
                await body.write(chunk)
        await body.write(b"", more=False)

    async def _open(self, stack: AsyncExitStack, held: HeldInstance, form: Form) -> OpenFile:
        assert form.transfer_syntax is not None
        path = await stack.enter_async_context(self._transcoder.given(held, form.transfer_syntax))
        return await stack.enter_async_context(self._files.open(path))
