"""An index that lets in who shows an assertion, and what is shown to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from indexer.server.access.checks import Checks
from indexer.server.app import opened_index
from indexer.server.doors import doors
from indexer.server.settings import IndexSettings
from indexer.wire.soap.envelope import SECURITY
from indexer.wire.xml import Element
from tests.support.health_pki import organisations
from tests.support.indexes import served
from tests.support.xds import Reply, envelope, post


@asynccontextmanager
async def a_guarded_index(
    folder: Path, *, open_access: bool = False, **told: Any
) -> AsyncIterator[str]:
    """The root of an index that trusts the authority of organisations, while it is served."""
    folder.mkdir(exist_ok=True)
    authorities = organisations().write(folder / "authorities.pem")
    settings = IndexSettings(data_dir=folder / "data", authorities=authorities, **told)
    with closing(Checks()) as checks:
        policy, signatures = doors(settings, checks, open_access=open_access)
        async with opened_index(settings, policy, signatures) as index, served(index) as url:
            yield url


def security(*assertions: bytes) -> str:
    """The header in which assertions go with a message."""
    inside = b"".join(assertions).decode()
    return f'<wsse:Security xmlns:wsse="{SECURITY}">{inside}</wsse:Security>'


async def ask_as(url: str, action: str, body: Element, *assertions: bytes) -> Reply:
    """One request without documents, with these assertions."""
    headers = security(*assertions) if assertions else ""
    return await post(url, envelope(action, body, headers=headers))
