"""An index that cannot do its work says so in the words of XDS.b, and never that it did."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest
from fastapi import FastAPI

from gateway.errors import StorageUnavailable
from gateway.storage.database import Dialect, T, Work
from indexer.server.access.policy import OpenAccess
from indexer.server.custody.custodian import Custodian
from indexer.server.custody.registrar import Registrar
from indexer.server.journal.journal import Journal
from indexer.server.journal.scribe import Scribe
from indexer.server.registry.registry import Registry
from indexer.server.rights.records import Records
from indexer.server.telemetry import IndexMetrics
from indexer.server.web.xds_routes import REPOSITORY_UID, XdsRoutes
from indexer.wire.xds.stored_query import QueryKind
from tests.support.custody import rights_of
from tests.support.indexes import served
from tests.support.xds import a_set, provide, query, retrieve

BY_ID = ("$XDSDocumentEntryUniqueId", "('1.2')")


@dataclass
class BrokenDatabase:
    """A database that fails in one way, whatever it is asked."""

    fault: Exception
    dialect: Dialect = Dialect.SQLITE
    generation: int | None = None

    async def write(self, work: Work[T], *, after: Future[None] | None = None) -> T:
        raise self.fault

    async def read(self, work: Work[T]) -> T:
        raise self.fault

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def broken_url(fault: Exception) -> AsyncIterator[str]:
    database = BrokenDatabase(fault)
    registry = Registry(database.dialect)
    journal = Journal(database.dialect)
    scribe = Scribe(database, journal)
    rights = rights_of(registry, Records(database.dialect, listed=False))
    registrar = Registrar(
        database, registry, rights=rights, journal=journal, metrics=IndexMetrics()
    )
    app = FastAPI()
    custodian = Custodian(
        database, registry, registrar, rights=rights, journal=journal, scribe=scribe
    )
    XdsRoutes(custodian, OpenAccess(), body_bytes_max=2**20).add_to(app)
    writing = asyncio.create_task(registrar.run())
    async with served(app) as url:
        yield url
    writing.cancel()
    await asyncio.wait([writing])


@pytest.mark.parametrize("fault, what", [
    (StorageUnavailable("the disk is full"), "Busy"), (RuntimeError("a bug"), "Error"),
])  # fmt: skip
async def test_what_fails_within_is_told_as_a_failure(broken_url: str, what: str) -> None:
    replies = [
        await provide(broken_url, a_set(1)),
        await retrieve(broken_url, REPOSITORY_UID, "1.2"),
        await query(broken_url, QueryKind.GET_DOCUMENTS, BY_ID),
    ]

    assert [(one.status, one.outcome) for one in replies] == [(200, "Failure")] * 3
    assert [one.errors for one in replies] == [
        [f"XDSRepository{what}"],
        [f"XDSRepository{what}"],
        [f"XDSRegistry{what}"],
    ]
