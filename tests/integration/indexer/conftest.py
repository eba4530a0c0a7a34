"""An index on loopback with its own database, and a session to ask it with."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from gateway.storage.engines import open_at
from tests.support.custody import Custody, custody_of
from tests.support.fhir_answers import expect_fhir, expect_mhd, watch_answers
from tests.support.indexes import a_served_index
from tests.support.record_people import AUTHOR, MEMBER, Clock
from tests.support.scripted_index import ScriptedIndex, a_scripted_index


@pytest.fixture
def tables_of() -> str:
    return "index"


@pytest.fixture(autouse=True)
def every_answer_is_fhir(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever else a test shows, another program reads what the index answered in it."""
    answered = watch_answers(monkeypatch)
    yield
    for resource in answered:
        expect_fhir(resource)
        expect_mhd(resource)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def index_url(tmp_path: Path, database_url: str) -> AsyncIterator[str]:
    """Of one engine and of the other."""
    async with a_served_index(tmp_path, database_url=database_url) as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def custody(tmp_path: Path, database_url: str, clock: Clock) -> AsyncIterator[Custody]:
    """Records that let in who wrote their documents, and a member of the care team."""
    database = await open_at(database_url, tmp_path / "index.sqlite")
    async with custody_of(database, now_ms=clock) as custody:
        await custody.admit(AUTHOR, MEMBER)
        yield custody


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedIndex]:
    async with a_scripted_index() as scripted:
        yield scripted
