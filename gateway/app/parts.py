"""What the gateway is made of: storage, repositories, the PACS and the index, opened in order."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ssl import SSLContext
from typing import Final
from zoneinfo import ZoneInfo

import aiohttp

from gateway.app.index import build_index
from gateway.app.pulling import PacsSending
from gateway.catalogue.classes import ClassLearner, KnownClasses
from gateway.catalogue.pacs import Pacs, PacsDirectory
from gateway.catalogue.pairing import SQLITE_FILE, Pairing
from gateway.catalogue.searched import make_searchable
from gateway.catalogue.standings import Standings
from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.dimse.limits import DimseLimits
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.turns import PacsThreads
from gateway.manifest.centre import Centre
from gateway.processes.pool import WorkerPool
from gateway.publication.outbox import Outbox
from gateway.security.policy import Policy
from gateway.settings import MIB, DicomPeer, Settings
from gateway.storage.database import Database
from gateway.storage.engines import open_at
from gateway.storage.lock import FolderLock
from gateway.storage.migrations import migrate
from gateway.storage.objects import ObjectStore
from indexer.contract.identifiers import Uid
from indexer.contract.index import Index

WORKERS_BY_DEFAULT_MAX: Final = 8
WORKS_WAITING_MAX: Final = 256
"""Works that wait for a worker process; one more is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
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
    requestors: Mapping[str, PacsRequestor]
    directory: PacsDirectory
    mediator: MoveMediator
    sending: PacsSending
    index: Index
    workers: WorkerPool


async def open_parts(
    stack: AsyncExitStack, settings: Settings, policy: Policy, clock: Clock
) -> Parts:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    # First, for opening the store empties the spool of whoever else might use it.
    stack.enter_context(FolderLock(settings.data_dir))
    url = settings.database_url
    database = await open_at(url.get_secret_value() if url else "", settings.data_dir / SQLITE_FILE)
    stack.push_async_callback(database.close)
    await migrate(database, "gateway.migrations")
    await make_searchable(database)
    await Pairing(database).check(settings.data_dir)
    objects = ObjectStore.open(
        settings.data_dir / "store", free_bytes_min=settings.disk_free_mib_min * MIB
    )
    stack.callback(objects.close)
    requestors = open_requestors(stack, settings)
    mediator = MoveMediator(ae_title=settings.ae_title)
    sending = PacsSending(stack, settings, objects, mediator)
    studies = Studies(database.dialect)

    async def known_classes(study: Uid) -> dict[str, str]:
        return await database.read(lambda tx: studies.classes(tx, study))

    session = await stack.enter_async_context(aiohttp.ClientSession())
    return Parts(
        stack=stack,
        settings=settings,
        policy=policy,
        clock=clock,
        database=database,
        objects=objects,
        studies=studies,
        standings=Standings(database.dialect),
        outbox=Outbox(database.dialect),
        requestors=requestors,
        directory=_pacs_directory(settings, requestors, sending, known_classes),
        mediator=mediator,
        sending=sending,
        index=build_index(settings, session),
        workers=open_workers(stack, settings),
    )


def open_workers(stack: AsyncExitStack, settings: Settings) -> WorkerPool:
    """Who does what would keep the loop waiting."""
    cores = len(os.sched_getaffinity(0))
    workers = WorkerPool(
        workers=settings.workers or min(cores, WORKERS_BY_DEFAULT_MAX),
        waiting_max=WORKS_WAITING_MAX,
        memory_mib_max=settings.worker_mib_max,
    )
    stack.push_async_callback(workers.close)
    return workers


def open_requestors(stack: AsyncExitStack, settings: Settings) -> dict[str, PacsRequestor]:
    """Who asks each PACS, by its AE title, in the order of the settings."""
    threads = stack.enter_context(PacsThreads(settings.pacs_requests_max))
    return {
        one.ae_title: PacsRequestor(
            listener_of(settings, one),
            called_ae=one.ae_title,
            calling_ae=settings.ae_title,
            turns=threads.turns(associations_max=one.associations_max, moves_max=one.moves_max),
            limits=DimseLimits(message_bytes_max=settings.instance_mib_max * MIB),
        )
        for one in settings.pacs
    }


def tls_towards(settings: Settings, peer: DicomPeer) -> SSLContext | None:
    """What a connection to the peer must come to terms with; None where it is none of TLS."""
    return settings.tls_context_as_client() if peer.tls else None


def listener_of(settings: Settings, peer: DicomPeer) -> Listener:
    """Where the peer listens for associations of ours."""
    return Listener(host=peer.host, port=peer.port, tls=tls_towards(settings, peer))


def _pacs_directory(
    settings: Settings,
    requestors: Mapping[str, PacsRequestor],
    sending: PacsSending,
    known_classes: KnownClasses,
) -> PacsDirectory:
    return PacsDirectory(
        [
            Pacs(
                requestor=requestors[one.ae_title],
                learner=ClassLearner(sending.sender(one, requestors[one.ae_title]), known_classes),
                patient_id_issuer=one.patient_id_issuer,
                accession_issuer=one.accession_issuer,
            )
            for one in settings.pacs
        ]
    )


def centre_of(settings: Settings) -> Centre:
    return Centre(
        public_url=settings.base_url,
        ae_title=settings.ae_title,
        location_uid=settings.own_location_uid,
        organisation_id=settings.organisation_id,
        organisation_name=settings.organisation_name,
        time_zone=ZoneInfo(settings.time_zone),
        manufacturer="DRIM-M gateway",
    )


def milliseconds(seconds: float) -> int:
    """Of a setting."""
    return int(seconds * 1000)
