"""Puts the gateway together: the only place that knows which part is made of which."""

import logging
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import aiohttp
from fastapi import FastAPI
from starlette.routing import Route

from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.pacs import Pacs, PacsDirectory
from gateway.catalogue.search import CatalogueSearch
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
from gateway.lifecycle import Janitor, serve_http, workers
from gateway.manifest.centre import Centre
from gateway.model.publishing import PublicationPolicy
from gateway.publication.dispatcher import Dispatcher
from gateway.publication.outbox import Outbox
from gateway.publication.publisher import Publisher
from gateway.publication.revision import RevisionBuilder
from gateway.retrieval.files import FileReader
from gateway.retrieval.pacs_source import PacsSource
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.routes import build_routes, build_search_routes
from gateway.retrieval.store_source import StoreSource
from gateway.retrieval.transcode import Transcoder
from gateway.security.policy import OpenAccess, Policy, RefuseAll
from gateway.settings import TEST_INS_OIDS, Settings
from gateway.storage.database import Database, Transaction
from gateway.storage.lock import FolderLock
from gateway.storage.migrations import migrate
from gateway.storage.objects import ObjectStore
from gateway.storage.sqlite import SqliteDatabase
from gateway.telemetry import configure_logging
from gateway.web import build_web
from indexer.client.mhd import MhdIndex

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
class _Stores:
    """What is kept, and who keeps it."""

    database: Database
    objects: ObjectStore
    studies: Studies
    outbox: Outbox


