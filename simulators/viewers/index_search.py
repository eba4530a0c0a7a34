"""Searches an index over FHIR, as a document consumer of MHD does (ITI-67, ITI-68)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from aiohttp import ClientSession

KOS_TYPE = "IMG-KOS"  # typeCode of an imaging manifest, TRE_A05
DOCUMENT_BYTES_MAX = 64 * 1024 * 1024
_FHIR_JSON = "application/fhir+json"


class UnexpectedAnswer(Exception):
    """A program answered something that its profile does not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDocument:
    """One entry that the index shows."""

    unique_id: str
    type_code: str
    url: str
    references: frozenset[str]
    """Values of its reference ids: study, accession, order."""


async def find_documents(
    session: ClientSession, index_url: str, *, ins: str, oid: str
) -> list[FoundDocument]:
    """A patient's current documents (ITI-67, by POST so that no address holds the identity).

    Raises:
        UnexpectedAnswer: no 200 with a searchset Bundle.
        aiohttp.ClientError: no answer.
    """
    search = {"patient.identifier": f"urn:oid:{oid}|{ins}", "status": "current"}
    url = f"{index_url}/fhir/DocumentReference/_search"
    async with session.post(url, data=search, headers={"Accept": _FHIR_JSON}) as response:
        if response.status != 200:
            raise UnexpectedAnswer(f"ITI-67 was answered {response.status}")
        bundle = await response.json(content_type=None)
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset":
        raise UnexpectedAnswer("ITI-67 was not answered with a searchset")
    resources = [entry.get("resource", {}) for entry in bundle.get("entry", [])]
    return [
        _read(resource, f"{index_url}/fhir/")
        for resource in resources
        if resource.get("resourceType") == "DocumentReference"
    ]


async def fetch_document(session: ClientSession, document: FoundDocument) -> bytes:
    """The document itself (ITI-68).

    Raises:
        UnexpectedAnswer: it is not served, or is larger than a manifest can be.
        aiohttp.ClientError: no answer.
    """
    async with session.get(document.url, headers={"Accept": "application/dicom"}) as response:
        if response.status != 200:
            raise UnexpectedAnswer(f"ITI-68 was answered {response.status}")
        content = await response.content.read(DOCUMENT_BYTES_MAX)
        if not response.content.at_eof():
            raise UnexpectedAnswer("the document is too large for a manifest")
        return content


def _read(resource: dict[str, Any], base_url: str) -> FoundDocument:
    try:
        [content] = resource["content"]
        return FoundDocument(
            unique_id=_bare(resource["masterIdentifier"]["value"]),
            type_code=resource["type"]["coding"][0]["code"],
            url=urljoin(base_url, content["attachment"]["url"]),
            references=frozenset(
                _bare(related["identifier"]["value"])
                for related in resource.get("context", {}).get("related", [])
                if "identifier" in related
            ),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise UnexpectedAnswer("an entry lacks what MHD requires") from error


def _bare(value: str) -> str:
    return value.removeprefix("urn:oid:")
