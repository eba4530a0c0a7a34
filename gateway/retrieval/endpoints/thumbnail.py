"""Retrieve Transaction on thumbnail resources (PS3.18 §10.4.1.1.4): one small picture.

Of a study or a series it is an image from the middle, which shows more of a body than its ends do.
"""

from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.accept import Accepted
from gateway.dicomweb.frame_list import read_frames
from gateway.dicomweb.negotiation import rendered_form
from gateway.errors import NotFound
from gateway.model.image import ImageDescription, KnownImage
from gateway.model.resource import Resource
from gateway.pixels.picture import PICTURES
from gateway.retrieval.endpoints.answering import Body, answer, read_request
from gateway.retrieval.rendering.forms import is_image
from gateway.retrieval.rendering.order import read_thumbnail_order
from gateway.retrieval.rendering.renderer import Renderer
from gateway.retrieval.retriever import Retriever
from gateway.security.policy import Policy


class ThumbnailEndpoint:
    """Answers with one picture of a study, a series, an instance, or a frame."""

    def __init__(self, policy: Policy, retriever: Retriever, renderer: Renderer) -> None:
        self._policy = policy
        self._retriever = retriever
        self._renderer = renderer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        frames = read_frames(request.path["frames"]) if "frames" in request.path else (None,)
        kind = rendered_form(request.accepted, PICTURES, single=True).kind
        order = read_thumbnail_order(request.query.multi_items())
        known = await self._retriever.ensure_known(request.access, resource)
        if request.head:
            await Body(send).send_head(kind)
            return
        shown = _representative(known, resource)

        async def send_picture(body: Body) -> None:
            async with self._retriever.described(request.access, shown) as one:
                path = one.held.path
                picture = await self._renderer.render(
                    path, order, Accepted(kind), single=True, frame=frames[0]
                )
            await body.begin(picture.kind, size_bytes=len(picture.content))
            await body.write(picture.content, more=False)

        await answer(scope, receive, send, send_picture)


def _representative(known: Sequence[KnownImage], resource: Resource) -> Resource:
    """The image that stands for the resource: the middle one of its first series of images.

    Raises:
        NotFound: there is none among what is known.
    """
    images = [one.description for one in known if is_image(one.description.sop_class)]
    if not images:
        raise NotFound("nothing here has a picture")
    series = sorted((one for one in images if one.series == images[0].series), key=_place)
    middle = series[len(series) // 2]
    return Resource(study=resource.study, series=middle.series, instance=middle.instance)


def _place(image: ImageDescription) -> tuple[int, str]:
    number = image.instance_number
    return (int(number) if number.isdecimal() else 0, image.instance)
