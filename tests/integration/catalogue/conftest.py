"""The gateway's stores, on a folder of the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway_stores import Stores, stores_in


@pytest.fixture
def tables_of() -> str:
    return "gateway"


@pytest.fixture
async def stores(tmp_path: Path, database_url: str) -> AsyncIterator[Stores]:
    async with stores_in(tmp_path, database_url) as opened:
        yield opened
