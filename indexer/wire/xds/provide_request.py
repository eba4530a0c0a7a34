"""Reads Provide and Register Document Set-b (ITI-41): metadata, and the documents it tells of."""

from dataclasses import replace

from indexer.contract.document import DocumentEntry, of_document
from indexer.contract.document_set import Document, DocumentSet
from indexer.contract.errors import InvalidValue
from indexer.wire.outcome import XdsError, xds_refusal
from indexer.wire.soap.mtom import Package
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.document_set_reader import read_document_set
from indexer.wire.xds.extra_metadata import unsaved
from indexer.wire.xds.reader import find_objects
from indexer.wire.xml import Element

_REQUEST = f"{{{names.XDS}}}ProvideAndRegisterDocumentSetRequest"
_DOCUMENT = f"{{{names.XDS}}}Document"


def read_provide_request(body: Element, package: Package) -> tuple[DocumentSet, list[str]]:
    """What is submitted, with its documents; their hashes and sizes are those that they have.

    Beside it, what of it an index does not keep: see `unsaved`.

    Raises:
        InvalidValue: it cannot be understood whole, or documents and metadata do not match.
    """
    if body.tag != _REQUEST:
        raise InvalidValue("the body is no ProvideAndRegisterDocumentSetRequest")
    objects = find_objects(body)
    submitted = read_document_set(objects)
    described = {one.entry.entry_id for one in submitted.documents}
    referred = package.referred(body)
    if len(set(referred)) < len(referred):
        # Each would be a copy of it, and a small message as large as its documents are many.
        raise InvalidValue("a part of the message is referred to twice")
    contents = _contents(body, package)
    if package.parts.keys() - set(referred):
        raise xds_refusal(
            "a part of the message is referred to by nothing", XdsError.MISSING_METADATA
        )
    if contents.keys() - described:
        raise xds_refusal("a document is described by nothing", XdsError.MISSING_METADATA)
    if described - contents.keys():
        raise xds_refusal("a document that is described is missing", XdsError.MISSING_DOCUMENT)
    documents = tuple(
        _whole(one.entry, contents[one.entry.entry_id]) for one in submitted.documents
    )
    return replace(submitted, documents=documents), unsaved(objects)


def _contents(body: Element, package: Package) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for element in body.iterchildren(_DOCUMENT):
        symbol = element.get("id", "")
        if symbol in contents:
            raise InvalidValue("a document is given twice")
        content = package.content(element)
        if content is None:
            raise xds_refusal("a document's part is missing", XdsError.MISSING_DOCUMENT)
        contents[symbol] = content
    return contents


def _whole(entry: DocumentEntry, content: bytes) -> Document:
    return Document(entry=of_document(entry, content), content=content)
