"""WADO-URI (PS3.18 §9): one instance by its three UIDs, as it is or as a picture.

What is asked for has a resource of DICOMweb, whose endpoint answers: one policy, one choice of
transfer syntaxes, one way to send.
"""

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.dicomweb.negotiation import DICOM
from gateway.dicomweb.wado_uri import WantedInstance, read_wanted
from gateway.errors import NotAcceptable
from gateway.model.resource import Resource
from gateway.security.policy import Policy


class WadoUriEndpoint:
    """Answers with an instance.

    Args:
        instances: the endpoint of the instances of DICOMweb.
    """

    def __init__(self, policy: Policy, instances: ASGIApp) -> None:
        self._policy = policy
        self._instances = instances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        headers = Headers(scope=scope)
        self._policy.authenticate(headers.get("authorization"))  # before anything else is read
        accepts = headers.getlist("accept")
        wanted = read_wanted(
            QueryParams(scope["query_string"]).multi_items(),
            ", ".join(accepts) if accepts else None,
        )
        if not isinstance(wanted, WantedInstance):
            raise NotAcceptable(f"instances are given as {DICOM}: pictures are not made here")
        syntax = f"; transfer-syntax={wanted.transfer_syntax}" if wanted.transfer_syntax else ""
        asked = _asked_by_path(scope, wanted.resource, accept=DICOM + syntax)
        await self._instances(asked, receive, send)


def _asked_by_path(scope: Scope, resource: Resource, *, accept: str) -> Scope:
    """The request of DICOMweb that asks for the same."""
    kept = [(name, value) for name, value in scope["headers"] if name != b"accept"]
    return {
        **scope,
        "path_params": {
            "study": resource.study, "series": resource.series, "instance": resource.instance,
        },
        "query_string": b"",
        "headers": [*kept, (b"accept", accept.encode())],
    }  # fmt: skip
