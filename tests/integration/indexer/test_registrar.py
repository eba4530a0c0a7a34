"""Submissions that come at the same time share a transaction, and each hears of its own fate."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from fastapi import FastAPI

import indexer.server.web.probes
from gateway.errors import StorageUnavailable, Unavailable
from gateway.storage.database import Database, Dialect, T, Work
from gateway.storage.migrations import migrate
from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.document_set import DocumentSet, document_set_of
from indexer.server.batches import WAITING_MAX
from indexer.server.custody.registrar import Registrar
from indexer.server.journal.journal import Journal
from indexer.server.registry.registry import Registry
from indexer.server.rights.records import Records
from indexer.server.telemetry import IndexMetrics
from indexer.server.web.probes import probes
from indexer.wire.outcome import IssueCode, Refusal
from tests.support.custody import rights_of
from tests.support.indexes import served
from tests.support.pointers import KOS, a_submission


@dataclass
class GatedDatabase:
    """A real database whose writes wait for a gate, are counted, and fail when told to."""

    inner: Database
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    writes: int = 0
    fault: Exception | None = None
    dialect: Dialect = Dialect.SQLITE
    generation: int | None = None

    async def write(self, work: Work[T], *, after: Future[None] | None = None) -> T:
        await self.gate.wait()
        self.writes += 1
        if self.fault is not None:
            raise self.fault
        return await self.inner.write(work, after=after)

    async def read(self, work: Work[T]) -> T:
        return await self.inner.read(work)

    async def close(self) -> None:
        await self.inner.close()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[GatedDatabase]:
    database = await SqliteDatabase.open(tmp_path / "index.sqlite")
    await migrate(database, "indexer.server.migrations")
    yield GatedDatabase(database)
    await database.close()


@pytest.fixture
async def registrar(database: GatedDatabase) -> AsyncIterator[Registrar]:
    journal = Journal(database.dialect)
    registry = Registry(database.dialect)
    rights = rights_of(registry, Records(database.dialect, listed=False))
    registrar = Registrar(
        database, registry, rights=rights, journal=journal, metrics=IndexMetrics()
    )
    running = asyncio.create_task(registrar.run())
    yield registrar
    running.cancel()
    await asyncio.wait([running])


def a_set(number: int) -> DocumentSet:
    return document_set_of(a_submission(number))


async def waiting(registrar: Registrar, *numbers: int) -> list[asyncio.Task[DocumentSet]]:
    """Submissions that have come while the gate is shut."""
    tasks = [asyncio.create_task(registrar.register(a_set(one))) for one in numbers]
    await asyncio.sleep(0)  # each has run up to its wait
    return tasks


async def test_what_waits_while_a_batch_is_written_becomes_the_next(
    database: GatedDatabase, registrar: Registrar
) -> None:
    first = await waiting(registrar, 0)
    await asyncio.sleep(0)  # the first has gone to the gate
    others = await waiting(registrar, *range(1, 100))

    database.gate.set()
    held = await asyncio.gather(*first, *others)

    assert len({one.documents[0].entry.entry_id for one in held}) == 100
    assert database.writes == 2


async def test_one_that_is_refused_leaves_the_others_of_its_batch_held(
    database: GatedDatabase, registrar: Registrar
) -> None:
    tasks = await waiting(registrar, 1, 2, 2, 3)

    database.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(one) for one in outcomes] == [DocumentSet, DocumentSet, Refusal, DocumentSet]
    assert isinstance(outcomes[2], Refusal)
    assert outcomes[2].code == IssueCode.DUPLICATE


@pytest.mark.parametrize("fault", [StorageUnavailable("the disk is full"), RuntimeError("a bug")])
async def test_when_a_batch_cannot_be_written_each_of_it_hears_and_the_next_is_tried(
    database: GatedDatabase, registrar: Registrar, fault: Exception
) -> None:
    tasks = await waiting(registrar, 1, 2)
    database.fault = fault
    database.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    database.fault = None
    held = await registrar.register(a_set(1))

    assert outcomes == [fault, fault]
    assert held.submission_set.set_id


async def test_one_that_the_database_cannot_take_fails_alone(
    database: GatedDatabase, registrar: Registrar
) -> None:
    [guilty] = (poisoned := a_set(2)).documents
    title = "a text that no database takes: \ud800"
    poisoned = replace(
        poisoned, documents=(replace(guilty, entry=replace(guilty.entry, title=title)),)
    )
    before = await waiting(registrar, 0)
    await asyncio.sleep(0)  # it has gone to the gate
    tasks = await waiting(registrar, 1)
    tasks += [asyncio.create_task(registrar.register(poisoned))]
    await asyncio.sleep(0)
    tasks += await waiting(registrar, 3)

    database.gate.set()
    outcomes = await asyncio.gather(*before, *tasks, return_exceptions=True)

    assert [isinstance(one, DocumentSet) for one in outcomes] == [True, True, False, True]


async def test_a_caller_that_leaves_does_not_harm_the_others(
    database: GatedDatabase, registrar: Registrar
) -> None:
    leaving, staying = await waiting(registrar, 1, 2)
    leaving.cancel()

    database.gate.set()

    assert (await staying).documents


async def test_more_than_may_wait_are_asked_to_come_again(
    database: GatedDatabase, registrar: Registrar
) -> None:
    first = await waiting(registrar, 0)
    await asyncio.sleep(0)  # the first has gone to the gate
    tasks = await waiting(registrar, *range(1, WAITING_MAX + 1))

    with pytest.raises(Unavailable) as fault:
        await registrar.register(a_set(WAITING_MAX + 1))

    assert fault.value.retry_after_s
    database.gate.set()
    assert len(await asyncio.gather(*first, *tasks)) == WAITING_MAX + 1


async def test_the_bytes_that_wait_are_bounded_and_one_alone_is_taken_whatever_its_size(
    database: GatedDatabase, registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.server.batches.WAITING_BYTES_MAX", 2 * len(KOS) - 1)
    first = await waiting(registrar, 0)

    with pytest.raises(Unavailable) as fault:
        await registrar.register(a_set(1))
    database.gate.set()
    await asyncio.gather(*first)
    monkeypatch.setattr("indexer.server.batches.WAITING_BYTES_MAX", 1)
    held = await registrar.register(a_set(1))

    assert fault.value.retry_after_s
    assert held.submission_set.set_id


async def test_an_index_whose_database_does_not_answer_is_alive_and_not_ready(
    database: GatedDatabase, session: aiohttp.ClientSession
) -> None:
    app = FastAPI()
    app.include_router(probes(database, IndexMetrics()))
    await database.close()

    statuses = []
    async with served(app) as url:
        for probe in ("live", "ready"):
            async with session.get(f"{url}/health/{probe}") as answer:
                statuses.append(answer.status)

    assert statuses == [200, 503]


async def test_an_index_whose_database_is_silent_is_not_ready(
    database: GatedDatabase, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(work: Work[T]) -> T:
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(database, "read", silent)
    monkeypatch.setattr(indexer.server.web.probes, "CHECK_S_MAX", 0.05)
    app = FastAPI()
    app.include_router(probes(database, IndexMetrics()))

    async with served(app) as url, session.get(f"{url}/health/ready") as answer:
        status = answer.status

    assert status == 503
