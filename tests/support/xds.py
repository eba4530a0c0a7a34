"""XDS.b as a client speaks it: messages of SOAP 1.2, with documents beside them or inside."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from uuid import uuid4

import aiohttp
from lxml import etree

from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.document_set import Association, Document, DocumentSet, document_set_of
from indexer.wire.soap.envelope import ADDRESSING, ENVELOPE
from indexer.wire.soap.mtom import XOP_INCLUDE, write_package
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.writer import submit_objects_request
from indexer.wire.xml import Element
from tests.support.pointers import KOS, a_submission

PROVIDE = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"

APPROVED = names.STATUSES[EntryStatus.APPROVED]

SPACES = {
    "env": ENVELOPE,
    "wsa": ADDRESSING,
    "rs": names.RS,
    "rim": names.RIM,
    "query": names.QUERY,
    "xds": names.XDS,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    envelope: Element
    parts: Mapping[str, bytes]

    @property
    def body(self) -> Element:
        found = self.envelope.find("env:Body", SPACES)
        assert found is not None
        return found[0]

    @property
    def outcome(self) -> str:
        """The last word of the response's status, or of a fault's code."""
        fault = self.body.findtext("env:Code/env:Value", None, SPACES)
        told = fault or next(one.get("status") for one in self.body.iter() if one.get("status"))
        return str(told).rpartition(":")[2]

    @property
    def errors(self) -> list[str]:
        return [one.get("errorCode", "") for one in self.body.iter(f"{{{names.RS}}}RegistryError")]

    def ids(self, tag: str) -> list[str]:
        """The ids of found objects, without their urn."""
        found = self.body.iter(f"{{{names.RIM}}}{tag}")
        return [one.get("id", "").removeprefix("urn:uuid:") for one in found]

    @property
    def documents(self) -> list[bytes]:
        """The documents of ITI-43, in their order."""
        included = self.body.iter(XOP_INCLUDE)
        return [self.parts[one.get("href", "").removeprefix("cid:")] for one in included]


def envelope(action: str, body: Element, *, headers: str = "") -> bytes:
    """A request as a document source writes it."""
    head = (
        f'<env:Envelope xmlns:env="{ENVELOPE}" xmlns:wsa="{ADDRESSING}"><env:Header>'
        f'<wsa:Action env:mustUnderstand="1">{action}</wsa:Action>'
        f"<wsa:MessageID>urn:uuid:{uuid4()}</wsa:MessageID>{headers}</env:Header><env:Body>"
    )
    return head.encode() + etree.tostring(body) + b"</env:Body></env:Envelope>"


async def post(
    url: str, content: bytes, *, content_type: str = "application/soap+xml; charset=UTF-8"
) -> Reply:
    """One message, and its answer."""
    headers = {"Content-Type": content_type}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=content, headers=headers) as answer,
    ):
        told = answer.headers["Content-Type"]
        received = await answer.read()
        parts: dict[str, bytes] = {}
        if told.startswith("multipart/"):
            # The standard library reads it, as a judge that is not ours.
            whole = f"Content-Type: {told}\r\n\r\n".encode() + received
            first, *others = message_from_bytes(whole, policy=HTTP).iter_parts()
            parts = {one["Content-ID"].strip("<>"): _content(one) for one in others}
            received = _content(first)
        return Reply(answer.status, etree.fromstring(received), parts)


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


async def ask(url: str, action: str, body: Element) -> Reply:
    """One request without documents."""
    return await post(url, envelope(action, body))


def provide_body(submitted: DocumentSet, *, inline: bool) -> Element:
    """The body of ITI-41; documents are inside, or referred to by their symbols."""
    body = etree.Element(f"{{{names.XDS}}}ProvideAndRegisterDocumentSetRequest")
    body.append(submit_objects_request(submitted))
    for document in submitted.documents:
        symbol = document.entry.entry_id
        element = etree.SubElement(body, f"{{{names.XDS}}}Document", id=symbol)
        if inline:
            element.text = base64.b64encode(document.content).decode()
        else:
            etree.SubElement(element, XOP_INCLUDE, href=f"cid:{symbol}%40tests")
    return body


def package(submitted: DocumentSet, body: Element) -> tuple[str, bytes]:
    """Content-Type and bytes of an MTOM message that brings the documents beside its body."""
    parts = [
        (f"{one.entry.entry_id}@tests", "application/octet-stream", one.content)
        for one in submitted.documents
    ]
    content_type, chunks = write_package(envelope(PROVIDE, body), parts)
    return content_type, b"".join(chunks)


async def provide(root: str, submitted: DocumentSet, *, inline: bool = False) -> Reply:
    """ITI-41."""
    body = provide_body(submitted, inline=inline)
    url = f"{root}/xds/repository"
    if inline:
        return await ask(url, PROVIDE, body)
    content_type, content = package(submitted, body)
    return await post(url, content, content_type=content_type)


def query_body(
    query: str, parameters: Sequence[tuple[str, str]], *, returns: str = "LeafClass"
) -> Element:
    """The body of ITI-18."""
    body = etree.Element(f"{{{names.QUERY}}}AdhocQueryRequest")
    etree.SubElement(
        body,
        f"{{{names.QUERY}}}ResponseOption",
        returnComposedObjects="true",
        returnType=returns,
    )
    asked = etree.SubElement(body, f"{{{names.RIM}}}AdhocQuery", id=f"urn:uuid:{query}")
    for name, value in parameters:
        slot = etree.SubElement(asked, f"{{{names.RIM}}}Slot", name=name)
        listed = etree.SubElement(slot, f"{{{names.RIM}}}ValueList")
        etree.SubElement(listed, f"{{{names.RIM}}}Value").text = value
    return body


async def query(
    root: str, which: str, *parameters: tuple[str, str], returns: str = "LeafClass"
) -> Reply:
    """ITI-18."""
    body = query_body(which, parameters, returns=returns)
    return await ask(f"{root}/xds/registry", QUERY, body)


async def retrieve(root: str, repository: str, *unique_ids: str) -> Reply:
    """ITI-43."""
    body = etree.Element(f"{{{names.XDS}}}RetrieveDocumentSetRequest")
    for one in unique_ids:
        request = etree.SubElement(body, f"{{{names.XDS}}}DocumentRequest")
        etree.SubElement(request, f"{{{names.XDS}}}RepositoryUniqueId").text = repository
        etree.SubElement(request, f"{{{names.XDS}}}DocumentUniqueId").text = one
    return await ask(f"{root}/xds/repository", RETRIEVE, body)


def a_set(*numbers: int, relations: Sequence[Association] = ()) -> DocumentSet:
    """A submission set of documents whose symbols are `Document1` and so on."""
    first = document_set_of(a_submission(numbers[0]))
    documents = tuple(a_document(number) for number in numbers)
    return replace(first, documents=documents, associations=tuple(relations))


def a_document(number: int, *, content: bytes = KOS) -> Document:
    entry = a_submission(number, document=content).entry
    return Document(entry=replace(entry, entry_id=f"Document{number}"), content=content)


def uuid_of(entry: DocumentEntry, found: Reply) -> str:
    """The entryUUID of a document among what was found."""
    for one in found.body.iter(f"{{{names.RIM}}}ExtrinsicObject"):
        if any(child.get("value") == entry.unique_id for child in one):
            return one.get("id", "").removeprefix("urn:uuid:")
    raise AssertionError("the document was not found")
