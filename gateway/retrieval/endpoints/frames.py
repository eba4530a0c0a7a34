"""Retrieve Transaction on frames (PS3.18 §10.4.1.1.6): bytes of a file, decoded only to be
given in another transfer syntax.

Each frame is a part. Frames whose pixels are bits and that do not end with a byte are one part
together, without padding between them (PS3.18 §8.7.3.3.2).
"""

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.frame_list import read_frames
from gateway.model.resource import Resource
from gateway.retrieval.bulk import BulkReader
from gateway.retrieval.endpoints.answering import Body, Request, answer, read_request
from gateway.retrieval.endpoints.bulk import Named, answer_pixels
from gateway.retrieval.retriever import Retriever
from gateway.security.policy import Policy


class FramesEndpoint:
    """Answers with frames of an instance."""

    def __init__(self, policy: Policy, retriever: Retriever, reader: BulkReader) -> None:
        self._policy = policy
        self._retriever = retriever
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        numbers = read_frames(request.path["frames"])
        await answer(
            scope, receive, send, lambda body: self._answer(request, resource, numbers, body)
        )

    async def _answer(
        self, request: Request, resource: Resource, numbers: tuple[int, ...], body: Body
    ) -> None:
        places = (min(numbers), max(numbers))
        async with self._retriever.described(request.access, resource, frames=places) as instance:
            instance.layout.ensure_frames(numbers)
            each = [f"{resource.path}/frames/{number}" for number in numbers]
            await answer_pixels(
                Named(request=request, what=f"frames/{numbers}", each=each),
                self._reader,
                instance,
                body,
                single=len(numbers) == 1,
                items_of=lambda opened: self._reader.frames(opened, instance, numbers),
            )