async def run(settings: Settings, *, open_access: bool) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Raises:
        OSError: a port cannot be listened on, or the data folder cannot be used.
        StorageUnavailable: another gateway uses the folder, or its database cannot be opened.
    """
    configure_logging()
    if open_access:
        log.warning("open_access", extra={"meaning": "anyone on this machine may do anything"})
    policy = choose_policy(settings, open_access=open_access)
    async with opened(settings, policy, open_access=open_access) as gateway:

        def tell(port: int) -> None:
            ports = {"http": port, "dicom": gateway.dicom_port, "mllp": gateway.mllp_port}
            log.info("listening", extra=ports | {"bind": settings.bind})

        await serve_http(
            gateway.http, host=settings.bind, port=settings.http_port, on_listening=tell
        )


def choose_policy(settings: Settings, *, open_access: bool) -> Policy:
    """Who is let in: everyone on this machine, or the configured machines of the centre."""
    if open_access:
        return OpenAccess()
    titles = {pacs.ae_title for pacs in settings.pacs} | settings.calling_ae_titles
    return RefuseAll(calling_ae_titles=frozenset(titles), hl7_senders=settings.hl7_senders)


@asynccontextmanager
async def opened(
    settings: Settings, policy: Policy, *, open_access: bool, clock: Clock = system_clock
) -> AsyncIterator[Gateway]:
    """A gateway at work but for HTTP, which its caller serves; ended on leaving."""
    async with AsyncExitStack() as stack:
        stores = await _open_stores(stack, settings)
        janitor = Janitor(stores.database, stores.studies, stores.objects, clock=clock)
        await janitor.sweep()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        index = MhdIndex(settings.index_url, session)
        directory = _pacs_directory(stack, settings)
        dispatcher = Dispatcher(
            stores.database, stores.outbox, stores.studies, index, clock=clock, draw=random.random
        )
        publisher = _publisher(
            settings, stores, directory, dispatcher, open_access=open_access, clock=clock
        )
        await _release_claims(stores, clock())
        mediator = MoveMediator(ae_title=settings.ae_title)
        assembler = Assembler(
            stores.database,
            stores.studies,
            stores.objects,
            clock=clock,
            settle_ms=_ms(settings.study_settle_s),
            on_news=publisher.worker.wake,
        )
        await stack.enter_async_context(
            workers(publisher.worker.run(), dispatcher.worker.run(), janitor.run())
        )
        dicom = await _listen_dicom(stack, settings, policy, stores.objects, assembler, mediator)
        mllp = await _listen_mllp(stack, settings, policy, assembler)
        catalogue = Catalogue(stores.database, stores.studies, clock=clock)
        http = build_web(
            policy,
            Resolver(policy, index),
            _dicomweb(stack, settings, policy, stores, catalogue, directory, mediator),
            database=stores.database,
            studies=stores.studies,
            outbox=stores.outbox,
        )
        yield Gateway(http=http, dicom_port=dicom.port, mllp_port=mllp.port)


async def _open_stores(stack: AsyncExitStack, settings: Settings) -> _Stores:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    stack.enter_context(FolderLock(settings.data_dir))
    database = await SqliteDatabase.open(settings.data_dir / "gateway.sqlite")
    stack.push_async_callback(database.close)
    await migrate(database, "gateway.migrations")
    objects = ObjectStore.open(settings.data_dir / "store")
    stack.callback(objects.close)
    return _Stores(
        database=database,
        objects=objects,
        studies=Studies(database.dialect),
        outbox=Outbox(database.dialect),
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


def _publisher(
    settings: Settings,
    stores: _Stores,
    directory: PacsDirectory,
    dispatcher: Dispatcher,
    *,
    open_access: bool,
    clock: Clock,
) -> Publisher:
    tests = TEST_INS_OIDS if open_access else frozenset()
    policy = PublicationPolicy(
        ins_oids=settings.ins_oids | tests,
        has_pacs=bool(settings.pacs),
        settle_ms=_ms(settings.study_settle_s),
        images_wait_ms=_ms(settings.images_wait_s),
        honour_destdmp=settings.honour_destdmp,
    )
    return Publisher(
        stores.database,
        stores.studies,
        stores.outbox,
        pacs=directory,
        policy=policy,
        submission=RevisionBuilder(_centre(settings), uid_root=settings.uid_root),
        submission_id=lambda: uuid4().hex,
        clock=clock,
        draw=random.random,
        on_enqueued=dispatcher.worker.wake,
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


async def _release_claims(stores: _Stores, now_ms: int) -> None:
    """The folder is ours alone, so whoever held a lease in it is dead."""

    async def work(tx: Transaction) -> None:
        await stores.studies.release_claims(tx, now_ms=now_ms)
        await stores.outbox.release_claims(tx, now_ms=now_ms)

    await stores.database.write(work)


async def _listen_dicom(
    stack: AsyncExitStack,
    settings: Settings,
    policy: Policy,
    objects: ObjectStore,
    assembler: Assembler,
    mediator: MoveMediator,
) -> DimseServer:
    def admits(peer: Peer) -> RejectReason | None:
        if peer.called_ae != settings.ae_title:
            return RejectReason.CALLED_AE_NOT_RECOGNISED
        if not policy.admits_association(peer.calling_ae, peer.address):
            return RejectReason.CALLING_AE_NOT_RECOGNISED
        return None

    door = DimseDoor(assembler, objects, offer=mediator.offer)
    server = await DimseServer.start(
        settings.bind,
        settings.dicom_port,
        handlers=Handlers(store=door.store, n_create=door.n_create),
        admits=admits,
        spool=objects.new_spool,
        limits=DimseLimits(
            associations_max=settings.associations_max,
            message_bytes_max=settings.instance_mib_max * MIB,
        ),
    )
    stack.push_async_callback(server.close, grace_s=DIMSE_GRACE_S)
    return server


async def _listen_mllp(
    stack: AsyncExitStack, settings: Settings, policy: Policy, assembler: Assembler
) -> MllpServer:
    door = Hl7Door(assembler.report_received, ZoneInfo(settings.time_zone))
    server = await MllpServer.start(
        settings.bind,
        settings.mllp_port,
        handle=door.handle,
        admits=policy.admits_sender,
        limits=MllpLimits(
            message_bytes_max=settings.message_mib_max * MIB,
            connections_max=settings.hl7_connections_max,
        ),
    )
    stack.push_async_callback(server.close)
    return server


def _dicomweb(
    stack: AsyncExitStack,
    settings: Settings,
    policy: Policy,
    stores: _Stores,
    catalogue: Catalogue,
    directory: PacsDirectory,
    mediator: MoveMediator,
) -> list[Route]:
    objects = stores.objects
    transcoder = Transcoder(
        objects.new_spool,
        objects.discard_spool,
        size_bytes_max=settings.reencoded_mib_max * MIB,
    )
    stack.callback(transcoder.close)
    files = FileReader()
    stack.callback(files.close)
    from_pacs = PacsSource(
        catalogue,
        mediator,
        directory.requestors,
        path=objects.path,
        discard=objects.discard_spool,
        files=files,
    )
    retriever = Retriever(policy, catalogue, [StoreSource(catalogue, objects.path), from_pacs])
    searcher = CatalogueSearch(stores.database)
    return [
        *build_routes(policy, retriever, transcoder, files),
        *build_search_routes(policy, searcher, public_url=settings.base_url),
    ]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
