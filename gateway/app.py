"""Puts the gateway together: the only place that knows which part is made of which."""

import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import random
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import aiohttp
from fastapi import FastAPI
from starlette.routing import Route

from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.discards import Discards
from gateway.catalogue.pacs import Pacs, PacsDirectory
from gateway.catalogue.search import CatalogueSearch
from gateway.catalogue.standings import Standings
from gateway.catalogue.studies import Studies
from gateway.clock import Clock, system_clock
from gateway.dimse.acceptor import DimseServer
from gateway.dimse.commands import Peer
from gateway.dimse.limits import DimseLimits
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.provider import Handlers
from gateway.dimse.scu import PynetdicomRequestor
from gateway.dimse.statuses import RejectReason
from gateway.federation.resolver import Resolver
from gateway.hl7.mllp import MllpLimits, MllpServer
from gateway.intake.assembler import Assembler
from gateway.intake.dimse_door import DimseDoor
from gateway.intake.hl7_door import Hl7Door
from gateway.lifecycle import Janitor, workers
from gateway.manifest.centre import Centre
from gateway.model.publishing import PublicationPolicy
from gateway.publication.dispatcher import Dispatcher
from gateway.publication.outbox import Outbox
from gateway.publication.publisher import Publisher
from gateway.publication.revision import RevisionBuilder
from gateway.retrieval.files import FileReader
from gateway.retrieval.instances import Source
from gateway.retrieval.pacs_source import PacsSource
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.routes import build_routes, build_search_routes
from gateway.retrieval.search import Searcher
from gateway.retrieval.store_source import StoreSource
from gateway.retrieval.transcode import Transcoder
from gateway.security.policy import OpenAccess, Policy, RefuseAll
from gateway.serving import listen, serve, stop_on_signals, url_of
from gateway.settings import Settings
from gateway.storage.database import Database, Transaction
from gateway.storage.lock import FolderLock
from gateway.storage.migrations import migrate
from gateway.storage.objects import ObjectStore
from gateway.storage.sqlite import SqliteDatabase
from gateway.telemetry import configure_logging
from gateway.web import build_web
from indexer.client.mhd import MhdIndex
from indexer.contract.index import Index

log = logging.getLogger(__name__)

MIB: Final = 2**20

DIMSE_GRACE_S: Final = 5.0
"""How long messages under way have to end when the gateway stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that runs: what serves it over HTTP, and where it listens for the rest."""

    http: FastAPI
    dicom_port: int
    mllp_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the rest of the gateway is made of. The stack ends what was opened, last first."""

    stack: AsyncExitStack
    settings: Settings
    policy: Policy
    clock: Clock
    database: Database
    objects: ObjectStore
    studies: Studies
    standings: Standings
    outbox: Outbox
    directory: PacsDirectory
    mediator: MoveMediator
    index: Index


async def run(settings: Settings, *, open_access: bool) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Raises:
        OSError: a port cannot be listened on, or the data folder cannot be used.
        StorageUnavailable: another gateway uses the folder, or its database cannot be opened.
        MigrationRefused: the database is of another program, or of a newer one.
    """
    configure_logging()
    if open_access:
        log.warning("open_access", extra={"meaning": "anyone on this machine may do anything"})
    policy = choose_policy(settings, open_access=open_access)
    stop = stop_on_signals()
    with listen(settings.bind, settings.http_port) as listening:
        async with opened(settings, policy) as gateway:
            ports = {"dicom": gateway.dicom_port, "mllp": gateway.mllp_port}
            log.info("listening", extra=ports | {"http": url_of(listening)})
            await serve(gateway.http, listening, stop=stop)


def choose_policy(settings: Settings, *, open_access: bool) -> Policy:
    """Who is let in: everyone on this machine, or the configured machines of the centre."""
    if open_access:
        return OpenAccess()
    titles = {pacs.ae_title for pacs in settings.pacs} | settings.calling_ae_titles
    senders = frozenset(str(address) for address in settings.hl7_senders)
    return RefuseAll(calling_ae_titles=frozenset(titles), hl7_senders=senders)


@asynccontextmanager
async def opened(
    settings: Settings, policy: Policy, *, clock: Clock = system_clock
) -> AsyncIterator[Gateway]:
    """A gateway at work but for HTTP, which its caller serves; ended on leaving."""
    async with AsyncExitStack() as stack:
        parts = await _open_parts(stack, settings, policy, clock)
        janitor = Janitor(
            parts.database, Discards(parts.database.dialect), parts.objects, clock=clock
        )
        await janitor.sweep(older_than_s=0.0)  # nothing is under way yet
        await _release_claims(parts)
        dispatcher = Dispatcher(
            parts.database, parts.outbox, parts.standings, parts.index, clock=clock, draw=random
        )
        publisher = _publisher(parts, on_enqueued=dispatcher.worker.wake)
        await stack.enter_async_context(
            workers(publisher.worker.run(), dispatcher.worker.run(), janitor.run())
        )
        assembler = Assembler(
            parts.database,
            parts.studies,
            parts.objects,
            clock=clock,
            settle_ms=_ms(settings.study_settle_s),
            on_news=publisher.worker.wake,
        )
        dicom = await _listen_dicom(parts, assembler)
        mllp = await _listen_mllp(parts, assembler)
        http = build_web(
            policy,
            Resolver(policy, parts.index),
            _dicomweb(parts, on_news=publisher.worker.wake),
            database=parts.database,
            standings=parts.standings,
            outbox=parts.outbox,
        )
        yield Gateway(http=http, dicom_port=dicom.port, mllp_port=mllp.port)


