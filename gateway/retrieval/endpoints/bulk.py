"""How bulk data is answered with: items of files, alone or in parts, whole or in a range."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache

from gateway.dicomweb.accept import Accepted, Form
from gateway.dicomweb.conditions import ByteRange, tag_of
from gateway.dicomweb.negotiation import FORMS_KEPT, bulk_form
from gateway.errors import NotAcceptable
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN, NATIVE, given_as
from gateway.retrieval.bulk import BulkReader, Item, part_of
from gateway.retrieval.describing.known import DescribedInstance
from gateway.retrieval.endpoints.answering import Body, Request
from gateway.retrieval.files import OpenFile
from indexer.contract.identifiers import Uid
from indexer.framing.multipart_writer import MultipartRelated


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What bulk data is asked for, by its address."""

    request: Request
    what: str
    """Names it among all that is given of the instance."""
    each: Sequence[str]
    """Address, below that of DICOMweb, of each item; or of all, which metadata names by one."""

    def tag(self, instance: DescribedInstance, form: Form) -> str:
        """A strong tag of what is given of a stored object; empty for what is not stored here."""
        if not instance.key:
            return ""
        at = self.request.root_url if form.multipart else ""
        return tag_of((instance.key, self.what, form.part_type, at))

    def location(self, item: int, *, of: int) -> str:
        """The address of one of so many items."""
        if len(self.each) not in (1, of):  # several frames of bits are one item
            return self.request.location
        return self.request.root_url + self.each[item % len(self.each)]

    async def is_had(self, tag: str, body: Body) -> bool:
        """Whether the client has what is asked for, which it is told then."""
        had = bool(tag) and self.request.conditions.is_had(tag)
        if had:
            await body.not_modified(tag, location=self.request.location)
        return had


async def answer_pixels(
    named: Named,
    reader: BulkReader,
    instance: DescribedInstance,
    body: Body,
    *,
    single: bool,
    items_of: Callable[[OpenFile], Awaitable[list[Item]]],
    joined: bool = False,
) -> None:
    """Answer with frames as they lie in the file, or in the form that is liked best of those that
    can hold them.

    Args:
        single: whether they are one item, the only case for a body without parts.
        items_of: where they lie in the instance's file.
        joined: whether native ones are one item.
    """
    stored = instance.held.transfer_syntax
    lie_in = EXPLICIT_LITTLE_ENDIAN if stored in NATIVE else stored
    cannot_hold: dict[Uid, NotAcceptable] = {}
    while True:
        form = _form(named.request, stored, single=single, cannot_hold=cannot_hold)
        asked = form.transfer_syntax
        assert asked is not None
        tag = named.tag(instance, form)
        if await named.is_had(tag, body):
            return
        try:
            async with AsyncExitStack() as stack:
                opened = await stack.enter_async_context(reader.opened(instance))
                items = await items_of(opened)
                if asked != lie_in:
                    if joined:  # each is encoded alone
                        items = await reader.every_frame(opened, instance)
                    is_one = joined and asked == EXPLICIT_LITTLE_ENDIAN
                    transcoded = reader.transcoded(opened, items, asked, joined=is_one)
                    opened, items = await stack.enter_async_context(transcoded)
                await BulkAnswer(named, reader, form, tag=tag).send(body, opened, items)
                return
        except NotAcceptable as error:
            if body.begun or asked == lie_in:
                raise
            cannot_hold[asked] = error


def _form(
    request: Request, stored: Uid, *, single: bool, cannot_hold: Mapping[Uid, NotAcceptable]
) -> Form:
    targets = tuple(syntax for syntax in given_as(stored) if syntax not in cannot_hold)
    try:
        return _liked(request.accepted, stored, single, targets)
    except NotAcceptable as error:
        raise next(iter(cannot_hold.values()), error) from error


@lru_cache(FORMS_KEPT)
def _liked(accepted: Accepted, stored: Uid, single: bool, targets: tuple[Uid, ...]) -> Form:
    return bulk_form(accepted, stored, single=single, targets=lambda _stored: targets)


class BulkAnswer:
    """One answer of known length."""

    def __init__(self, named: Named, reader: BulkReader, form: Form, *, tag: str) -> None:
        self._named = named
        self._reader = reader
        self._form = form
        self._tag = tag

    async def send(self, body: Body, opened: OpenFile, items: Sequence[Item]) -> None:
        """Answer with these items of a file."""
        content_type, segments = self._segments(items)
        size_bytes = sum(_size(segment) for segment in segments)
        # What has no tag may be another thing when the next range of it is asked for.
        request = self._named.request
        part = request.conditions.part_of(size_bytes, self._tag) if self._tag else None
        await body.begin(
            content_type,
            size_bytes=size_bytes,
            tag=self._tag,
            location=request.location,
            part=part,
        )
        if request.head:
            await body.write(b"", more=False)
            return
        whole = ByteRange(start=0, end=size_bytes, of=size_bytes)
        await self._send_segments(body, opened, segments, part or whole)

    def _segments(self, items: Sequence[Item]) -> tuple[str, list[bytes | Item]]:
        if not self._form.multipart:
            return self._form.part_type, list(items)
        frame = MultipartRelated(self._form.kind, boundary=self._tag.strip('"') or None)
        segments: list[bytes | Item] = []
        for number, item in enumerate(items):
            location = self._named.location(number, of=len(items))
            kind = self._form.part_type
            segments += [frame.part(kind, size_bytes=item.size_bytes, location=location), item]
        return frame.content_type, [*segments, frame.end()]

    async def _send_segments(
        self, body: Body, opened: OpenFile, segments: Sequence[bytes | Item], part: ByteRange
    ) -> None:
        at, before = 0, b""
        for segment in segments:
            size_bytes = _size(segment)
            start, end = max(part.start - at, 0), min(part.end - at, size_bytes)
            at += size_bytes
            if start >= end:
                continue
            if isinstance(segment, bytes):
                before += segment[start:end]
                continue
            inside = ByteRange(start=start, end=end, of=size_bytes)
            await send_item(body, self._reader, opened, segment, inside, before=before)
            before = b""
        await body.write(before, more=False)


async def send_item(
    body: Body,
    reader: BulkReader,
    opened: OpenFile,
    item: Item,
    part: ByteRange | None = None,
    *,
    before: bytes = b"",
) -> None:
    """Send an item of a file, or a part of it.

    Args:
        before: goes in front of it.

    Raises:
        TimeoutError: the client takes nothing.
        StorageUnavailable: the file cannot be read.
    """
    inside = part or ByteRange(start=0, end=item.size_bytes, of=item.size_bytes)
    if item.bits:
        async for chunk in reader.shifted(opened, item, inside):
            await body.write(before + chunk)
            before = b""
        return
    for place in item.within(inside):
        await body.write_file(opened, reader.files, part_of(opened, place), before=before)
        before = b""
    if before:  # of an item that is empty
        await body.write(before)


def _size(segment: bytes | Item) -> int:
    return len(segment) if isinstance(segment, bytes) else segment.size_bytes
