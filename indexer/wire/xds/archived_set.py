"""A submission set on a medium: its METADATA.XML, and where its documents lie (ITI-32, XDM)."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from indexer.contract.document_set import DocumentSet
from indexer.wire.xds.document_set_reader import read_document_set
from indexer.wire.xds.reader import find_objects, of_kind
from indexer.wire.xds.writer import submit_objects_request
from indexer.wire.xml import open_xml


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedSet:
    """What a METADATA.XML tells."""

    submitted: DocumentSet
    """Without the documents; its ids are those of the file."""
    uris: tuple[str, ...]
    """Where each document lies, from the folder of the metadata."""


def write_archived_set(submitted: DocumentSet, uris: Sequence[str]) -> bytes:
    """METADATA.XML; the same set, the same bytes.

    Args:
        submitted: its ids are symbols, or URNs of the ids that an index allotted.
        uris: where each document lies, from the folder of the metadata (ITI TF-3 §4.2.3.2.26).
    """
    request = submit_objects_request(submitted, uris=uris)
    return etree.tostring(request, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def read_archived_set(data: bytes) -> ArchivedSet:
    """What a METADATA.XML tells, whatever envelope it was written with.

    Raises:
        InvalidValue: it cannot be understood whole.
    """
    objects = find_objects(open_xml(data))
    submitted = read_document_set(objects)
    uris = {one.name: one.value("URI") for one in of_kind(objects, "ExtrinsicObject")}
    return ArchivedSet(
        submitted=submitted,
        uris=tuple(uris[one.entry.entry_id] for one in submitted.documents),
    )
