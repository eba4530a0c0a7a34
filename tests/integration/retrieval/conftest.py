from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.security.policy import OpenAccess
from tests.support.fetching import CopyLimits
from tests.support.retrieval import Bench, a_bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with a_bench(tmp_path, OpenAccess()) as bench:
        yield bench


@pytest.fixture
async def passing(tmp_path: Path) -> AsyncIterator[Bench]:
    """Keeps nothing of what passes."""
    async with a_bench(tmp_path, OpenAccess(), limits=CopyLimits(bytes_max=0)) as bench:
        yield bench
