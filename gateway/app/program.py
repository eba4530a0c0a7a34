"""Runs a gateway: opens its parts and its doors, and ends them."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import random

from fastapi import FastAPI
from starlette.routing import Route

from gateway.app.checkup import readiness, watch_of
from gateway.app.consulting import dicomweb_routes
from gateway.app.dicom import listen_dicom
from gateway.app.doors import listen_mllp, store_routes
from gateway.app.fetching import describer_of, open_fetching
from gateway.app.index import publisher_of
from gateway.app.machine import certificates_in_doubt
from gateway.app.parts import Parts, milliseconds, open_parts
from gateway.app.publishing import build_publisher, publication_policy, sweep_at_night
from gateway.catalogue.discards import Discards
from gateway.clock import Clock, system_clock
from gateway.federation.resolver import Resolver
from gateway.health import Watch, health_routes
from gateway.intake.assembler import Assembler
from gateway.lifecycle import Janitor, workers
from gateway.publication.dispatcher import Dispatcher
from gateway.publication.people import acting_routes
from gateway.publication.publisher import Publisher
from gateway.retrieval.describing.describer import Describer
from gateway.retrieval.routes import capability_routes
from gateway.retrieval.sources.prefetch import Prefetcher
from gateway.security.callers import Caller, Callers
from gateway.security.forwarded import Forwarding
from gateway.security.policy import OpenAccess, Policy, RefuseAll
from gateway.serving import listen, serve, stop_on_signals, tune_interpreter, url_of
from gateway.settings import Settings
from gateway.storage.database import Transaction
from gateway.telemetry import Metrics, configure_logging
from gateway.web import build_web

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that runs: what serves it over HTTP, and where it listens for the rest."""

    http: FastAPI
    dicom_port: int
    dicom_tls_port: int | None
    """None where no certificate is set."""
    mllp_port: int
    mllp_tls_port: int | None
    """None where HL7 over TLS is not listened for."""


async def run(settings: Settings, *, open_access: bool) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Raises:
        ValueError: a certificate has expired.
        OSError: a port cannot be listened on, or the data folder cannot be used.
        StorageUnavailable: another gateway uses the folder, or its database cannot be opened.
        MigrationRefused: the database is of another program, or of a newer one.
    """
    configure_logging()
    if open_access:
        log.warning("open_access", extra={"meaning": "anyone on this machine may do anything"})
    for one in certificates_in_doubt(settings, system_clock):
        log.warning("certificate_in_doubt", extra={"told": one.told, "mend": one.mend})
    policy = choose_policy(settings, open_access=open_access)
    stop = stop_on_signals()
    # The folder first: a second program is to say who holds that, not that a port is taken.
    async with opened(settings, policy) as gateway:
        with listen(settings.bind, settings.http_port) as listening:
            ports = {"dicom": gateway.dicom_port, "mllp": gateway.mllp_port}
            if gateway.dicom_tls_port is not None:
                ports["dicom_tls"] = gateway.dicom_tls_port
            if gateway.mllp_tls_port is not None:
                ports["mllp_tls"] = gateway.mllp_tls_port
            tune_interpreter()
            log.info("listening", extra=ports | {"http": url_of(listening)})
            await serve(gateway.http, listening, stop=stop)


def choose_policy(settings: Settings, *, open_access: bool) -> Policy:
    """Who is let in: everyone on this machine, or the configured machines of the centre."""
    if open_access:
        return OpenAccess()
    titles = [*(pacs.ae_title for pacs in settings.pacs), *settings.calling_ae_titles]
    callers = Callers(Caller.parse(title) for title in titles)
    senders = frozenset(str(address) for address in settings.hl7_senders)
    return RefuseAll(callers=callers, hl7_senders=senders)


@asynccontextmanager
async def opened(
    settings: Settings, policy: Policy, *, clock: Clock = system_clock
) -> AsyncIterator[Gateway]:
    """A gateway at work but for HTTP, which its caller serves; ended on leaving."""
    async with AsyncExitStack() as stack:
        parts = await open_parts(stack, settings, policy, clock)
        janitor = Janitor(
            parts.database, Discards(parts.database.dialect), parts.objects, clock=clock
        )
        await janitor.sweep(older_than_s=0.0)  # nothing is under way yet
        await _release_claims(parts)
        dispatcher = Dispatcher(
            parts.database,
            parts.outbox,
            parts.standings,
            parts.index,
            caller_of=publisher_of(settings),
            record_retry_ms=milliseconds(settings.record_retry_s),
            clock=clock,
            draw=random,
        )
        publisher = build_publisher(parts, on_enqueued=dispatcher.worker.wake)
        sweep = sweep_at_night(parts, on_news=publisher.worker.wake)
        watch = watch_of(parts)
        describer = describer_of(parts)
        await stack.enter_async_context(
            workers(
                publisher.worker.run(),
                dispatcher.worker.run(),
                describer.run(),
                janitor.run(),
                sweep,
                watch.run(),
            )
        )
        metrics = Metrics("gateway")
        fetching = await open_fetching(parts, metrics, describer, on_news=publisher.worker.wake)
        assembler = _assembler_of(parts, publisher, describer, fetching.prefetcher)
        dicom = await listen_dicom(parts, assembler)
        mllp, mllp_tls = await listen_mllp(parts, assembler)
        dicomweb = [*dicomweb_routes(parts, fetching), *store_routes(parts, assembler)]
        http = _build_http(parts, assembler, dicomweb, watch, metrics)
        yield Gateway(
            http=http,
            dicom_port=dicom.plain,
            dicom_tls_port=dicom.tls,
            mllp_port=mllp,
            mllp_tls_port=mllp_tls,
        )


def _assembler_of(
    parts: Parts, publisher: Publisher, describer: Describer, prefetcher: Prefetcher
) -> Assembler:
    def wake() -> None:
        publisher.worker.wake()
        describer.wake()

    def wake_within(seconds: float) -> None:
        publisher.worker.wake_within(seconds)
        describer.wake()

    return Assembler(
        parts.database,
        parts.studies,
        parts.objects,
        clock=parts.clock,
        settle_ms=milliseconds(parts.settings.study_settle_s),
        on_news=wake,
        on_order=lambda order: prefetcher.ask_priors(order.patient.local_ids),
        on_settling=wake_within,
    )


def _build_http(
    parts: Parts, assembler: Assembler, dicomweb: list[Route], watch: Watch, metrics: Metrics
) -> FastAPI:
    return build_web(
        parts.policy,
        Resolver(parts.policy, parts.index),
        [*dicomweb, *capability_routes(parts.policy, dicomweb)],
        health=health_routes(readiness(parts), watch),
        announce=assembler.study_announced,
        acting=acting_routes(
            parts.database,
            parts.studies,
            parts.standings,
            take=assembler.person_acted,
            policy=publication_policy(parts),
        ),
        database=parts.database,
        standings=parts.standings,
        outbox=parts.outbox,
        metrics=metrics,
        forwarding=_forwarding(parts.settings),
        origins=parts.settings.cors_origins,
    )


def _forwarding(settings: Settings) -> Forwarding:
    proxies = settings.trusted_proxies
    return Forwarding(proxies, base_url=settings.base_url, fixed=bool(settings.public_url))


async def _release_claims(parts: Parts) -> None:
    """The folder is ours alone, so whoever held a lease in it is dead."""

    async def work(tx: Transaction) -> None:
        await parts.standings.release_claims(tx)
        await parts.outbox.release_claims(tx)

    await parts.database.write(work)
