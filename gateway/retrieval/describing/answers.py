"""Whole answers on metadata, joined once and kept as files, so that the kernel can send them.

They are derived from descriptions and can be had again: they have no name on the disk, none
survives the process, and those that were asked for the longest ago are let go of first.
"""

import asyncio
import tempfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from gateway.catalogue.descriptions import Description, Listing
from gateway.dicomweb.codings import Coding, Effort, packer
from gateway.dicomweb.conditions import tag_of
from gateway.dicomweb.dicom_json import JsonArray
from gateway.dicomweb.dicom_xml import XmlParts
from gateway.dicomweb.negotiation import DICOM_XML
from gateway.errors import NotAcceptable
from gateway.model.resource import Resource
from gateway.retrieval.describing.described import DescribedStore
from gateway.retrieval.files import FileReader, OpenFile
from gateway.retrieval.sources.source import HeldInstance

ANSWERS_MAX: Final = 256
"""Each keeps a file open."""
WRITE_BYTES: Final = 2**20
_FORM: Final = "1"
"""Of the answers: what is made differently is another one to who asks again."""
_URI_BEGINS: Final = b'"BulkDataURI":"'
"""Within a text of JSON each quote would be escaped, so that this stands nowhere else."""

MetadataForm = JsonArray | XmlParts