async def _open_parts(
    stack: AsyncExitStack, settings: Settings, policy: Policy, clock: Clock
) -> _Parts:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    # First, for opening the store empties the spool of whoever else might use it.
    stack.enter_context(FolderLock(settings.data_dir))
    database = await SqliteDatabase.open(settings.data_dir / "gateway.sqlite")
    stack.push_async_callback(database.close)
    await migrate(database, "gateway.migrations")
    objects = ObjectStore.open(settings.data_dir / "store")
    stack.callback(objects.close)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    return _Parts(
        stack=stack,
        settings=settings,
        policy=policy,
        clock=clock,
        database=database,
        objects=objects,
        studies=Studies(database.dialect),
        standings=Standings(database.dialect),
        outbox=Outbox(database.dialect),
        directory=_pacs_directory(stack, settings),
        mediator=MoveMediator(ae_title=settings.ae_title),
        index=MhdIndex(settings.index_url, session),
    )


def _pacs_directory(stack: AsyncExitStack, settings: Settings) -> PacsDirectory:
    threads = ThreadPoolExecutor(settings.pacs_requests_max, thread_name_prefix="pacs")
    stack.callback(threads.shutdown, wait=False, cancel_futures=True)
    return PacsDirectory(
        [
            Pacs(
                requestor=PynetdicomRequestor(
                    one.host,
                    one.port,
                    called_ae=one.ae_title,
                    calling_ae=settings.ae_title,
                    executor=threads,
                ),
                patient_id_issuer=one.patient_id_issuer,
                accession_issuer=one.accession_issuer,
            )
            for one in settings.pacs
        ]
    )


async def _release_claims(parts: _Parts) -> None:
    """The folder is ours alone, so whoever held a lease in it is dead."""

    async def work(tx: Transaction) -> None:
        await parts.standings.release_claims(tx)
        await parts.outbox.release_claims(tx)

    await parts.database.write(work)


def _publisher(parts: _Parts, *, on_enqueued: Callable[[], None]) -> Publisher:
    settings = parts.settings
    return Publisher(
        parts.database,
        parts.studies,
        parts.standings,
        parts.outbox,
        pacs=parts.directory,
        policy=PublicationPolicy(
            ins_oids=settings.ins_oids | parts.policy.more_ins_oids,
            has_pacs=bool(settings.pacs),
            settle_ms=_ms(settings.study_settle_s),
            images_wait_ms=_ms(settings.images_wait_s),
            honour_destdmp=settings.honour_destdmp,
        ),
        submission=RevisionBuilder(_centre(settings), uid_root=settings.uid_root),
        submission_id=lambda: uuid4().hex,
        clock=parts.clock,
        draw=random,
        on_enqueued=on_enqueued,
    )


def _centre(settings: Settings) -> Centre:
    return Centre(
        public_url=settings.base_url,
        ae_title=settings.ae_title,
        location_uid=settings.own_location_uid,
        organisation_id=settings.organisation_id,
        organisation_name=settings.organisation_name,
        time_zone=ZoneInfo(settings.time_zone),
        manufacturer="DRIM-M gateway",
    )


async def _listen_dicom(parts: _Parts, assembler: Assembler) -> DimseServer:
    settings = parts.settings

    def admits(peer: Peer) -> RejectReason | None:
        if peer.called_ae != settings.ae_title:
            return RejectReason.CALLED_AE_NOT_RECOGNISED
        if not parts.policy.admits_association(peer.calling_ae, peer.address):
            return RejectReason.CALLING_AE_NOT_RECOGNISED
        return None

    door = DimseDoor(assembler, parts.objects, offer=parts.mediator.offer)
    server = await DimseServer.start(
        settings.bind,
        settings.dicom_port,
        handlers=Handlers(store=door.store, n_create=door.n_create),
        admits=admits,
        spool=parts.objects.new_spool,
        limits=DimseLimits(
            associations_max=settings.associations_max,
            message_bytes_max=settings.instance_mib_max * MIB,
        ),
    )
    parts.stack.push_async_callback(server.close, grace_s=DIMSE_GRACE_S)
    return server


async def _listen_mllp(parts: _Parts, assembler: Assembler) -> MllpServer:
    settings = parts.settings
    door = Hl7Door(assembler.report_received, ZoneInfo(settings.time_zone))
    server = await MllpServer.start(
        settings.bind,
        settings.mllp_port,
        handle=door.handle,
        admits=parts.policy.admits_sender,
        limits=MllpLimits(
            message_bytes_max=settings.message_mib_max * MIB,
            connections_max=settings.hl7_connections_max,
        ),
    )
    parts.stack.push_async_callback(server.close)
    return server


def _dicomweb(parts: _Parts, *, on_news: Callable[[], None]) -> list[Route]:
    objects = parts.objects
    catalogue = Catalogue(parts.database, parts.studies, clock=parts.clock, on_news=on_news)
    transcoder = Transcoder(
        objects.new_spool,
        objects.discard_spool,
        size_bytes_max=parts.settings.reencoded_mib_max * MIB,
    )
    parts.stack.callback(transcoder.close)
    files = FileReader()
    parts.stack.callback(files.close)
    from_pacs = PacsSource(
        catalogue,
        parts.mediator,
        parts.directory.requestors,
        path=objects.path,
        discard=objects.discard_spool,
        files=files,
    )
    sources: list[Source] = [StoreSource(catalogue, objects.path), from_pacs]
    retriever = Retriever(parts.policy, catalogue, sources)
    searcher = Searcher(parts.policy, CatalogueSearch(parts.database))
    return [
        *build_routes(parts.policy, retriever, transcoder, files),
        *build_search_routes(parts.policy, searcher, public_url=parts.settings.base_url),
    ]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
