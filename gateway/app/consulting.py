"""Puts together what serves DICOMweb."""

from collections.abc import Callable

from starlette.routing import Route

from gateway.app.parts import MIB, Parts
from gateway.app.publishing import publication_policy
from gateway.app.pulling import pullers
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.descriptions import Descriptions
from gateway.catalogue.search import CatalogueSearch
from gateway.retrieval.answers import MetadataAnswers
from gateway.retrieval.described import DescribedStore
from gateway.retrieval.describer import Describer
from gateway.retrieval.endpoints.search import Searcher
from gateway.retrieval.files import FileReader
from gateway.retrieval.renderer import Renderer
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.routes import ROOT, build_routes, build_search_routes
from gateway.retrieval.sources.pacs import PacsSource
from gateway.retrieval.sources.source import Source
from gateway.retrieval.sources.store import StoreSource
from gateway.retrieval.transcode import Transcoder


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


def dicomweb_routes(
    parts: Parts, describer: Describer, *, on_news: Callable[[], None]
) -> list[Route]:
    objects = parts.objects
    catalogue = Catalogue(
        parts.database,
        parts.studies,
        policy=publication_policy(parts),
        clock=parts.clock,
        on_news=on_news,
    )
    files = FileReader()
    parts.stack.callback(files.close)
    from_pacs = PacsSource(
        catalogue,
        pullers(parts, catalogue),
        path=objects.path,
        discard=objects.discard_spool,
        files=files,
    )
    sources: list[Source] = [StoreSource(catalogue, objects.path), from_pacs]
    descriptions = Descriptions(parts.database.dialect)
    stored = DescribedStore(parts.database, descriptions, describer, catalogue, path=objects.path)
    retriever = Retriever(parts.policy, catalogue, stored, sources)
    answers = MetadataAnswers(
        stored,
        files,
        folder=parts.settings.data_dir,
        root_url=f"{parts.settings.base_url}{ROOT}",
        size_bytes_max=parts.settings.metadata_mib_max * MIB,
    )
    parts.stack.push_async_callback(answers.close)
    searcher = Searcher(parts.policy, CatalogueSearch(parts.database))
    return [
        *build_routes(
            parts.policy,
            retriever,
            _transcoder(parts),
            files,
            renderer=Renderer(parts.workers),
            answers=answers,
            patients=catalogue,
        ),
        *build_search_routes(parts.policy, searcher, public_url=parts.settings.base_url),
    ]


def _transcoder(parts: Parts) -> Transcoder:
    return Transcoder(
        parts.workers,
        parts.objects.new_spool,
        parts.objects.discard_spool,
        size_bytes_max=parts.settings.reencoded_mib_max * MIB,
    )
