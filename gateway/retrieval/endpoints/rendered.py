"""Retrieve Transaction on rendered resources (PS3.18 §10.4.1.1.3, §10.4.1.1.4).

A study or a series is given with every instance of it, in parts; an instance and a single frame
also alone. What holds nothing to show is left out, with the status 206 and a warning. A part that
cannot be made is a problem document in its place (RFC 9457), for others may have gone already, and
nobody is to take what is there for all there is.
"""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.accept import Accepted, Form
from gateway.dicomweb.conditions import ByteRange, Conditions, tag_of
from gateway.dicomweb.frame_list import read_frames
from gateway.dicomweb.negotiation import rendered_form
from gateway.errors import NotAcceptable, NotFound
from gateway.http_errors import problem
from gateway.model.access import AccessContext
from gateway.model.resource import Resource
from gateway.pixels.picture import PICTURES
from gateway.retrieval.endpoints.answering import (
    BY_LANGUAGE,
    WARNING,
    Body,
    Request,
    answer,
    read_request,
)
from gateway.retrieval.files import FileReader
from gateway.retrieval.rendering.forms import ALL, shows_nothing
from gateway.retrieval.rendering.order import ORDERS_KEPT, Order, read_order
from gateway.retrieval.rendering.renderer import Renderer, Rendering
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.source import HeldInstance
from gateway.security.policy import Policy
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid
from indexer.framing.multipart_writer import MultipartRelated

log = logging.getLogger(__name__)

_RENDERING: Final = "rendered 1"
"""Of our own making: another number gives other tags, where the same would look different."""
PROBLEM: Final = "application/problem+json"


@dataclass(slots=True, kw_only=True)
class Wish:
    """What is asked for, and what of it cannot be had.

    `frames` are counted from 1; none of them is the instance as a whole.
    """

    resource: Resource
    frames: tuple[int, ...]
    accepted: Accepted
    single: bool
    order: Order
    conditions: Conditions = field(default_factory=Conditions)
    warnings: list[str] = field(default_factory=list)
    status: HTTPStatus = HTTPStatus.OK

    def tag_of(self, key: str) -> str:
        """The tag of what is rendered of the object of this key as it is wished for; of what is not
        kept here there is none."""
        if not key:
            return ""
        accepted = (self.accepted.header or "", self.accepted.parameter or "")
        return tag_of((_RENDERING, key, *accepted, repr(self.frames), _told(self.order)))

    def left_out(self, count: int) -> None:
        """Say that some of it is not there (PS3.18 §10.4.3)."""
        if count:
            self.status = HTTPStatus.PARTIAL_CONTENT
            self.warnings.append(f"{count} instances hold nothing that is rendered")


@dataclass(frozen=True, slots=True)
class _Part:
    path: Path
    rendering: Rendering
    tag: str = ""


