"""Real indexes on loopback: the one of this repository, served in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr
from starlette.types import ASGIApp

from gateway.serving import listen, serve, url_of
from indexer.server.access.policy import AccessPolicy, OpenAccess
from indexer.server.app import opened_index
from indexer.server.settings import IndexSettings


@asynccontextmanager
async def a_served_index(
    folder: Path,
    *,
    policy: AccessPolicy | None = None,
    body_mib_max: int = 1,
    database_url: str = "",
) -> AsyncIterator[str]:
    """The index's root address, while it is served."""
    settings = IndexSettings(
        data_dir=folder, body_mib_max=body_mib_max, database_url=SecretStr(database_url)
    )
    async with opened_index(settings, policy or OpenAccess()) as index, served(index) as url:
        yield url


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The root address of an application, while it is served."""
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listening:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(app, listening, stop=stop))
            try:
                yield url_of(listening)
            finally:
                stop.set()
