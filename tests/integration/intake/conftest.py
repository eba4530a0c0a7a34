from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.security.policy import OpenAccess
from tests.support.web_doors import WebDoors, web_doors


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[WebDoors]:
    async with web_doors(tmp_path, OpenAccess()) as doors:
        yield doors
