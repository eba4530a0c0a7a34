"""The addresses of DICOMweb (PS3.18 §10.1), below the root at which `app` mounts them."""

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from gateway.dicomweb.attributes import SearchLevel
from gateway.retrieval.bulk import BulkReader
from gateway.retrieval.describing.answers import MetadataAnswers
from gateway.retrieval.endpoints.answering import ROOT
from gateway.retrieval.endpoints.bulkdata import BulkDataEndpoint
from gateway.retrieval.endpoints.capabilities import OPTIONS, CapabilitiesEndpoint
from gateway.retrieval.endpoints.frames import FramesEndpoint
from gateway.retrieval.endpoints.instances import InstancesEndpoint
from gateway.retrieval.endpoints.metadata import MetadataEndpoint
from gateway.retrieval.endpoints.pixeldata import ManyBulkEndpoint, of_everything, of_pixels
from gateway.retrieval.endpoints.rendered import RenderedEndpoint
from gateway.retrieval.endpoints.search import SearchEndpoint, Searcher
from gateway.retrieval.endpoints.thumbnail import ThumbnailEndpoint
from gateway.retrieval.endpoints.wado_uri import WadoUriEndpoint
from gateway.retrieval.endpoints.zipped import ZipEndpoint
from gateway.retrieval.files import FileReader
from gateway.retrieval.forms.leaving import KnownPatients
from gateway.retrieval.forms.transcode import Transcoder
from gateway.retrieval.rendering.renderer import Renderer
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.transactions import methods_of
from gateway.retrieval.whole import StoredBodies
from gateway.security.policy import Policy
from gateway.telemetry import NamedRoute

WADO_URI: Final = "/wado"

STUDIES: Final = ROOT + "/studies"
STUDY: Final = STUDIES + "/{study}"
SERIES: Final = STUDY + "/series/{series}"
INSTANCE: Final = SERIES + "/instances/{instance}"
FRAMES: Final = INSTANCE + "/frames/{frames}"

SEARCHES: Final = {
    STUDIES: SearchLevel.STUDIES,
    STUDY + "/series": SearchLevel.SERIES,
    STUDY + "/instances": SearchLevel.INSTANCES,
    SERIES + "/instances": SearchLevel.INSTANCES,
    ROOT + "/series": SearchLevel.SERIES,
    ROOT + "/instances": SearchLevel.INSTANCES,
}
"""What each address searches (PS3.18 Table 10.6.1-1)."""


def build_routes(
    policy: Policy,
    retriever: Retriever,
    transcoder: Transcoder,
    files: FileReader,
    *,
    renderer: Renderer,
    answers: MetadataAnswers,
    patients: KnownPatients,
    bodies: StoredBodies,
) -> list[Route]:
    """What is retrieved; there is no route to delete with (PS3.18 has no such transaction)."""
    instances = InstancesEndpoint(
        policy, retriever, transcoder, files, patients=patients, bodies=bodies
    )
    metadata = MetadataEndpoint(policy, retriever, answers, files)
    reader = BulkReader(transcoder, files)
    bulk = ManyBulkEndpoint(policy, retriever, reader, paths=of_everything)
    zipped = ZipEndpoint(
        policy, retriever, transcoder, files, patients=patients, instances=instances, bulk=bulk
    )
    rendered = RenderedEndpoint(policy, retriever, renderer, files)
    thumbnail = ThumbnailEndpoint(policy, retriever, renderer)
    wado_uri = WadoUriEndpoint(policy, retriever, instances=instances, rendered=rendered)
    routes: list[Route] = [NamedRoute(WADO_URI, wado_uri, methods=["GET"])]
    for path in (STUDY, SERIES, INSTANCE, FRAMES):
        routes.append(NamedRoute(f"{path}/rendered", rendered, methods=["GET"]))
        routes.append(NamedRoute(f"{path}/thumbnail", thumbnail, methods=["GET"]))
    for path in (STUDY, SERIES, INSTANCE):
        routes.append(NamedRoute(path, zipped, methods=["GET"]))
        routes.append(NamedRoute(f"{path}/metadata", metadata, methods=["GET"]))
        routes.append(NamedRoute(f"{path}/bulkdata", bulk, methods=["GET"]))
    return routes + _bulk_routes(policy, retriever, reader)


def _bulk_routes(policy: Policy, retriever: Retriever, reader: BulkReader) -> list[Route]:
    frames = FramesEndpoint(policy, retriever, reader)
    of_one = BulkDataEndpoint(policy, retriever, reader)
    of_many = ManyBulkEndpoint(policy, retriever, reader, paths=of_pixels)
    return [
        NamedRoute(FRAMES, frames, methods=["GET"]),
        NamedRoute(f"{INSTANCE}/bulkdata/{{value:path}}", of_one, methods=["GET"]),
        NamedRoute(f"{INSTANCE}/pixeldata", of_one, methods=["GET"]),
        NamedRoute(f"{SERIES}/pixeldata", of_many, methods=["GET"]),
        NamedRoute(f"{STUDY}/pixeldata", of_many, methods=["GET"]),
    ]


def build_search_routes(
    policy: Policy, searcher: Searcher, *, nothing_found: int = 200
) -> list[Route]:
    """What is searched.

    Args:
        nothing_found: status of the answer to a search that finds nothing.
    """
    routes: list[Route] = []
    for path, level in SEARCHES.items():
        search = SearchEndpoint(
            policy,
            searcher,
            level=level,
            nothing_found=nothing_found,
        )
        routes.append(NamedRoute(path, search, methods=["GET"]))
    return routes


def capability_routes(policy: Policy, routes: Sequence[Route]) -> list[Route]:
    """The routes that describe these: one for the root, and one for each address below it."""
    told: dict[str, set[str]] = {ROOT: set()}
    for route in routes:
        if route.path.startswith(f"{ROOT}/"):
            told.setdefault(route.path, set()).update(route.methods or ())
    methods = {path.removeprefix(ROOT): methods_of(path, told[path]) for path in told}
    return [
        NamedRoute(
            path,
            CapabilitiesEndpoint(policy, methods, at=path.removeprefix(ROOT)),
            methods=[OPTIONS],
        )
        for path in told
    ]
