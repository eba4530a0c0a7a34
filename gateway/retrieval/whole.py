"""Bodies that are stored files as they lie, with lines between them: known to the byte beforehand.

So they have a length, a tag, the same boundary each time and parts by Range, and the kernel can
send them. What has to be written anew, or comes from elsewhere, goes the way of `InstanceStream`.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.catalogue.descriptions import Listing
from gateway.dicomweb.accept import Form
from gateway.dicomweb.conditions import ByteRange, tag_of
from gateway.dicomweb.negotiation import DICOM
from gateway.errors import StorageUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.files import FileReader, OpenFile
from indexer.contract.identifiers import Uid
from indexer.framing.multipart_writer import MultipartRelated

_LAYOUT: Final = "1"
"""Of such bodies: what is framed differently is another one to who asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A file, and the lines that go before it."""

    head: bytes
    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBody:
    """A body, of which nothing is read yet."""

    content_type: str
    parts: list[StoredPart]
    end: bytes

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return sum(len(one.head) + one.size_bytes for one in self.parts) + len(self.end)

    def within(self, wanted: ByteRange) -> Iterator[tuple[bytes, StoredPart | None, ByteRange]]:
        """What of it lies in a range: bytes, and after them a range of the part's file, which may
        be empty. The last has no part."""
        at = 0
        for part in self.parts:
            end = at + len(part.head) + part.size_bytes
            if end > wanted.start and at < wanted.end:
                head_end = at + len(part.head)
                start, stop = max(wanted.start, at), min(wanted.end, end)
                before = part.head[start - at : max(0, stop - at)]
                from_file = max(start, head_end) - head_end
                until = max(stop, head_end) - head_end
                yield before, part, ByteRange(start=from_file, end=until, of=part.size_bytes)
            at = end
        last = self.end[max(0, wanted.start - at) : max(0, wanted.end - at)]
        yield last, None, ByteRange(start=0, end=0, of=0)


class StoredBodies:
    """Makes such bodies.

    Args:
        path: where an object's key leads.
    """

    def __init__(self, files: FileReader, path: Callable[[str], Path]) -> None:
        self.files = files
        self._path = path

    def tag(self, listing: Listing, *, multipart: bool, root_url: str) -> str:
        """A strong tag of the body, which need not be made for it."""
        form = "parts" if multipart else "alone"
        return tag_of((_LAYOUT, form, root_url, listing.study, listing.fingerprint))

    async def body_of(
        self, listing: Listing, forms: Mapping[Uid, Form], *, root_url: str
    ) -> StoredBody | None:
        """The body of all that is listed; None where a file is not there any more.

        Args:
            forms: how instances are given, by their transfer syntax.
            root_url: address of DICOMweb as the client reaches it.
        """
        try:
            return await self.files.run(self._body_of, listing, forms, root_url)
        except StorageUnavailable:
            return None

    def _body_of(self, listing: Listing, forms: Mapping[Uid, Form], root_url: str) -> StoredBody:
        [multipart] = {form.multipart for form in forms.values()}
        # Hard to foresee for whoever makes an instance, for it tells of the instance's own file.
        boundary = self.tag(listing, multipart=multipart, root_url=root_url).strip('"')
        frame, parts = MultipartRelated(DICOM, boundary=boundary), []
        content_type, end = frame.content_type, b""
        for one in listing.instances:
            path, form = self._path(one.key), forms[Uid(one.transfer_syntax)]
            size_bytes, head = path.stat().st_size, b""
            if multipart:
                named = Resource(study=listing.study, series=one.series, instance=one.instance)
                location = root_url + named.path
                head = frame.part(form.part_type, size_bytes=size_bytes, location=location)
            parts.append(StoredPart(head=head, path=str(path), size_bytes=size_bytes))
            content_type = content_type if multipart else form.part_type
        if multipart:
            end = frame.end()
        return StoredBody(content_type=content_type, parts=parts, end=end)

    async def opened(
        self, body: StoredBody, wanted: ByteRange
    ) -> AsyncGenerator[tuple[bytes, OpenFile | None, ByteRange]]:
        """What of the body lies in a range, each file open until the next is asked for.

        Raises:
            StorageUnavailable: a file is not there any more.
        """
        paths = (part.path for _, part, _ in body.within(wanted) if part is not None)
        async with aclosing(self.files.each(paths)) as opened:
            for before, part, of_file in body.within(wanted):
                yield before, None if part is None else await anext(opened), of_file
