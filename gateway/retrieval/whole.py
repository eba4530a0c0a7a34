"""Bodies that are stored files as they lie, with lines between them: known to the byte beforehand.

So they have a length, a tag, the same boundary each time and parts by Range, and the kernel can
send them. What has to be written anew, or comes from elsewhere, goes the way of `InstanceStream`.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.catalogue.descriptions import Listing
from gateway.dicomweb.accept import Form
from gateway.dicomweb.conditions import ByteRange, tag_of
from gateway.dicomweb.negotiation import DICOM
from gateway.errors import StorageUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.files import FileReader
from gateway.zero_copy import Piece
from indexer.contract.identifiers import Uid
from indexer.framing.multipart_writer import MultipartRelated

_LAYOUT: Final = "1"
"""Of such bodies: what is framed differently is another one to who asks again."""
LOOKED_FOR: Final = 16
"""Files that are looked for before a body begins whose sizes are known: the first byte of a large
study does not wait again for all of its files. One that is missing later breaks the body off (see
`StoredBodies.doubt`)."""
SIZES_MAX: Final = 256
"""Listings of which they are."""
DOUBTED_MAX: Final = 1024
"""Studies of which that is remembered."""
_LINE_END: Final = 2  # bytes


class _Alone:
    """Frames a body that is one file."""

    starts_at = 0
    end = b""

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type

    def head(self, *_: str) -> bytes:
        """Nothing goes before it."""
        return b""

    def head_bytes(self, *_: str) -> int:
        """How long that is."""
        return 0


class _Parts:
    """Frames a body of parts.

    Args:
        study_url: address of the study.
        part_types: of its parts, by their transfer syntax.
    """

    starts_at = -_LINE_END
    """Each part begins with the end of a line; that of the first lies before the body."""

    def __init__(self, study_url: str, part_types: Mapping[str, str], *, boundary: str) -> None:
        self._frame = MultipartRelated(DICOM, boundary=boundary)
        self._series_url = f"{study_url}/series/"
        self._part_types = part_types
        self._frame.part(DICOM, size_bytes=0)
        self._fixed_bytes = {one: len(self.head("", "", one, "0")) - 1 for one in part_types}
        self.content_type = self._frame.content_type
        self.end = self._frame.end()

    def head(self, series: str, instance: str, syntax: str, size: str) -> bytes:
        """What goes before a part."""
        location = f"{self._series_url}{series}/instances/{instance}"
        return self._frame.part(self._part_types[syntax], size_bytes=int(size), location=location)

    def head_bytes(self, series: str, instance: str, syntax: str, size: str) -> int:
        """How long that is; asked of every part before the first is made."""
        return self._fixed_bytes[syntax] + len(series) + len(instance) + len(size)


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body, of which nothing is read yet; what is sent of it is made as it is sent."""

    listing: Listing
    size_bytes: int
    sizes: "array[int]"
    """Of its files, in their order: the catalogue knows how long a data set is, not its file."""
    _frame: _Alone | _Parts
    _path: Callable[[str], Path]

    @property
    def content_type(self) -> str:
        """Of the whole."""
        return self._frame.content_type

    def pieces(self, wanted: ByteRange) -> Iterator[Piece]:
        """What of its files lies in a range, and of the lines that go before them."""
        frame, file_ends_at = self._frame, self._frame.starts_at
        for (series, instance, key, syntax, _), size_bytes in zip(
            self.listing.lines(), self.sizes, strict=True
        ):
            at, size = file_ends_at, str(size_bytes)
            file_at = at + frame.head_bytes(series, instance, syntax, size)
            file_ends_at = file_at + size_bytes
            if at >= wanted.end:
                return
            if file_ends_at > wanted.start:
                head = frame.head(series, instance, syntax, size)
                before = head[max(wanted.start - at, 0) : wanted.end - at]
                offset = max(wanted.start - file_at, 0)
                count = max(min(wanted.end, file_ends_at) - file_at - offset, 0)
                yield Piece(before, str(self._path(key)), offset, count)

    def last(self, wanted: ByteRange) -> bytes:
        """What of the lines after its files lies in a range."""
        at = self.size_bytes - len(self._frame.end)
        return self._frame.end[max(wanted.start - at, 0) : max(wanted.end - at, 0)]


class StoredBodies:
    """Makes such bodies.

    Args:
        path: where an object's key leads.
    """

    def __init__(self, files: FileReader, path: Callable[[str], Path]) -> None:
        self._files = files
        self._path = path
        self._doubted: dict[Uid, None] = {}
        self._sizes: dict[str, array[int]] = {}
        """Of the files of a listing, by its fingerprint: an object never changes."""

    def tag(self, listing: Listing, *, multipart: bool, root_url: str) -> str:
        """A strong tag of the body, which need not be made for it."""
        form = "parts" if multipart else "alone"
        return tag_of((_LAYOUT, form, root_url, listing.study, listing.fingerprint))

    async def body_of(
        self, listing: Listing, forms: Mapping[Uid, Form], *, root_url: str
    ) -> StoredBody | None:
        """The body of all that is listed; None where a file is seen not to be there any more.

        Args:
            forms: how instances are given, by their transfer syntax.
            root_url: address of DICOMweb as the client reaches it.
        """
        known = None if listing.study in self._doubted else self._sizes.get(listing.fingerprint)
        frame = self._frame(listing, forms, root_url)
        try:
            body = await self._files.run(self._body_of, listing, frame, known)
        except StorageUnavailable:
            return None
        self._doubted.pop(listing.study, None)
        # What was asked for last stays.
        self._sizes.pop(listing.fingerprint, None)
        self._sizes[listing.fingerprint] = body.sizes
        while len(self._sizes) > SIZES_MAX:
            del self._sizes[next(iter(self._sizes))]
        return body

    def doubt(self, study: Uid) -> None:
        """A body of the study was broken off: before the next one begins, all its files are looked
        for, so that another source can be asked for what is lost."""
        self._doubted[study] = None
        while len(self._doubted) > DOUBTED_MAX:
            del self._doubted[next(iter(self._doubted))]

    def _body_of(
        self, listing: Listing, frame: "_Alone | _Parts", known: "array[int] | None"
    ) -> StoredBody:
        looked_for = None if known is None else LOOKED_FOR
        sizes = array("Q")
        for _, _, key, _, data_set_size in islice(listing.lines(), looked_for):
            sizes.append(self._path(key).stat().st_size)
            if sizes[-1] < int(data_set_size):
                raise OSError("a file is shorter than it was")
        if known is not None:
            if known[: len(sizes)] != sizes:
                raise OSError("a file is of another size than it was")
            sizes = known
        size_bytes = frame.starts_at + len(frame.end)
        for (series, instance, _, syntax, _), one in zip(listing.lines(), sizes, strict=True):
            size_bytes += frame.head_bytes(series, instance, syntax, str(one)) + one
        return StoredBody(listing, size_bytes, sizes, frame, self._path)

    def _frame(
        self, listing: Listing, forms: Mapping[Uid, Form], root_url: str
    ) -> "_Alone | _Parts":
        part_types = {str(syntax): form.part_type for syntax, form in forms.items()}
        [multipart] = {form.multipart for form in forms.values()}
        if not multipart:
            [content_type] = part_types.values()
            return _Alone(content_type)
        # Hard to foresee for whoever makes an instance, for it tells of the instance's own file.
        boundary = self.tag(listing, multipart=True, root_url=root_url).strip('"')
        study_url = root_url + Resource(study=listing.study).path
        return _Parts(study_url, part_types, boundary=boundary)
