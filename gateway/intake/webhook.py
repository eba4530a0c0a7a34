"""Takes word that the PACS holds a study, as PACS are scripted to send it: JSON over HTTP.

PACS that send no Instance Availability Notification have scripts instead (Orthanc's Lua and
Python, a job beside dcm4chee). There is no standard for what they post, so what is at their hand
is read: a UID, their own description of a study, or the answer to a search of theirs. What else
these hold, names of patients too, is passed over and not kept.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.errors import AccessDenied, InvalidRequest
from gateway.model.notification import StudyAnnounced
from gateway.security.gate import BodyLimits
from gateway.security.policy import Policy
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

PATH: Final = "/notifications/studies"
BODY: Final = BodyLimits(bytes_max=4 * 2**20, whole_s=30.0, silent_s=30.0)
"""Long enough for the descriptions of `STUDIES_MAX` studies."""
STUDIES_MAX: Final = 1000
"""Studies that one notification may name."""
_AT_ONCE_MAX: Final = 100

_NAMES: Final = ("study_uid", "StudyInstanceUID", "0020000D")
"""Ours, the DICOM keyword, and the tag of DICOM JSON (PS3.18 §F.2)."""

_EXAMPLE: Final = {"study_uid": "1.2.250.1.999.1.1"}
_SHAPE: Final = (
    'no study is named: send {"study_uid": "…"}, {"StudyInstanceUID": "…"}, or a list of these'
)

Announce = Callable[[StudyAnnounced], Awaitable[None]]


def webhook_routes(policy: Policy, announce: Announce) -> APIRouter:
    """The route of the webhook.

    Args:
        announce: returns once the news is durable.
    """
    router = APIRouter(tags=["notifications"])
    schema = {"content": {"application/json": {"schema": {"example": _EXAMPLE}}}, "required": True}

    @router.post(PATH, status_code=202, openapi_extra={"requestBody": schema})
    async def announce_studies(request: Request) -> Response:
        """The PACS holds these studies, or holds more or less of them than before."""
        if not policy.admits_news(request.state.access):
            raise AccessDenied("this caller may not tell of studies")
        studies = read_announcement(await request.body())
        for start in range(0, len(studies), _AT_ONCE_MAX):
            await _announce_all(announce, studies[start : start + _AT_ONCE_MAX])
        body = orjson.dumps({"announced": len(studies)})
        return Response(body, status_code=202, media_type="application/json")

    return router


def read_announcement(body: bytes) -> list[Uid]:
    """The studies that a notification names, each once, in its order.

    Raises:
        InvalidRequest: it is no JSON, names no study or too many, or what names one is no UID.
    """
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidRequest("the body is no JSON") from None
    if isinstance(told, dict) and "studies" in told:
        told = told["studies"]
    items = told if isinstance(told, list) else [told]
    if len(items) > STUDIES_MAX:
        raise InvalidRequest(f"more than {STUDIES_MAX} studies are named at once")
    named = [_study_uid(item) for item in items]
    if not named or not all(named):
        raise InvalidRequest(_SHAPE)
    try:
        return list(dict.fromkeys(Uid(text) for text in named))
    except InvalidValue as error:
        raise InvalidRequest(f"a study's UID cannot be read: {error}") from None


def _study_uid(item: object) -> str:
    """The text that names the study; empty where none does."""
    if isinstance(item, str):
        return item.strip()
    if not isinstance(item, dict):
        return ""
    # Orthanc's own description of a study has its tags one level below.
    below = item.get("MainDicomTags")
    places = (item, below) if isinstance(below, dict) else (item,)
    texts = (_text(place.get(name)) for place in places for name in _NAMES)
    return next(filter(None, texts), "")


def _text(value: object) -> str:
    """A value as text; DICOM JSON has it in a list of one."""
    if isinstance(value, dict):
        value = value.get("Value")
    if isinstance(value, list) and len(value) == 1:
        [value] = value
    return value.strip() if isinstance(value, str) else ""


async def _announce_all(announce: Announce, studies: list[Uid]) -> None:
    """Together, for they then share the price of a durable commit."""
    news = [StudyAnnounced(study=study, by="webhook") for study in studies]
    outcomes = await asyncio.gather(*(announce(one) for one in news), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
