"""Retrieve Transaction on instance resources (PS3.18 §10.4.1.1.1): the bytes of a study.

The centre's own viewers get what is stored. Another DRIMbox, which names the manifest that led it
here, gets instances that name the patient by INS, too.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.accept import Accepted, Form
from gateway.dicomweb.conditions import ByteRange
from gateway.dicomweb.negotiation import DICOM, instance_form
from gateway.errors import NotAcceptable, StorageUnavailable
from gateway.model.resource import Resource
from gateway.pixels.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    FORBIDDEN_ON_THE_WEB,
    given_as,
)
from gateway.retrieval.endpoints.answering import Body, Request, answer, left_out, read_request
from gateway.retrieval.files import FileReader
from gateway.retrieval.forms.leaving import KnownPatients, Leaving, ready
from gateway.retrieval.forms.transcode import Transcoder
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.source import HeldInstance, InstanceStream
from gateway.retrieval.whole import StoredBodies, StoredBody
from gateway.security.policy import Policy
from indexer.contract.identifiers import Ins, Uid
from indexer.framing.multipart_writer import MultipartRelated


class InstancesEndpoint:
    """Answers with the instances of a study, a series, or with one instance."""

    def __init__(
        self,
        policy: Policy,
        retriever: Retriever,
        transcoder: Transcoder,
        files: FileReader,
        *,
        patients: KnownPatients,
        bodies: StoredBodies,
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._transcoder = transcoder
        self._files = files
        self._patients = patients
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        await answer(scope, receive, send, lambda body: self._answer(request, resource, body))

    async def _answer(self, request: Request, resource: Resource, body: Body) -> None:
        if request.manifest is None and await self._is_given_as_it_lies(request, resource, body):
            return
        if request.head:
            await self._retriever.ensure_known(request.access, resource)
            await body.send_head(f'multipart/related; type="{DICOM}"')
            return
        async with aclosing(await self._retriever.open(request.access, resource)) as stream:
            # All of them before the first byte: what cannot be ended must not be begun.
            wanted = _wanted(request, resource)
            if request.manifest is not None:  # by another DRIMbox
                ins = await self._patients.ins(resource.study)
                wanted = replace(wanted, ins=ins, as_stored=True)
            forms = [wanted.form(syntax) for syntax in stream.foreseen]
            if forms[0].multipart:
                await self._send_parts(stream, wanted, body)
            else:
                await self._send_alone(stream, wanted, body)

    async def _is_given_as_it_lies(self, request: Request, resource: Resource, body: Body) -> bool:
        """Answer with stored files as they are, if all is stored, and wanted so."""
        async with self._retriever.stored(request.access, resource) as listing:
            if listing is None:
                return False
            wanted = _wanted(request, resource)
            forms = {syntax: wanted.form(syntax) for syntax in listing.transfer_syntaxes}
            if any(form.transfer_syntax != syntax for syntax, form in forms.items()):
                return False
            multipart = next(iter(forms.values())).multipart
            root_url = request.root_url
            tag = self._bodies.tag(listing, multipart=multipart, root_url=root_url)
            location = root_url + resource.path
            if request.conditions.is_had(tag):
                await body.not_modified(tag, location=location)
                return True
            whole = await self._bodies.body_of(listing, forms, root_url=root_url)
            if whole is None:
                return False
            self._retriever.count_given()
            size_bytes = whole.size_bytes
            part = request.conditions.part_of(size_bytes, tag)
            await body.begin(
                whole.content_type, size_bytes=size_bytes, tag=tag, location=location, part=part
            )
            last = b""
            if not request.head:
                part = part or ByteRange(start=0, end=size_bytes, of=size_bytes)
                last = await self._send_files(whole, part, body)
            await body.write(last, more=False)
            return True

    async def _send_files(self, whole: StoredBody, wanted: ByteRange, body: Body) -> bytes:
        """Send what of a range is files; gives what goes after them."""
        last = whole.last(wanted)
        size_bytes = wanted.size_bytes - len(last)
        try:
            await body.write_pieces(whole.pieces(wanted), size_bytes, self._files)
        except StorageUnavailable:
            self._bodies.doubt(whole.listing.study)
            raise
        return last

    async def _send_parts(self, stream: InstanceStream, wanted: "_Wanted", body: Body) -> None:
        frame = MultipartRelated(DICOM)
        is_as_it_comes = cache(wanted.is_as_it_comes)
        async for held in stream.as_they_come():
            location = wanted.root_url + held.resource.path
            if held.in_memory and is_as_it_comes(held.transfer_syntax):
                if not body.begun:
                    await _begin(body, frame.content_type, wanted, missing=stream.missing)
                size_bytes = sum(map(len, held.in_memory))
                before = frame.part(_part_type(held), size_bytes=size_bytes, location=location)
                await body.write_views(held.in_memory, before=before)
                continue
            async with self._leaving(await held.on_disk(), wanted) as (leaving, part_type):
                if not body.begun:
                    await _begin(body, frame.content_type, wanted, missing=stream.missing)
                before = frame.part(part_type, size_bytes=leaving.size_bytes, location=location)
                await body.write_leaving(leaving, self._files, before=before)
        await body.write(frame.end(), more=False)

    async def _send_alone(self, stream: InstanceStream, wanted: "_Wanted", body: Body) -> None:
        first = await stream.first.on_disk()
        async with self._leaving(first, wanted) as (leaving, content_type):
            location = wanted.root_url + first.resource.path
            await body.begin(content_type, size_bytes=leaving.size_bytes, location=location)
            await body.write_leaving(leaving, self._files)
        await body.write(b"", more=False)

    @asynccontextmanager
    async def _leaving(
        self, held: HeldInstance, wanted: "_Wanted"
    ) -> AsyncIterator[tuple[Leaving, str]]:
        """The instance as it leaves, and the media type in which it does."""
        async with AsyncExitStack() as stack:
            given = await self._given(stack, held, wanted)
            opened = await stack.enter_async_context(self._files.open(given.path))
            part_type = _part_type(given)
            if wanted.ins is None:
                yield Leaving(opened=opened), part_type
            else:
                yield await self._files.run(ready, opened, wanted.ins), part_type

    async def _given(
        self, stack: AsyncExitStack, held: HeldInstance, wanted: "_Wanted"
    ) -> HeldInstance:
        """The instance in the form that is liked best of those that can hold it."""
        cannot_hold: dict[Uid, NotAcceptable] = {}
        stored = held.transfer_syntax
        while True:
            try:
                asked = wanted.form(stored, but_for=cannot_hold).transfer_syntax
            except NotAcceptable as error:
                if wanted.single or not cannot_hold or stored in FORBIDDEN_ON_THE_WEB:
                    raise _reason(cannot_hold, error) from error
                return held  # one that cannot be decoded keeps nobody from the rest
            assert asked is not None
            try:
                return await stack.enter_async_context(self._transcoder.given(held, asked))
            except NotAcceptable as error:
                cannot_hold[asked] = error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """How instances are wanted, and by which INS they are to name the patient, if by one."""

    resource: Resource
    root_url: str
    """The address of DICOMweb as the client reaches it."""
    accepted: Accepted
    ins: Ins | None = None
    as_stored: bool = False
    """Whether what is stored goes before all else that is accepted, as between DRIMboxes: to write
    a study anew costs more than the bytes that it might save."""

    @property
    def single(self) -> bool:
        """Whether it is one instance."""
        return self.resource.instance is not None

    def is_as_it_comes(self, syntax: Uid) -> bool:
        """Whether what comes in this transfer syntax is wanted so, and no byte of it otherwise."""
        if self.ins is not None:
            return False
        with suppress(NotAcceptable):
            return self.form(syntax).transfer_syntax == syntax
        return False

    def form(self, stored: Uid, *, but_for: Collection[Uid] = ()) -> Form:
        """Of one that is held in this transfer syntax.

        Args:
            but_for: transfer syntaxes that cannot hold it.
        """
        targets = [syntax for syntax in given_as(stored) if syntax not in but_for]
        if self.as_stored and stored not in FORBIDDEN_ON_THE_WEB:
            with suppress(NotAcceptable):
                return self._form(stored, ())
        return self._form(stored, targets)

    def _form(self, stored: Uid, targets: Sequence[Uid]) -> Form:
        form = instance_form(
            self.accepted, stored, single=self.single, targets=lambda _stored: targets
        )
        if self.ins is not None and form.transfer_syntax == DEFLATED_LITTLE_ENDIAN:
            # Of what is deflated as a whole no part can be replaced.
            return replace(form, transfer_syntax=EXPLICIT_LITTLE_ENDIAN)
        return form


def _wanted(request: Request, resource: Resource) -> _Wanted:
    return _Wanted(resource=resource, root_url=request.root_url, accepted=request.accepted)


def _part_type(held: HeldInstance) -> str:
    return f"{DICOM}; transfer-syntax={held.transfer_syntax}"


def _reason(cannot_hold: Mapping[Uid, NotAcceptable], otherwise: NotAcceptable) -> NotAcceptable:
    """Why the form that was liked best cannot be given."""
    if not cannot_hold:
        return otherwise
    told = next(iter(cannot_hold.values()))
    return NotAcceptable(f"{told}; transfer-syntax=* has the instance as it is held")


async def _begin(body: Body, content_type: str, wanted: _Wanted, *, missing: int) -> None:
    """Begin with what is left out, where that is known: then what is given is a part."""
    status = HTTPStatus.PARTIAL_CONTENT if missing else HTTPStatus.OK
    location, warnings = wanted.root_url + wanted.resource.path, left_out(missing)
    await body.begin(content_type, status=status, location=location, warnings=warnings)
