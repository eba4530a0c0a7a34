"""The addresses of DICOMweb (PS3.18 §10.1), below the root at which `app` mounts them."""

from typing import Final

from starlette.routing import Route

from gateway.dicomweb.qido import SearchLevel
from gateway.retrieval.endpoints.instances import InstancesEndpoint
from gateway.retrieval.endpoints.metadata import MetadataEndpoint
from gateway.retrieval.endpoints.search import SearchEndpoint, Searcher
from gateway.retrieval.files import FileReader
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.transcode import Transcoder
from gateway.security.policy import Policy
from gateway.telemetry import NamedRoute

ROOT: Final = "/dicom-web"

STUDIES: Final = ROOT + "/studies"
STUDY: Final = STUDIES + "/{study}"
SERIES: Final = STUDY + "/series/{series}"
INSTANCE: Final = SERIES + "/instances/{instance}"

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
    policy: Policy, retriever: Retriever, transcoder: Transcoder, files: FileReader
) -> list[Route]:
    """What is retrieved; there is no route to delete with (PS3.18 has no such transaction)."""
    instances = InstancesEndpoint(policy, retriever, transcoder, files)
    metadata = MetadataEndpoint(policy, retriever, transcoder, files)
    routes: list[Route] = []
    for path in (STUDY, SERIES, INSTANCE):
        routes.append(NamedRoute(path, instances, methods=["GET"]))
        routes.append(NamedRoute(f"{path}/metadata", metadata, methods=["GET"]))
    return routes


def build_search_routes(policy: Policy, searcher: Searcher, *, public_url: str) -> list[Route]:
    """What is searched.

    Args:
        public_url: base of every RetrieveURL as viewers reach it, without a slash at its end.
    """
    routes: list[Route] = []
    for path, level in SEARCHES.items():
        search = SearchEndpoint(policy, searcher, level=level, retrieve_url=f"{public_url}{ROOT}")
        routes.append(NamedRoute(path, search, methods=["GET"]))
    return routes
