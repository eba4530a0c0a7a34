"""A custodian with its tables and all that runs beside it, and people who come to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from gateway.storage.database import Database, Transaction
from gateway.storage.migrations import migrate
from indexer.contract.access import Authentication, Caller, CallerKind
from indexer.contract.document import Code, Organisation, Person
from indexer.contract.identifiers import Ins
from indexer.server.access.signature_documents import SignatureDocuments
from indexer.server.clock import epoch_ms
from indexer.server.custody.custodian import Custodian
from indexer.server.custody.registrar import Registrar
from indexer.server.journal.chain import Line
from indexer.server.journal.journal import Journal
from indexer.server.journal.scribe import Scribe
from indexer.server.registry.registry import Registry
from indexer.server.rights.habilitations import load_matrix
from indexer.server.rights.records import Permission, Records
from indexer.server.rights.rights import Rights
from indexer.server.telemetry import IndexMetrics
from indexer.wire.outcome import Json
from tests.support.pointers import ANNE


@dataclass(frozen=True)
class Custody:
    """The custodian of one database, and its journal."""

    database: Database
    custodian: Custodian
    journal: Journal
    records: Records

    async def admit(self, *callers: Caller) -> None:
        """Have these declared on their patient's record, as members of the care team."""

        async def work(tx: Transaction) -> None:
            for one in callers:
                told = Permission(professional=one.person.number, declared_at_ms=0)
                await self.records.put_permission(tx, one.patient, told)

        await self.database.write(work)

    async def lines(self, patient: Ins = ANNE) -> list[Line]:
        """A record's journal, in its order."""
        pages = [page async for page in self.journal.lines(self.database, patient)]
        return [line for page in pages for line in page]

    async def told(self, patient: Ins = ANNE) -> list[Json]:
        """What it tells."""
        return [orjson.loads(one.event) for one in await self.lines(patient)]


@asynccontextmanager
async def custody_of(
    database: Database,
    *,
    listed: bool = False,
    now_ms: Callable[[], int] = epoch_ms,
    signatures: SignatureDocuments | None = None,
) -> AsyncIterator[Custody]:
    """A custodian of this database, which is closed at the end."""
    await migrate(database, "indexer.server.migrations")
    registry = Registry(database.dialect)
    journal = Journal(database.dialect, now_ms=now_ms)
    scribe = Scribe(database, journal)
    rights = rights_of(registry, records := Records(database.dialect, listed=listed), now_ms)
    registrar = Registrar(
        database, registry, rights=rights, journal=journal, metrics=IndexMetrics()
    )
    custodian = Custodian(
        database,
        registry,
        registrar,
        rights=rights,
        journal=journal,
        scribe=scribe,
        signatures=signatures,
    )
    running = [asyncio.create_task(one.run()) for one in (registrar, scribe)]
    try:
        yield Custody(database, custodian, journal, records)
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        await database.close()


def rights_of(registry: Registry, records: Records, now_ms: Callable[[], int] = epoch_ms) -> Rights:
    """Rights by the matrix that is shipped."""
    return Rights(records, registry, load_matrix(None), now_ms=now_ms)


def a_doctor(*, patient: Ins = ANNE, reason: str = "") -> Caller:
    """A radiologist of a hospital, who acts on this patient's record."""
    return Caller(
        kind=CallerKind.PROFESSIONAL,
        person=Person(number="801234567897", family="MARTIN", given="Zoé"),
        organisation=Organisation(number="1750803447", name="Hôpital Nord"),
        patient=patient,
        role=Code(code="10", scheme="1.2.250.1.71.1.2.7", display="Médecin"),
        authentication=Authentication.DIRECT,
        reason=reason,
    )
