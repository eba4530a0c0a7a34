"""Writes a record out for its holder, document by document: as an XDM archive, or as FHIR.

What is written is never more in memory than one document, whatever the record holds. Only the last
bytes make either form whole, so that nobody takes a part of a record for all of it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson

from indexer.contract.document_set import Association, Document, DocumentSet, Relation
from indexer.server.custody.stored_queries import Found
from indexer.wire.fhir.bundles import binary
from indexer.wire.fhir.document_reference import document_reference
from indexer.wire.fhir.elements import write_moment
from indexer.wire.fhir.submission_set import submission_set_list
from indexer.wire.outcome import Json
from indexer.wire.vocabulary import UUID_PREFIX
from indexer.wire.xds.archived_set import write_archived_set

ReadDocument = Callable[[str], Awaitable[bytes | None]]
"""The document of an entry; None where it has been withdrawn since."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold; another would differ
_SUFFIXES: Final = {
    "application/dicom": "DCM",
    "application/fhir+json": "JSN",
    "application/pdf": "PDF",
    "text/plain": "TXT",
    "text/xml": "XML",
}
_SETS_OF_TWO_DIGITS: Final = 99  # a folder's name has eight characters (ISO 9660)


def sets_of(found: Found) -> list[DocumentSet]:
    """What was found, by the sets that brought it, each after those that it leads to.

    Documents are without their bytes. What leads to something that was not found is left out.
    """
    entries = {one.entry_id: one for one in found.entries}
    members = {
        one.target: one.source
        for one, original in found.associations
        if original and one.relation is Relation.MEMBER and one.target in entries
    }
    sets = []
    for told in found.sets:
        own = [entries[one] for one, set_id in members.items() if set_id == told.set_id]
        sources = {told.set_id, *(one.entry_id for one in own)}
        associations = (
            one
            for one, original in found.associations
            if not original and one.source in sources and one.target in {*entries, told.set_id}
        )
        if own:
            sets.append(
                DocumentSet(
                    submission_set=told,
                    documents=tuple(Document(entry=one, content=b"") for one in own),
                    associations=tuple(associations),
                )
            )
    return _in_order(sets, members)


def _in_order(sets: Sequence[DocumentSet], members: Mapping[str, str]) -> list[DocumentSet]:
    """The sets, so that what is replaced comes before what replaces it.

    Their times alone do not tell: they have seconds, and are their senders' own.
    """
    by_id = {one.submission_set.set_id: one for one in sets}
    before: TopologicalSorter[str] = TopologicalSorter()
    for set_id, one in by_id.items():
        targets = {members.get(each.target, set_id) for each in one.associations}
        before.add(set_id, *sorted(targets - {set_id}))
    before.prepare()
    ordered: list[DocumentSet] = []
    while ready := before.get_ready():
        told = (by_id[one] for one in ready)
        ordered += sorted(
            told, key=lambda one: (one.submission_set.submitted_at, one.submission_set.set_id)
        )
        before.done(*ready)
    return ordered


async def written_archive(sets: Sequence[DocumentSet], read: ReadDocument) -> AsyncGenerator[bytes]:
    """An XDM archive (ITI TF-2 §3.32): each set in a folder, with the ids that the index gave."""
    written = _Written()
    archive = ZipFile(written, "w", ZIP_DEFLATED)
    for name, text in (("INDEX.HTM", _INDEX), ("README.TXT", _README.replace("\n", "\r\n"))):
        await asyncio.to_thread(_add, archive, name, text.encode())
    for number, told in enumerate(sets, start=1):
        folder = f"SUBSET{number:02}" if number <= _SETS_OF_TWO_DIGITS else f"SUB{number:05}"
        kept, uris = [], []
        for place, document in enumerate(told.documents, start=1):
            content = await read(document.entry.entry_id)
            if content is not None:
                suffix = _SUFFIXES.get(document.entry.mime_type, "BIN")
                kept.append(document)
                uris.append(f"DOC{place:05}.{suffix}")
                await asyncio.to_thread(_add, archive, f"IHE_XDM/{folder}/{uris[-1]}", content)
                yield written.taken()
        if kept:
            metadata = write_archived_set(_named(told, kept), uris)
            await asyncio.to_thread(_add, archive, f"IHE_XDM/{folder}/METADATA.XML", metadata)
            yield written.taken()
    archive.close()
    yield written.taken()


