"""Finds a patient's pointers in the index, and reads from each manifest where its images are."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from gateway.errors import AccessDenied, InvalidRequest
from gateway.manifest.document_entry import TYPE_CODE
from gateway.manifest.model import Manifest
from gateway.manifest.reader import SIZE_BYTES_MAX, read_manifest
from gateway.model.access import AccessContext
from gateway.security.policy import Policy
from indexer.contract.document import DocumentEntry, DocumentQuery, ReferenceKind
from indexer.contract.errors import DocumentNotFound
from indexer.contract.identifiers import Ins
from indexer.contract.index import Index

log = logging.getLogger(__name__)

MANIFESTS_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """One study of the patient, wherever its images are."""

    study_uid: str
    document_id: str
    """The manifest's unique id."""
    title: str
    modalities: tuple[str, ...]
    study_date: str
    """YYYYMMDD, or empty."""
    organisation: str
    visibility: tuple[str, ...]
    """Confidentiality codes, `N` among them."""
    retrieve_urls: tuple[str, ...]
    """Where each series can be had; empty if the manifest cannot be read."""


class Resolver:
    """Searches the index in the name of whoever asks."""

    def __init__(self, policy: Policy, index: Index) -> None:
        self._policy = policy
        self._index = index

    async def find(self, access: AccessContext, ins: Ins) -> list[Pointer]:
        """The patient's current pointers, newest first.

        Raises:
            AccessDenied: policy refused; the index was not asked.
            IndexUnavailable: the index does not answer.
        """
        verdict = await self._policy.decide(access, ins)
        if not verdict.permitted:
            raise AccessDenied(verdict.reason)
        entries = await self._index.find(DocumentQuery(patient=ins, type_code=TYPE_CODE))
        places = asyncio.Semaphore(MANIFESTS_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._pointer(entry, places)) for entry in entries]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [pointer for task in tasks if (pointer := task.result()) is not None]

    async def _pointer(self, entry: DocumentEntry, places: asyncio.Semaphore) -> Pointer | None:
        """The pointer of an entry; None if it was replaced since the index named it."""
        async with places:
            try:
                manifest = await self._manifest(entry)
            except DocumentNotFound:
                return None
            except InvalidRequest:
                # Another centre's fault must not hide the patient's other studies.
                log.warning("manifest_unreadable", extra={"entry": entry.entry_id})
                return _pointer(entry, None)
        return _pointer(entry, manifest)

    async def _manifest(self, entry: DocumentEntry) -> Manifest:
        if entry.size_bytes > SIZE_BYTES_MAX:  # not even asked for: several are read at once
            raise InvalidRequest(f"the manifest is larger than {SIZE_BYTES_MAX} bytes")
        return await asyncio.to_thread(read_manifest, await self._index.retrieve(entry))


def _pointer(entry: DocumentEntry, manifest: Manifest | None) -> Pointer:
    return Pointer(
        study_uid=manifest.study if manifest else _study(entry),
        document_id=entry.unique_id,
        title=entry.title,
        modalities=manifest.modalities if manifest else (),
        study_date=manifest.study_date if manifest else "",
        organisation=entry.author_organisation.name,
        visibility=tuple(code.code for code in entry.confidentiality),
        retrieve_urls=manifest.retrieve_urls if manifest else (),
    )


def _study(entry: DocumentEntry) -> str:
    kind = ReferenceKind.STUDY
    return next((one.value for one in entry.reference_ids if one.kind is kind), "")