def with_addresses(metadata: bytes, root_url: str, listed: Resource) -> bytes:
    """The metadata of one instance, with each BulkDataURI below the address of the instance."""
    if _URI_BEGINS not in metadata:
        return metadata
    address = f"{root_url}{listed.path}/"
    return metadata.replace(_URI_BEGINS, _URI_BEGINS + address.encode("ascii"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How metadata is to be told."""

    media_type: str
    root_url: str
    """The address of DICOMweb as the client reaches it, below which bulk data is."""
    coding: Coding = Coding.AS_IS

    def tag(self, listing: Listing) -> str:
        """A strong tag of the answer, which need not be made for it."""
        told = (_FORM, self.coding, self.root_url, self.media_type)
        return tag_of((*told, listing.study, listing.fingerprint))

    def form(self, boundary: str | None = None) -> MetadataForm:
        """What writes the body."""
        return XmlParts(boundary) if self.media_type == DICOM_XML else JsonArray(self.media_type)


class MetadataAnswer:
    """One answer, which is there once `joined` is done."""

    def __init__(self) -> None:
        self.joined: asyncio.Task[None]
        self.opened: OpenFile
        self.content_type = ""
        self.left_out = 0
        """Instances whose metadata cannot be given."""
        self.readers = 0
        self.kept = False

    def close_if_unused(self) -> None:
        """Let go of its file, unless somebody reads it or may ask for it again."""
        if self.joined.done() and not (self.readers or self.kept) and hasattr(self, "opened"):
            self.opened.file.close()


class MetadataAnswers:
    """Joins metadata into answers. Whoever makes it closes it.

    Args:
        folder: on whose disk the files lie.
        size_bytes_max: of the answers that are kept.
    """

    def __init__(
        self,
        store: DescribedStore,
        files: FileReader,
        *,
        folder: Path,
        size_bytes_max: int,
    ) -> None:
        self._store = store
        self._files = files
        self._folder = folder
        self._size_bytes_max = size_bytes_max
        self._size_bytes = 0
        self._kept: dict[str, MetadataAnswer] = {}
        self._joining: dict[str, MetadataAnswer] = {}

    @asynccontextmanager
    async def opened(self, listing: Listing, wanted: Wanted) -> AsyncIterator[MetadataAnswer]:
        """The answer on all that is listed, which is stored here; its file stays until leaving.

        Raises:
            NotAcceptable: no instance's metadata can be given.
            Unavailable: an instance cannot be described now, or the disk fails.
        """
        name = wanted.tag(listing).strip('"')
        answer = self._kept.get(name) or self._joining.get(name)
        if answer is None:
            answer = self._joining[name] = MetadataAnswer()
            answer.joined = asyncio.create_task(self._join(answer, name, listing, wanted))
        answer.readers += 1
        try:
            # Whoever leaves does not end what others wait for.
            await asyncio.shield(answer.joined)
            if answer.kept:  # the answers asked for last stay
                self._kept[name] = self._kept.pop(name)
            yield answer
        finally:
            answer.readers -= 1
            answer.close_if_unused()

    async def close(self) -> None:
        """Leave off what is being joined, and let go of what is kept."""
        joining = {answer.joined for answer in self._joining.values()}
        for task in joining:
            task.cancel()
        if joining:
            await asyncio.wait(joining)
        self._size_bytes_max = 0
        self._let_go()

    async def data_set(self, form: MetadataForm, held: HeldInstance, *, root_url: str) -> bytes:
        """What of a body tells of an instance that came from elsewhere.

        Raises:
            NotAcceptable: its file cannot be read.
            Unavailable: too much work waits.
        """
        described = await self._store.describe_file(held)
        if described.failure:
            raise NotAcceptable(described.failure)
        return await self._files.run(_data_set, form, described, root_url, held.resource)

    async def _join(
        self, answer: MetadataAnswer, name: str, listing: Listing, wanted: Wanted
    ) -> None:
        form = wanted.form(boundary=name)
        try:
            file = await self._files.run(self._new_file)
            try:
                reason = await self._join_into(file, form, listing, answer, wanted.root_url)
                if reason and answer.left_out == len(listing.instances):
                    raise NotAcceptable(reason)
                size_bytes = await self._files.run(_end, file, form)
                if wanted.coding is not Coding.AS_IS:
                    file, size_bytes = await self._files.run(self._packed, file, wanted.coding)
            except BaseException:
                file.close()
                raise
        finally:
            del self._joining[name]
        answer.opened = OpenFile(size_bytes, file)
        answer.content_type = form.content_type
        answer.kept = True
        self._kept[name] = answer
        self._size_bytes += size_bytes
        self._let_go()

    async def _join_into(
        self,
        file: BinaryIO,
        form: MetadataForm,
        listing: Listing,
        answer: MetadataAnswer,
        root_url: str,
    ) -> str:
        """Why some instances are left out, if any are."""
        reason = ""
        async for some in self._store.metadata(listing):
            failures = [one.failure for _, one in some if one.failure]
            answer.left_out += len(failures)
            reason = reason or (failures or [""])[0]
            told = [
                (described, Resource(study=listing.study, series=one.series, instance=one.instance))
                for one, described in some
                if not described.failure
            ]
            await self._files.run(_write, file, form, told, root_url)
        return reason

    def _new_file(self) -> BinaryIO:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder, buffering=WRITE_BYTES))

    def _packed(self, whole: BinaryIO, coding: Coding) -> tuple[BinaryIO, int]:
        """Another file in its place, and how long that is."""
        packing = packer(coding, Effort.KEPT)
        with whole:
            whole.seek(0)
            file = self._new_file()
            try:
                while piece := whole.read(WRITE_BYTES):
                    file.write(packing.add(piece))
                file.write(packing.end())
                file.flush()
            except BaseException:
                file.close()
                raise
            return file, file.tell()

    def _let_go(self) -> None:
        """Of the answers that were asked for the longest ago, until the rest fits."""
        while self._kept and (
            self._size_bytes > self._size_bytes_max or len(self._kept) > ANSWERS_MAX
        ):
            answer = self._kept.pop(next(iter(self._kept)))
            self._size_bytes -= answer.opened.size_bytes
            answer.kept = False
            answer.close_if_unused()


def _data_set(form: MetadataForm, described: Description, root_url: str, listed: Resource) -> bytes:
    metadata = zlib.decompress(described.metadata)
    return form.data_set(with_addresses(metadata, root_url, listed))


def _write(
    file: BinaryIO,
    form: MetadataForm,
    told: list[tuple[Description, Resource]],
    root_url: str,
) -> None:
    for described, listed in told:
        file.write(_data_set(form, described, root_url, listed))


def _end(file: BinaryIO, form: MetadataForm) -> int:
    """How long the file is now that it ends."""
    file.write(form.end())
    file.flush()
    return file.tell()
