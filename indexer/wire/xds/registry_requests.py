"""The requests of XDS.b, as a document source and a consumer write them."""

from collections.abc import Iterable, Mapping

from lxml import etree

from indexer.contract.document import Code, EntryStatus
from indexer.contract.document_set import DocumentSet
from indexer.contract.identifiers import Ins, Uid
from indexer.wire import hl7_values as values
from indexer.wire.soap.mtom import XOP_INCLUDE
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.registry_messages import DocumentRequest
from indexer.wire.xds.stored_query import ENTRY, QueryKind
from indexer.wire.xds.writer import submit_objects_request
from indexer.wire.xml import Element


def provide_request(submitted: DocumentSet) -> tuple[Element, list[tuple[str, str, bytes]]]:
    """The body of ITI-41, and its parts: Content-ID, media type and bytes of each document."""
    body = etree.Element(_xds("ProvideAndRegisterDocumentSetRequest"), nsmap={"xds": names.XDS})
    body.append(submit_objects_request(submitted))
    parts = []
    for one in submitted.documents:
        symbol = one.entry.entry_id
        content_id = f"{symbol}@drim"
        element = etree.SubElement(body, _xds("Document"), id=symbol)
        # The @ of a Content-ID is escaped in its URL (RFC 2392 §2).
        etree.SubElement(element, XOP_INCLUDE, href=f"cid:{symbol}%40drim")
        parts.append((content_id, one.entry.mime_type, one.content))
    return body, parts


def retrieve_request(request: DocumentRequest) -> Element:
    """The body of ITI-43 for one document."""
    body = etree.Element(_xds("RetrieveDocumentSetRequest"), nsmap={"xds": names.XDS})
    document = etree.SubElement(body, _xds("DocumentRequest"))
    etree.SubElement(document, _xds("RepositoryUniqueId")).text = request.repository
    etree.SubElement(document, _xds("DocumentUniqueId")).text = request.unique_id
    return body


def find_request(patient: Ins, statuses: Iterable[EntryStatus], type_code: Code | None) -> Element:
    """The body of ITI-18 that asks for the ids of a patient's entries."""
    slots = {
        f"{ENTRY}PatientId": [_quoted(values.write_patient(patient))],
        f"{ENTRY}Status": _several(sorted(names.STATUSES[one] for one in statuses)),
    }
    if type_code is not None:
        slots[f"{ENTRY}TypeCode"] = _several([f"{type_code.code}^^{type_code.scheme}"])
    return _query(QueryKind.FIND_DOCUMENTS, slots, whole=False)


def get_request(entry_ids: Iterable[str]) -> Element:
    """The body of ITI-18 that asks for entries by their ids."""
    told = _several(names.UUID + one for one in entry_ids)
    return _query(QueryKind.GET_DOCUMENTS, {f"{ENTRY}EntryUUID": told}, whole=True)


def get_by_unique_id_request(unique_id: Uid, *, whole: bool) -> Element:
    """The body of ITI-18 that asks for the entry of a document, or for its id alone."""
    told = _several([unique_id])
    return _query(QueryKind.GET_DOCUMENTS, {f"{ENTRY}UniqueId": told}, whole=whole)


def _query(kind: QueryKind, slots: Mapping[str, Iterable[str]], *, whole: bool) -> Element:
    body = etree.Element(
        f"{{{names.QUERY}}}AdhocQueryRequest", nsmap={"query": names.QUERY, "rim": names.RIM}
    )
    option = etree.SubElement(body, f"{{{names.QUERY}}}ResponseOption")
    option.set("returnComposedObjects", "true")
    option.set("returnType", "LeafClass" if whole else "ObjectRef")
    query = etree.SubElement(body, _rim("AdhocQuery"), id=names.UUID + kind)
    for name, told in slots.items():
        slot = etree.SubElement(query, _rim("Slot"), name=name)
        listed = etree.SubElement(slot, _rim("ValueList"))
        for value in told:
            etree.SubElement(listed, _rim("Value")).text = value
    return body


def _quoted(text: str) -> str:
    """A text as a stored query has it (ITI TF-2 §3.18.4.1.2.3.5)."""
    return "'" + text.replace("'", "''") + "'"


def _several(texts: Iterable[str]) -> list[str]:
    """Alternatives, each a list of one, for a value may not be long (ebRIM 3.0 §2.2)."""
    return [f"({_quoted(one)})" for one in texts]


def _rim(tag: str) -> str:
    return f"{{{names.RIM}}}{tag}"


def _xds(tag: str) -> str:
    return f"{{{names.XDS}}}{tag}"
