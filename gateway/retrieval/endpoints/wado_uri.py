"""WADO-URI (PS3.18 §9): one instance by its three UIDs, as it is or as a picture.

What is asked for has a resource of DICOMweb, whose endpoint answers: one policy, one choice of
transfer syntaxes, one way to render and to send.
"""

from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.dicomweb.accept import Accepted
from gateway.dicomweb.negotiation import DICOM, rendered_form
from gateway.dicomweb.wado_uri import WantedInstance, WantedPicture, read_wanted
from gateway.errors import InvalidRequest, NotFound
from gateway.model.resource import Resource
from gateway.pixels.geometry import SIDE_MAX, Viewport
from gateway.pixels.presentation import PRESENTATIONS
from gateway.pixels.voi import Window
from gateway.retrieval.endpoints.answering import (
    BY_LANGUAGE,
    Body,
    Request,
    answer,
    read_request,
)
from gateway.retrieval.endpoints.rendered import RenderedEndpoint, Wish
from gateway.retrieval.rendering.forms import ALL
from gateway.retrieval.rendering.order import Order, read_order
from gateway.retrieval.retriever import Retriever
from gateway.security.policy import Policy

_UNKNOWN = "The following annotation values are not supported: {}"  # PS3.18 §8.3.5.1.1


class WadoUriEndpoint:
    """Answers with an instance.

    Args:
        instances: the endpoint of the instances of DICOMweb.
        rendered: the endpoint of what is rendered of them.
    """

    def __init__(
        self,
        policy: Policy,
        retriever: Retriever,
        *,
        instances: ASGIApp,
        rendered: RenderedEndpoint,
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._instances = instances
        self._rendered = rendered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        wanted = read_wanted(request.query.multi_items(), request.accepted.header)
        if isinstance(wanted, WantedInstance):
            await self._instances(_asked_by_path(scope, wanted), receive, send)
            return
        wish, state = _wish(wanted, request), wanted.presentation
        if request.head:
            await self._retriever.ensure_known(request.access, wish.resource)
            await Body(send, vary=BY_LANGUAGE).send_head(
                rendered_form(wish.accepted, ALL, single=True).kind
            )
            return

        async def show(body: Body) -> None:
            await self._show(request, wish, state, body)

        await answer(scope, receive, send, show, vary=BY_LANGUAGE)

    async def _show(self, request: Request, wish: Wish, state: Resource | None, body: Body) -> None:
        await self._retriever.ensure_known(request.access, wish.resource)
        if state is not None:
            await self._ensure_state(request, state)
            await self._rendered.give_by(request.access, wish, state, body)
            return
        try:
            await self._rendered.give(request.access, wish, body)
        except NotFound:
            if not wish.frames:
                raise
            # DICOMweb has an address for each frame; here it is a parameter (PS3.18 §9.5.2.1).
            raise InvalidRequest("frameNumber is none of the instance's frames") from None

    async def _ensure_state(self, request: Request, state: Resource) -> None:
        """Raises:
        InvalidRequest: there is none by this name (PS3.18 §9.5.2.3), or none that is shown.
        """
        try:
            [known] = await self._retriever.ensure_known(request.access, state)
        except NotFound:
            raise InvalidRequest("presentationUID names nothing that is here") from None
        if known.description.sop_class not in PRESENTATIONS:
            raise InvalidRequest("presentationUID names no presentation state that is shown")


def _asked_by_path(scope: Scope, wanted: WantedInstance) -> Scope:
    """The request of DICOMweb that asks for the same."""
    syntax = f"; transfer-syntax={wanted.transfer_syntax}" if wanted.transfer_syntax else ""
    kept = [(name, value) for name, value in scope["headers"] if name != b"accept"]
    return {
        **scope,
        "path_params": _named(wanted.resource),
        "query_string": b"",
        "headers": [*kept, (b"accept", f"{DICOM}{syntax}".encode())],
    }


def _named(resource: Resource) -> dict[str, str]:
    assert resource.series is not None
    assert resource.instance is not None
    return {
        "study": resource.study,
        "series": resource.series,
        "instance": resource.instance,
    }


def _wish(wanted: WantedPicture, request: Request) -> Wish:
    # As they are wanted, the first the most; there are no bodies in parts here.
    ranks = (f"{kind}; q={1 - place / 100:.2f}" for place, kind in enumerate(wanted.kinds))
    unknown = wanted.unknown_annotations
    return Wish(
        resource=wanted.resource,
        frames=() if wanted.frame is None else (wanted.frame,),
        accepted=Accepted(", ".join(ranks)),
        single=True,
        order=_order(wanted, request.language),
        warnings=[_UNKNOWN.format(", ".join(unknown))] if unknown else [],
    )


def _order(wanted: WantedPicture, language: str) -> Order:
    in_language, _ = read_order((), accept_language=language)
    return replace(
        in_language,
        quality=wanted.quality,
        portion=wanted.region,
        viewport=_viewport(wanted.columns, wanted.rows),
        window=None if wanted.window is None else Window(*wanted.window),
        annotation=wanted.annotation,
    )


def _viewport(width: int | None, height: int | None) -> Viewport | None:
    """The most of each side; one that is not told follows from the other (PS3.18 §9.5.2.5)."""
    if width is None and height is None:
        return None
    return Viewport(width or SIDE_MAX, height or SIDE_MAX)
