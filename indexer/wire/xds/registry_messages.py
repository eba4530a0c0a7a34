"""The actions of XDS.b, and its answers: what became of a request, what was found or retrieved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.wire.outcome import XdsError
from indexer.wire.soap.mtom import XOP_INCLUDE
from indexer.wire.xds import vocabulary as names
from indexer.wire.xml import Element

PROVIDE: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
RETRIEVE: Final = "urn:ihe:iti:2007:RetrieveDocumentSet"
QUERY: Final = "urn:ihe:iti:2007:RegistryStoredQuery"
UPDATE: Final = "urn:ihe:iti:2010:UpdateDocumentSet"

REQUESTS_MAX: Final = 256  # documents that one ITI-43 asks for

_STATUS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
SUCCESS: Final = f"{_STATUS}Success"
FAILURE: Final = f"{_STATUS}Failure"
PARTIAL: Final = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
_SEVERITY: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"

_NAMESPACES: Final = {
    "rs": names.RS,
    "rim": names.RIM,
    "query": names.QUERY,
    "xds": names.XDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryError:
    """One entry of a RegistryErrorList (ITI TF-3 §4.2.4)."""

    error: XdsError
    context: str
    """What was wrong, without the value that was: it may name a patient."""
    location: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRequest:
    """One document that ITI-43 asks for."""

    repository: str
    unique_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """One document that ITI-43 gives; its bytes travel beside the message."""

    request: DocumentRequest
    mime_type: str
    content: bytes
    content_id: str


def registry_response(errors: Sequence[RegistryError] = ()) -> Element:
    """What became of a submission or an update: warnings alone are a success."""
    failed = any(not one.warning for one in errors)
    return _response(_rs("RegistryResponse"), FAILURE if failed else SUCCESS, errors)


def query_response(errors: Sequence[RegistryError] = ()) -> tuple[Element, Element]:
    """The answer to a stored query, and its list of objects, to be filled."""
    status = FAILURE if errors else SUCCESS
    response = _response(f"{{{names.QUERY}}}AdhocQueryResponse", status, errors)
    return response, etree.SubElement(response, f"{{{names.RIM}}}RegistryObjectList")


def retrieve_response(
    found: Sequence[RetrievedDocument], errors: Sequence[RegistryError]
) -> Element:
    """The answer to ITI-43: some of what is asked for may be there, and some not."""
    status = SUCCESS
    if errors:
        status = PARTIAL if found else FAILURE
    answer = etree.Element(_xds("RetrieveDocumentSetResponse"), nsmap=_NAMESPACES)
    answer.append(_response(_rs("RegistryResponse"), status, errors))
    for one in found:
        document = etree.SubElement(answer, _xds("DocumentResponse"))
        for tag, text in (
            ("RepositoryUniqueId", one.request.repository),
            ("DocumentUniqueId", one.request.unique_id),
            ("mimeType", one.mime_type),
        ):
            etree.SubElement(document, _xds(tag)).text = text
        content = etree.SubElement(document, _xds("Document"))
        etree.SubElement(content, XOP_INCLUDE, href=f"cid:{one.content_id}")
    return answer


def read_document_requests(body: Element) -> list[DocumentRequest]:
    """What ITI-43 asks for.

    Raises:
        InvalidValue: it asks for nothing, or for too much.
    """
    if body.tag != _xds("RetrieveDocumentSetRequest"):
        raise InvalidValue("the body is no RetrieveDocumentSetRequest")
    requests = [
        DocumentRequest(
            repository=_text(one, "RepositoryUniqueId"), unique_id=_text(one, "DocumentUniqueId")
        )
        for one in body.iterchildren(_xds("DocumentRequest"))
    ]
    if not 1 <= len(requests) <= REQUESTS_MAX:
        raise InvalidValue(f"the request must be for 1 to {REQUESTS_MAX} documents")
    return requests


def _text(element: Element, tag: str) -> str:
    text = (element.findtext(_xds(tag)) or "").strip()
    if not 0 < len(text) <= names.IDENTIFIER_LENGTH_MAX:
        raise InvalidValue(f"{tag} is missing or too long")
    return text


def _response(tag: str, status: str, errors: Iterable[RegistryError]) -> Element:
    response = etree.Element(tag, nsmap=_NAMESPACES, status=status)
    errors = list(errors)
    if not errors:
        return response
    listed = etree.SubElement(response, _rs("RegistryErrorList"))
    for one in errors:
        error = etree.SubElement(
            listed, _rs("RegistryError"), errorCode=one.error, codeContext=one.context
        )
        error.set("severity", _SEVERITY + ("Warning" if one.warning else "Error"))
        if one.location:
            error.set("location", one.location)
    return response


def _rs(tag: str) -> str:
    return f"{{{names.RS}}}{tag}"


def _xds(tag: str) -> str:
    return f"{{{names.XDS}}}{tag}"
