"""The addresses of DICOMweb (PS3.18 §10.1), below the root at which `app` mounts them."""

from typing import Final

from starlette.routing import Route

from gateway.retrieval.files import FileReader
from gateway.retrieval.instances_endpoint import InstancesEndpoint
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.transcode import Transcoder
from gateway.security.policy import Policy

ROOT: Final = "/dicom-web"

STUDY: Final = ROOT + "/studies/{study}"
SERIES: Final = STUDY + "/series/{series}"
INSTANCE: Final = SERIES + "/instances/{instance}"


def build_routes(
    policy: Policy, retriever: Retriever, transcoder: Transcoder, files: FileReader
) -> list[Route]:
    """Every route; there is none to delete with (PS3.18 has no such transaction)."""
    instances = InstancesEndpoint(policy, retriever, transcoder, files)
    return [Route(path, instances, methods=["GET"]) for path in (STUDY, SERIES, INSTANCE)]
