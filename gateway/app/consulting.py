"""Puts together what serves DICOMweb."""

from starlette.routing import Route

from gateway.app.fetching import Fetching
from gateway.app.parts import Parts
from gateway.catalogue.search import CatalogueSearch
from gateway.retrieval.describing.answers import MetadataAnswers
from gateway.retrieval.endpoints.search import Searcher
from gateway.retrieval.forms.transcode import Transcoder
from gateway.retrieval.rendering.renderer import Renderer
from gateway.retrieval.routes import build_routes, build_search_routes
from gateway.retrieval.whole import StoredBodies
from gateway.settings import MIB


def dicomweb_routes(parts: Parts, fetching: Fetching) -> list[Route]:
    answers = MetadataAnswers(
        fetching.stored,
        fetching.files,
        folder=parts.settings.data_dir,
        size_bytes_max=parts.settings.metadata_mib_max * MIB,
    )
    parts.stack.push_async_callback(answers.close)
    return [
        *build_routes(
            parts.policy,
            fetching.retriever,
            _transcoder(parts),
            fetching.files,
            renderer=Renderer(parts.workers),
            answers=answers,
            patients=fetching.catalogue,
            bodies=StoredBodies(fetching.files, parts.objects.path),
        ),
        *_search_routes(parts),
    ]


def _transcoder(parts: Parts) -> Transcoder:
    return Transcoder(
        parts.workers,
        parts.objects.new_spool,
        parts.objects.discard_spool,
        size_bytes_max=parts.settings.reencoded_mib_max * MIB,
    )


def _search_routes(parts: Parts) -> list[Route]:
    searcher = Searcher(parts.policy, CatalogueSearch(parts.database))
    return build_search_routes(
        parts.policy,
        searcher,
        nothing_found=parts.settings.empty_search_status,
    )
