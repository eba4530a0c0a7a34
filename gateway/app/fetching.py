"""Puts together where instances come from: the store, the PACS, and what is brought beforehand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.app.parts import Parts
from gateway.app.publishing import publication_policy
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.descriptions import Descriptions
from gateway.lifecycle import workers
from gateway.retrieval.at_hand import StudiesAtHand
from gateway.retrieval.describing.described import DescribedStore
from gateway.retrieval.describing.describer import Describer
from gateway.retrieval.files import FileReader
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.flight import Ground
from gateway.retrieval.sources.flights import Flights
from gateway.retrieval.sources.keeper import Keeper
from gateway.retrieval.sources.pacs import PacsSource
from gateway.retrieval.sources.prefetch import Prefetcher
from gateway.retrieval.sources.store import StoredFiles, StoreSource
from gateway.settings import MIB
from gateway.telemetry import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """What opens resources."""

    catalogue: Catalogue
    stored: DescribedStore
    files: FileReader
    retriever: Retriever
    prefetcher: Prefetcher


def describer_of(parts: Parts) -> Describer:
    """Who describes what is stored."""
    describer = Describer(
        parts.database,
        Descriptions(parts.database.dialect),
        parts.workers,
        path=parts.objects.path,
        new_spool=parts.objects.new_spool,
        discard=parts.objects.discard_spool,
        rewritten_bytes_max=parts.settings.reencoded_mib_max * MIB,
    )
    parts.stack.push_async_callback(describer.close)
    return describer


async def open_fetching(
    parts: Parts, metrics: Metrics, describer: Describer, *, on_news: Callable[[], None]
) -> Fetching:
    """Begin to keep, to drop and to bring beforehand, until the stack of the parts ends it."""
    catalogue = Catalogue(
        parts.database,
        parts.studies,
        policy=publication_policy(parts),
        clock=parts.clock,
        on_news=on_news,
    )
    files = FileReader()
    parts.stack.callback(files.close)
    counted = RetrievalMetrics(metrics.registry)
    at_hand = StudiesAtHand(parts.clock)
    keeper = _keeper(parts, at_hand, counted)
    objects = parts.objects
    ground = Ground(
        keeper=keeper,
        at_hand=at_hand,
        files=files,
        path=objects.path,
        discard=objects.discard_spool,
        metrics=counted,
        on_kept=describer.wake,
    )
    flights = Flights(ground, catalogue, parts.sending.pullers(parts.requestors, catalogue))
    parts.stack.push_async_callback(flights.close)
    stored = StoredFiles(catalogue=catalogue, path=objects.path, whole=objects.whole)
    prefetcher = _prefetcher(parts, stored, flights, catalogue, metrics=counted)
    await parts.stack.enter_async_context(workers(keeper.run(), prefetcher.run()))
    from_pacs = PacsSource(stored, flights, on_pull=prefetcher.ask_study)
    descriptions = Descriptions(parts.database.dialect)
    described = DescribedStore(
        parts.database, descriptions, describer, catalogue, path=objects.path
    )
    retriever = Retriever(
        parts.policy,
        catalogue,
        described,
        {"store": StoreSource(stored), "pacs": from_pacs},
        at_hand=at_hand,
        metrics=counted,
    )
    return Fetching(
        catalogue=catalogue,
        stored=described,
        files=files,
        retriever=retriever,
        prefetcher=prefetcher,
    )


def _keeper(parts: Parts, at_hand: StudiesAtHand, metrics: RetrievalMetrics) -> Keeper:
    settings = parts.settings
    return Keeper(
        parts.database,
        parts.objects,
        at_hand,
        pacs=[one.ae_title for one in settings.pacs],
        bytes_max=settings.copies_mib_max * MIB,
        # What is pushed here goes before what can be had again: as much again is left to it.
        spare_bytes_min=settings.disk_free_mib_min * MIB,
        metrics=metrics,
        clock=parts.clock,
    )


def _prefetcher(
    parts: Parts,
    stored: StoredFiles,
    flights: Flights,
    catalogue: Catalogue,
    *,
    metrics: RetrievalMetrics,
) -> Prefetcher:
    settings = parts.settings
    return Prefetcher(
        stored,
        flights,
        catalogue,
        bytes_max=settings.prefetch_mib_max * MIB,
        at_once=settings.prefetch_studies_max,
        priors_max=settings.prefetch_priors_max,
        metrics=metrics,
        now_s=asyncio.get_running_loop().time,
    )