def _named(told: DocumentSet, kept: Sequence[Document]) -> DocumentSet:
    """The set as metadata name it: what it holds by the URNs of its ids."""
    own = {told.submission_set.set_id, *(one.entry.entry_id for one in kept)}
    submission_set = told.submission_set
    return DocumentSet(
        submission_set=replace(submission_set, set_id=UUID_PREFIX + submission_set.set_id),
        documents=tuple(
            replace(one, entry=replace(one.entry, entry_id=UUID_PREFIX + one.entry.entry_id))
            for one in kept
        ),
        associations=tuple(
            _association(one, own) for one in told.associations if one.source in own
        ),
    )


def _association(one: Association, own: set[str]) -> Association:
    target = UUID_PREFIX + one.target if one.target in own else one.target
    return replace(one, source=UUID_PREFIX + one.source, target=target)


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    info = ZipInfo(name, _EPOCH)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o100600 << 16
    archive.writestr(info, content)


class _Written:
    """A file that only is written, and handed on as it grows."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes, /) -> int:
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """What was written may still be taken."""

    def taken(self) -> bytes:
        """What was written since."""
        chunk = b"".join(self._chunks)
        self._chunks.clear()
        return chunk


async def written_bundle(
    sets: Sequence[DocumentSet], read: ReadDocument, *, base: str, now: datetime
) -> AsyncGenerator[bytes]:
    """A Bundle of FHIR (collection): Lists, DocumentReferences and their Binaries."""
    head = {"resourceType": "Bundle", "type": "collection", "timestamp": write_moment(now)}
    yield orjson.dumps(head).removesuffix(b"}")
    separator = b',"entry":['
    for told in sets:
        urls = []
        for document in told.documents:
            entry_id = document.entry.entry_id
            content = await read(entry_id)
            if content is None:
                continue
            urls.append(f"DocumentReference/{entry_id}")
            url = f"{base}/Binary/{entry_id}"
            whole = {"id": entry_id, **binary(content, mime_type=document.entry.mime_type)}
            relations = [one for one in told.associations if one.source == entry_id]
            reference = document_reference(
                document.entry, attachment_url=url, relations=_among_entries(relations, told)
            )
            for address, resource in ((f"{base}/{urls[-1]}", reference), (url, whole)):
                yield separator + _entry(address, resource)
                separator = b","
        if urls:
            set_id = told.submission_set.set_id
            listed = submission_set_list(
                told.submission_set, list_url=UUID_PREFIX + set_id, document_urls=urls
            )
            yield separator + _entry(f"{base}/List/{set_id}", listed)
            separator = b","
    yield b"]}" if separator == b"," else b"}"


def _among_entries(relations: Sequence[Association], told: DocumentSet) -> list[Association]:
    """What a document is to other documents: DocumentReference has no word for its set."""
    return [one for one in relations if one.target != told.submission_set.set_id]


def _entry(url: str, resource: Json) -> bytes:
    return orjson.dumps({"fullUrl": url, "resource": resource})


_INDEX: Final = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" \
"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr">
<head><title>Extraction du dossier</title></head>
<body>
<p>Cette archive contient les documents du dossier que son titulaire peut consulter.</p>
<p>Voir le fichier <a href="README.TXT">README.TXT</a></p>
</body>
</html>
"""

_README: Final = """Application de l'émetteur :
===========================
    . Nom : drim-index

Contenu :
=========
    . Les documents du dossier que son titulaire peut consulter, un dossier par lot de soumission,
      avec les versions remplacées.
    . Ces fichiers contiennent des données de santé : conservez-les en conséquence.

Arborescence :
==============
     README.TXT
     INDEX.HTM
     IHE_XDM
          SUBSETnn             un dossier par lot de soumission
               METADATA.XML    métadonnées XDS du lot
               DOCnnnnn.*      documents
"""
