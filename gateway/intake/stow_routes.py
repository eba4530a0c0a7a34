"""Store Transaction (PS3.18 §10.5): `POST` of instances to all studies, or to one."""

import logging
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dicomweb.accept import Accepted
from gateway.dicomweb.dicom_json import JsonDataSet
from gateway.dicomweb.dicom_xml import write_xml
from gateway.dicomweb.negotiation import DICOM, JSON_TYPES, XML_TYPES, document_type
from gateway.dicomweb.store_response import Failed, Outcome, build_response, status_of
from gateway.errors import AccessDenied, InvalidRequest
from gateway.http_errors import problem
from gateway.intake.stow import BUSY_RETRY_S, StowDoor
from gateway.security.forwarded import BASE_URL
from gateway.security.gate import BodyLimits
from gateway.security.policy import Policy
from gateway.telemetry import NamedRoute
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid
from indexer.framing.multipart import ContentType

log = logging.getLogger(__name__)

BODY: Final = BodyLimits(bytes_max=64 * 2**30, whole_s=4 * 3600.0, silent_s=60.0)
"""Long, for a body may be a study and a line slow; each instance in it has its own limit."""
WARNINGS_MAX: Final = 8
"""Reasons that are told in words, of those that the answer gives as codes."""

_TAKEN: Final = f'instances are stored as multipart/related; type="{DICOM}", without an encoding'


def stow_routes(policy: Policy, door: StowDoor, *, studies: str) -> list[Route]:
    """The routes of the Store transaction.

    Args:
        studies: path of the resource of all studies.
    """
    endpoint = _Endpoint(policy, door, studies=studies)
    return [
        NamedRoute(path, endpoint.store, methods=["POST"])
        for path in (studies, f"{studies}/{{study}}")
    ]


class _Endpoint:
    def __init__(self, policy: Policy, door: StowDoor, *, studies: str) -> None:
        self._policy = policy
        self._door = door
        self._studies = studies

    async def store(self, request: Request) -> Response:
        """Answer one request. Nothing of its body is read before who asks is let in."""
        if not self._policy.admits_news(request.state.access):
            raise AccessDenied("this caller may not store instances")
        sent = ContentType.parse(request.headers.get("content-type", ""))
        if not _is_taken(sent) or "content-encoding" in request.headers:
            return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _TAKEN)
        accepted = Accepted.of(
            request.headers.getlist("accept"), request.query_params.getlist("accept")
        )
        content_type = document_type(accepted, JSON_TYPES + XML_TYPES)
        study = _study(request.path_params)
        outcomes = await self._door.store(_body(request), boundary=sent.boundary, study=study)
        failed = [one for one in outcomes if isinstance(one, Failed)]
        log.info(
            "instances_taken",
            extra={"stored": len(outcomes) - len(failed), "failed": len(failed)},
        )
        studies_url = request.scope["state"][BASE_URL] + self._studies
        told = build_response(outcomes, studies_url=studies_url)
        return _answer(told, outcomes, failed, content_type)


def _answer(
    told: JsonDataSet, outcomes: Sequence[Outcome], failed: Sequence[Failed], content_type: str
) -> Response:
    is_xml = content_type in XML_TYPES
    content = write_xml(told) if is_xml else orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    status = status_of(outcomes)
    response = Response(content, status, headers={"Content-Type": content_type})
    for message in list(dict.fromkeys(one.message for one in failed))[:WARNINGS_MAX]:
        response.headers.append("Warning", f'299 drim-gateway "{message}"')
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(round(BUSY_RETRY_S))
    return response


def _is_taken(sent: ContentType) -> bool:
    """Whether a body is of Part 10 files (PS3.18 §10.5.1). Clients leave the `type` parameter out;
    what its parts are is then seen from each of them."""
    return sent.kind == "multipart/related" and sent.part_type in ("", DICOM)


def _study(path: dict[str, str]) -> Uid | None:
    try:
        return Uid(path["study"]) if "study" in path else None
    except InvalidValue as error:
        raise InvalidRequest(f"the address does not name a study: {error}") from None


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise InvalidRequest("the client left before its body was whole") from None