class _Had(Exception):
    """The client has what it asks for: what is rendered again would be the same."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


@lru_cache(ORDERS_KEPT)
def _told(order: Order) -> str:
    return repr(order)


class RenderedEndpoint:
    """Answers with pictures and texts of a study, a series, an instance, or frames of it."""

    def __init__(
        self, policy: Policy, retriever: Retriever, renderer: Renderer, files: FileReader
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._renderer = renderer
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        wish = _read_wish(request)
        likely = rendered_form(wish.accepted, ALL, single=wish.single)
        if request.head:
            await self._retriever.ensure_known(request.access, wish.resource)
            await Body(send, vary=BY_LANGUAGE).send_head(_body_type(likely))
            return

        async def give(body: Body) -> None:
            await self.give(request.access, wish, body)

        await answer(scope, receive, send, give, vary=BY_LANGUAGE)

    async def give(self, access: AccessContext, wish: Wish, body: Body) -> None:
        """Send what is wished for."""
        if wish.resource.instance is None:
            known = await self._retriever.ensure_known(access, wish.resource)
            wish.left_out(sum(shows_nothing(one.description.sop_class) for one in known))
        async with aclosing(self._parts(access, wish)) as parts:
            try:
                first, failed = await _first_shown(parts)
            except _Had as had:
                await body.not_modified(had.tag)
                return
            if not first.rendering.multipart:
                await self._send_alone(first, wish, body)
                return
            frame = MultipartRelated(first.rendering.kind)
            await _begin(body, wish, frame.content_type)
            for part in (*failed, first):
                await self._send(part, body, frame)
            async for part in parts:
                await self._send(part, body, frame)
            await body.write(frame.end(), more=False)

    async def give_by(self, access: AccessContext, wish: Wish, state: Resource, body: Body) -> None:
        """Send the image that is wished for as a presentation state shows it."""
        kind = rendered_form(wish.accepted, PICTURES, single=True).kind
        async with (
            self._retriever.described(access, state) as by,
            self._retriever.described(access, wish.resource) as image,
        ):
            shown = await self._renderer.present(
                image.held.path, by.held.path, wish.order, kind, frame=None
            )
        await self._send_alone(_Part(image.held.path, shown), wish, body)

    async def _send_alone(self, part: _Part, wish: Wish, body: Body) -> None:
        told = part.rendering
        # Of a file's bytes each part would have to be looked for; they go as a whole.
        tag = "" if told.ranges else part.tag
        wanted = wish.conditions.part_of(told.size_bytes, tag) if tag else None
        warnings = tuple(WARNING.format(text) for text in wish.warnings)
        await body.begin(
            told.kind,
            size_bytes=told.size_bytes,
            tag=tag,
            part=wanted,
            warnings=warnings,
            status=wish.status,
        )
        if wanted is not None:
            await body.write(told.content[wanted.start : wanted.end])
        else:
            await self._send(part, body)
        await body.write(b"", more=False)

    async def _send(self, part: _Part, body: Body, frame: MultipartRelated | None = None) -> None:
        told = part.rendering
        head = b"" if frame is None else frame.part(told.kind, size_bytes=told.size_bytes)
        await body.write(head + told.content)
        if not told.ranges:
            return
        async with self._files.open(part.path) as opened:
            for start, end in told.ranges:
                async for chunk in self._files.chunks(
                    opened, ByteRange(start=start, end=end, of=opened.size_bytes)
                ):
                    await body.write(chunk)

    async def _parts(self, access: AccessContext, wish: Wish) -> AsyncGenerator[_Part]:
        if wish.resource.instance is not None:
            async with self._retriever.described(access, wish.resource) as one:
                tag = wish.tag_of(one.key)
                if tag and wish.conditions.is_had(tag):
                    raise _Had(tag)
                async for part in self._of_instance(one.held, wish, access):
                    yield replace(part, tag="" if part.path != one.held.path else tag)
            return
        async with aclosing(await self._retriever.open(access, wish.resource)) as stream:
            async for held in stream:
                try:
                    async for part in self._of_instance(held, wish, access):
                        yield part
                except NotAcceptable as error:
                    log.warning("part_not_rendered", extra={"reason": str(error)})
                    yield _Part(held.path, _apology(error))

    async def _of_instance(
        self, held: HeldInstance, wish: Wish, access: AccessContext
    ) -> AsyncGenerator[_Part]:
        first = wish.frames[0] if wish.frames else None
        rendering = await self._render(held, wish, first)
        if rendering.references:
            async for part in self._presented(held, rendering, wish, access):
                yield part
            return
        yield _Part(held.path, rendering)
        rest = wish.frames[1:] if wish.frames else range(2, rendering.frames + 1)
        for frame in rest if rendering.multipart else ():
            yield _Part(held.path, await self._render(held, wish, frame))

    async def _presented(
        self, state: HeldInstance, told: Rendering, wish: Wish, access: AccessContext
    ) -> AsyncGenerator[_Part]:
        """The images that a presentation state shows, each as any other would be had: policy is
        asked for it, and its source."""
        for series, instance, frames in told.references:
            try:
                names = {"series": Uid(series), "instance": Uid(instance)}
            except InvalidValue:
                raise NotAcceptable("the presentation state names its image by no UID") from None
            image = Resource(study=wish.resource.study, **names)
            try:
                async with self._retriever.described(access, image) as one:
                    every: Sequence[int | None] = [None]
                    if told.multipart:
                        every = range(1, one.layout.shown_pixels().claimed + 1)
                    for frame in frames or every:
                        shown = await self._renderer.present(
                            one.held.path, state.path, wish.order, told.kind, frame=frame
                        )
                        yield _Part(one.held.path, replace(shown, multipart=told.multipart))
            except NotFound as error:
                raise NotAcceptable(f"an image of the presentation state: {error}") from None

    async def _render(self, held: HeldInstance, wish: Wish, frame: int | None) -> Rendering:
        return await self._renderer.render(
            held.path, wish.order, wish.accepted, single=wish.single, frame=frame
        )


def _read_wish(request: Request) -> Wish:
    resource = request.resource()
    frames = read_frames(request.path["frames"]) if "frames" in request.path else ()
    order, unknown = read_order(
        tuple(request.query.multi_items()), accept_language=request.language
    )
    return Wish(
        resource=resource,
        frames=frames,
        accepted=request.accepted,
        single=resource.instance is not None and len(frames) <= 1,
        order=order,
        conditions=request.conditions,
        warnings=list(unknown),
    )


async def _first_shown(parts: AsyncGenerator[_Part]) -> tuple[_Part, list[_Part]]:
    """The first part that is shown, and what could not be before it.

    Raises:
        NotAcceptable: none is.
    """
    failed: list[_Part] = []
    async for part in parts:
        if part.rendering.kind != PROBLEM:
            return part, failed
        failed.append(part)
    raise NotAcceptable("nothing of this resource can be rendered as it is asked for")


def _body_type(form: Form) -> str:
    return MultipartRelated(form.kind).content_type if form.multipart else form.kind


def _apology(error: NotAcceptable) -> Rendering:
    content = bytes(problem(HTTPStatus.NOT_ACCEPTABLE, str(error)).body)
    return Rendering(kind=PROBLEM, multipart=True, content=content, frames=1)


async def _begin(body: Body, wish: Wish, content_type: str) -> None:
    warnings = tuple(WARNING.format(text) for text in wish.warnings)
    await body.begin(content_type, warnings=warnings, status=wish.status)
