"""A SOAP client that is not ours finds and fetches documents: zeep, by a description of ITI-18 and
ITI-43 that lies beside this test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import requests
from zeep import Client
from zeep.transports import Transport
from zeep.wsa import WsAddressingPlugin

from indexer.wire.xds.stored_query import QueryKind
from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE, KOS, an_entry
from tests.support.xds import APPROVED, a_set, provide

WSDL = Path(__file__).with_name("xds.wsdl")
PATIENT = ("$XDSDocumentEntryPatientId", f"'{ANNE.value}^^^&{ANNE.oid}&ISO'")
STATUS = ("$XDSDocumentEntryStatus", f"('{APPROVED}')")


@pytest.fixture
async def index_url(tmp_path: Path) -> AsyncIterator[str]:
    async with a_served_index(tmp_path) as url:
        yield url


class Consumer:
    """zeep waits in a thread, for the index runs in the loop of the test."""

    def __init__(self, root: str) -> None:
        session = requests.Session()
        session.trust_env = False
        self._client = Client(
            str(WSDL), transport=Transport(session=session), plugins=[WsAddressingPlugin()]
        )
        self._root = root

    async def query(self, kind: QueryKind, *parameters: tuple[str, str]) -> Any:
        slots = [{"name": name, "ValueList": {"Value": [value]}} for name, value in parameters]
        return await self._call(
            "Registry",
            "query",
            ResponseOption={"returnType": "LeafClass", "returnComposedObjects": True},
            AdhocQuery={"id": f"urn:uuid:{kind}", "Slot": slots},
        )

    async def retrieve(self, repository: str, unique_id: str) -> Any:
        request = {"RepositoryUniqueId": repository, "DocumentUniqueId": unique_id}
        return await self._call("Repository", "retrieve", DocumentRequest=[request])

    async def _call(self, binding: str, operation: str, **request: Any) -> Any:
        service = self._client.create_service(
            f"{{urn:ihe:iti:xds-b:2007}}{binding}", f"{self._root}/xds/{binding.lower()}"
        )
        return await asyncio.to_thread(getattr(service, operation), **request)


async def test_it_finds_a_document_by_a_query_and_fetches_it(index_url: str) -> None:
    await provide(index_url, a_set(1))
    zeep = Consumer(index_url)

    found = await zeep.query(QueryKind.FIND_DOCUMENTS, PATIENT, STATUS)

    [entry] = found.RegistryObjectList.ExtrinsicObject
    slots = {slot.name: slot.ValueList.Value for slot in entry.Slot}
    [unique_id] = [
        one.value
        for one in entry.ExternalIdentifier
        if one.identificationScheme == "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    ]
    given = await zeep.retrieve(slots["repositoryUniqueId"][0], unique_id)
    [document] = given.DocumentResponse
    assert found.status.endswith(":Success")
    assert (entry.mimeType, entry.status) == ("application/dicom", APPROVED)
    assert unique_id == an_entry(1).unique_id
    assert slots["size"] == [str(len(KOS))]
    assert (document.Document, document.mimeType) == (KOS, "application/dicom")


@pytest.mark.parametrize("kind", [QueryKind.GET_DOCUMENTS, QueryKind.FIND_BY_REFERENCE])
async def test_it_reads_why_a_query_is_refused(index_url: str, kind: QueryKind) -> None:
    zeep = Consumer(index_url)

    refused = await zeep.query(kind, ("$MetadataLevel", "1"))

    [error] = refused.RegistryErrorList.RegistryError
    assert refused.status.endswith(":Failure")
    assert error.errorCode.startswith("XDSStoredQuery")


async def test_it_reads_that_a_document_is_not_there(index_url: str) -> None:
    await provide(index_url, a_set(1))
    zeep = Consumer(index_url)
    found = await zeep.query(QueryKind.FIND_DOCUMENTS, PATIENT, STATUS)
    slots = found.RegistryObjectList.ExtrinsicObject[0].Slot
    [repository] = [one.ValueList.Value[0] for one in slots if one.name == "repositoryUniqueId"]

    given = await zeep.retrieve(repository, "2.25.404")

    [error] = given.RegistryResponse.RegistryErrorList.RegistryError
    assert (error.errorCode, error.location) == ("XDSDocumentUniqueIdError", "2.25.404")
