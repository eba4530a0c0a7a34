"""A publisher and a dispatcher on stores of their own, with and without a PACS."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.failing_index import IndexInMemory
from tests.support.gateway_stores import Stores, stores_in
from tests.support.publishing import Bench, PacsInMemory
from tests.support.studies import WITH_PACS


@pytest.fixture
def tables_of() -> str:
    return "gateway"


@pytest.fixture
async def stores(tmp_path: Path, database_url: str) -> AsyncIterator[Stores]:
    async with stores_in(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
def index() -> IndexInMemory:
    return IndexInMemory()


@pytest.fixture
def bench(stores: Stores, index: IndexInMemory) -> Bench:
    return Bench(stores, index)


@pytest.fixture
def pacs_bench(stores: Stores, index: IndexInMemory) -> Bench:
    return Bench(stores, index, policy=WITH_PACS, pacs=PacsInMemory())
