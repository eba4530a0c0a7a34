"""Takes in what an XDM archive holds: each submission set as if its sender brought it (ITI-32).

What is held already is no fault, so an archive can be taken in again; what a set refers to of the
sets before it is found by the unique ids of their documents, for an index allots ids of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gateway.errors import InvalidRequest
from gateway.media.tree import MediaFile, MediaTree, read_whole
from gateway.media.xdm import METADATA_BYTES_MAX, find_document, is_metadata
from indexer.contract.document import of_document
from indexer.contract.document_set import Document, DocumentSet
from indexer.contract.errors import InvalidValue
from indexer.server.acts import Exchange
from indexer.server.custody.custodian import Custodian
from indexer.wire.outcome import IssueCode, Refusal
from indexer.wire.vocabulary import UUID_PREFIX
from indexer.wire.xds.archived_set import read_archived_set

SETS_MAX: Final = 100_000
"""Submission sets of one archive."""


class Fate(StrEnum):
    """What became of a document."""

    HELD = "held"
    HELD_ALREADY = "held already"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one document of an archive, which is named by its place alone."""

    set_number: int
    document_number: int
    """From 1; 0 where the whole set could not be read."""
    fate: Fate
    reason: str = ""


class ArchiveImport:
    """Takes in one archive.

    Args:
        set_bytes_max: of the documents of one set together.
    """

    def __init__(self, custodian: Custodian, tree: MediaTree, *, set_bytes_max: int) -> None:
        self._custodian = custodian
        self._tree = tree
        self._set_bytes_max = set_bytes_max
        self._held: dict[str, str] = {}
        """Ids that the index allotted, by those of the archive."""

    async def run(self) -> AsyncIterator[Taken]:
        """Take in each set, in the order of their folders.

        Raises:
            InvalidRequest: the archive cannot be read, or holds no set.
            Unavailable: the index cannot take it now.
        """
        found = await asyncio.to_thread(self._metadata)
        if not found:
            raise InvalidRequest("the archive holds no IHE_XDM with a METADATA.XML")
        for number, metadata in enumerate(found, start=1):
            try:
                submitted = await asyncio.to_thread(self._read, metadata)
            except (InvalidRequest, InvalidValue) as error:
                yield Taken(
                    set_number=number, document_number=0, fate=Fate.REFUSED, reason=str(error)
                )
                continue
            fate, reason = await self._take(submitted)
            for place in range(1, len(submitted.documents) + 1):
                yield Taken(set_number=number, document_number=place, fate=fate, reason=reason)

    def _metadata(self) -> list[MediaFile]:
        found = []
        for one in self._tree.walk():
            if isinstance(one, MediaFile) and is_metadata(one.name):
                found.append(one)
            if len(found) > SETS_MAX:
                raise InvalidRequest(f"more than {SETS_MAX} submission sets")
        return found

    def _read(self, metadata: MediaFile) -> DocumentSet:
        """A set with its documents, whose targets are those that this index has allotted."""
        archived = read_archived_set(read_whole(self._tree, metadata, bytes_max=METADATA_BYTES_MAX))
        folder, left = metadata.name.rpartition("/")[0], self._set_bytes_max
        documents = []
        for told, uri in zip(archived.submitted.documents, archived.uris, strict=True):
            file = find_document(self._tree, folder, uri)
            content = read_whole(self._tree, file, bytes_max=left)
            left -= len(content)
            documents.append(Document(entry=of_document(told.entry, content), content=content))
        associations = tuple(
            replace(one, target=self._held.get(one.target, one.target))
            for one in archived.submitted.associations
        )
        return replace(archived.submitted, documents=tuple(documents), associations=associations)

    async def _take(self, submitted: DocumentSet) -> tuple[Fate, str]:
        try:
            held = await self._custodian.provide(None, submitted, exchange=Exchange.MEDIA)
        except Refusal as refusal:
            ids = await self._custodian.held_ids([one.entry for one in submitted.documents])
            if refusal.code is not IssueCode.DUPLICATE or len(ids) < len(submitted.documents):
                return Fate.REFUSED, refusal.reason
            self._remember(submitted, ids)
            return Fate.HELD_ALREADY, ""
        self._remember(submitted, [one.entry.entry_id for one in held.documents])
        return Fate.HELD, ""

    def _remember(self, submitted: DocumentSet, ids: Sequence[str]) -> None:
        for document, entry_id in zip(submitted.documents, ids, strict=True):
            symbol = document.entry.entry_id
            if symbol.startswith(UUID_PREFIX):
                self._held[symbol.removeprefix(UUID_PREFIX)] = entry_id
