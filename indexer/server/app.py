"""Puts the index together: its tables, its registrar, its routes and the policy before them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway.storage.database import Database
from gateway.storage.engines import open_at
from gateway.storage.lock import FolderLock
from gateway.storage.migrations import migrate
from gateway.telemetry import RequestLog
from indexer.server.access.policy import AccessPolicy
from indexer.server.access.signature_documents import SignatureDocuments
from indexer.server.clock import epoch_ms
from indexer.server.custody.custodian import Custodian
from indexer.server.custody.record_keeper import RecordKeeper
from indexer.server.custody.registrar import Registrar
from indexer.server.journal.journal import Journal
from indexer.server.journal.scribe import Scribe
from indexer.server.registry.registry import Registry
from indexer.server.rights.habilitations import load_matrix
from indexer.server.rights.records import Records
from indexer.server.rights.rights import Rights
from indexer.server.settings import IndexSettings, RecordsKept
from indexer.server.telemetry import IndexMetrics
from indexer.server.web.body_room import BodyRoom
from indexer.server.web.dmp_routes import DmpRoutes
from indexer.server.web.extraction_routes import ExtractionRoutes
from indexer.server.web.fhir_routes import FhirRoutes
from indexer.server.web.guard import Guard
from indexer.server.web.http_errors import answer_errors
from indexer.server.web.journal_routes import JournalRoutes
from indexer.server.web.probes import probes
from indexer.server.web.record_routes import RecordRoutes
from indexer.server.web.submission_routes import SubmissionRoutes
from indexer.server.web.xds_routes import XdsRoutes

DATABASE_FILE = "index.sqlite"


class Routes(Protocol):
    """Endpoints that belong together."""

    def add_to(self, app: FastAPI) -> None:
        """Put them at their addresses."""


@asynccontextmanager
async def opened_index(
    settings: IndexSettings, policy: AccessPolicy, signatures: SignatureDocuments | None = None
) -> AsyncIterator[ASGIApp]:
    """The index as an application, its folder locked and its database open while entered; as
    `opened_custodian`."""
    metrics = IndexMetrics()
    async with opened_custodian(settings, metrics, signatures) as (custodian, keeper, database):
        bytes_max = settings.body_mib_max * 2**20
        routes = (
            JournalRoutes(custodian),  # before those that describe all that is there by then
            RecordRoutes(keeper),
            FhirRoutes(custodian),
            SubmissionRoutes(custodian, body_bytes_max=bytes_max),
            XdsRoutes(custodian, policy, body_bytes_max=bytes_max),
            DmpRoutes(keeper, policy),
            ExtractionRoutes(custodian),
        )
        yield _application(routes, probes_of=(database, metrics), policy=policy)


@asynccontextmanager
async def opened_custodian(
    settings: IndexSettings,
    metrics: IndexMetrics,
    signatures: SignatureDocuments | None = None,
) -> AsyncIterator[tuple[Custodian, RecordKeeper, Database]]:
    """The custodian, the keeper of records and their database, its folder locked while entered.

    Args:
        signatures: none where documents that sign submissions are not looked at.

    Raises:
        StorageUnavailable: the folder is in use or cannot be written.
        MigrationRefused: the database is not one that this program may run on.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with FolderLock(settings.data_dir):
        database = await open_at(settings.postgresql_url, settings.data_dir / DATABASE_FILE)
        try:
            await migrate(database, "indexer.server.migrations")
            registry = Registry(database.dialect)
            journal = Journal(database.dialect)
            scribe = Scribe(database, journal)
            records = Records(database.dialect, listed=settings.records is RecordsKept.LISTED)
            matrix = load_matrix(settings.habilitations)
            rights = Rights(records, registry, matrix, now_ms=epoch_ms)
            keeper = RecordKeeper(
                database, records, rights, journal=journal, scribe=scribe, now_ms=epoch_ms
            )
            registrar = Registrar(
                database, registry, rights=rights, journal=journal, metrics=metrics
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
            async with asyncio.TaskGroup() as tasks:
                writing = [
                    tasks.create_task(registrar.run(), name="registrar"),
                    tasks.create_task(scribe.run(), name="scribe"),
                ]
                yield custodian, keeper, database
                for task in writing:
                    task.cancel()
        finally:
            await database.close()


def _application(
    routes: Sequence[Routes],
    *,
    probes_of: tuple[Database, IndexMetrics],
    policy: AccessPolicy,
) -> ASGIApp:
    database, metrics = probes_of
    app = FastAPI(
        title="drim-index",
        docs_url=None,  # its page would load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(probes(database, metrics))
    for one in routes:
        one.add_to(app)
    answer_errors(app)
    return RequestLog(Guard(BodyRoom(app), policy=policy), metrics)
