"""What a patient's pointers are when the index, or another centre, does not do its part."""

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from gateway.federation.resolver import Resolver
from gateway.manifest.reader import SIZE_BYTES_MAX
from gateway.model.access import ANYONE
from gateway.security.policy import OpenAccess
from indexer.contract.document import DocumentEntry, DocumentQuery
from indexer.contract.errors import IndexUnavailable
from indexer.contract.index import Index
from tests.support.pointers import ANNE, KOS, an_entry


@dataclass
class FakeIndex:
    """Holds entries whose documents are no manifests."""

    entries: list[DocumentEntry]
    failure: Exception | None = None
    retrieved: list[DocumentEntry] = field(default_factory=list)

    async def find(self, query: DocumentQuery) -> list[DocumentEntry]:
        return self.entries

    async def retrieve(self, entry: DocumentEntry) -> bytes:
        self.retrieved.append(entry)
        if self.failure is not None:
            raise self.failure
        return KOS


def a_resolver(index: FakeIndex) -> Resolver:
    return Resolver(OpenAccess(), cast(Index, index))


async def test_an_index_that_fails_half_way_is_unavailable() -> None:
    failure = IndexUnavailable("the index did not answer in time")
    index = FakeIndex([an_entry(1), an_entry(2)], failure=failure)

    with pytest.raises(IndexUnavailable):
        await a_resolver(index).find(ANYONE, ANNE)


async def test_a_document_too_large_for_a_manifest_is_told_of_and_not_fetched() -> None:
    large = replace(an_entry(1), size_bytes=SIZE_BYTES_MAX + 1)
    index = FakeIndex([large, an_entry(2)])

    found = await a_resolver(index).find(ANYONE, ANNE)

    assert [(one.document_id, one.retrieve_urls) for one in found] == [
        (large.unique_id, ()),
        (an_entry(2).unique_id, ()),
    ]
    assert index.retrieved == [an_entry(2)]
