"""Which form an answer takes: FHIR's JSON or its XML, or a document as it is (R4 §3.1.0.1.11)."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from indexer.wire.fhir.xml_form import write_resource
from indexer.wire.outcome import Json
from indexer.wire.vocabulary import JSON_MEDIA_TYPE, XML_MEDIA_TYPE

JSON_MEDIA_TYPES: Final = (JSON_MEDIA_TYPE, "application/json", "text/json")
XML_MEDIA_TYPES: Final = (XML_MEDIA_TYPE, "application/xml", "text/xml")
FORMAT: Final = "_format"

_FORMS: Final = {
    **dict.fromkeys((*JSON_MEDIA_TYPES, "json"), JSON_MEDIA_TYPE),
    **dict.fromkeys((*XML_MEDIA_TYPES, "xml"), XML_MEDIA_TYPE),
}
"""What a form may be called, by FHIR's own name of it."""


class FhirResponse(Response):
    """A resource in the form that is asked for; JSON where neither is, so that errors have one.

    The form is chosen when the answer is sent, so that who makes one need not know of forms.
    """

    def __init__(
        self,
        resource: Json,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._resource = resource
        super().__init__(
            orjson.dumps(resource),
            status_code=status_code,
            headers=headers,
            media_type=JSON_MEDIA_TYPE,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if _form(scope) == XML_MEDIA_TYPE:
            self.body = write_resource(self._resource)
            self.headers["content-length"] = str(len(self.body))
            self.headers["content-type"] = XML_MEDIA_TYPE
        await super().__call__(scope, receive, send)


def require_fhir(request: Request) -> None:
    """Refuse with 406 who takes FHIR in neither form.

    Raises:
        HTTPException: 406.
    """
    if _form(request.scope) is None:
        raise HTTPException(406, f"this is given as {JSON_MEDIA_TYPE} or {XML_MEDIA_TYPE} only")


async def needs_fhir(request: Request) -> None:
    """The same, before a route is run."""
    require_fhir(request)


def choose_form(request: Request, name: str) -> None:
    """Take the form that a form body asks for, which goes before the one of the address."""
    request.scope[FORMAT] = name


def asks_for_resource(request: Request) -> bool:
    """Whether a document is asked for in its FHIR form, by `_format` or the first type of Accept.

    Who does not name FHIR's own type gets the document as it is (FHIR R4 §Binary). One that is
    FHIR itself, such as a manifest in JSON, can therefore not be asked for by its own type.
    """
    if _told_format(request.scope) is not None:
        return True
    first = request.headers.get("accept", "").partition(",")[0].partition(";")[0]
    return first.strip().lower() in (JSON_MEDIA_TYPE, XML_MEDIA_TYPE)


def require_acceptable(request: Request, offered: str) -> None:
    """Refuse with 406 who does not take the one media type there is (RFC 9110 §12.5.1).

    Raises:
        HTTPException: 406.
    """
    ranges = _ranges(_accept(request.scope))
    if ranges and _quality(ranges, offered) == 0:
        raise HTTPException(406, f"this is given as {offered} only")


def _form(scope: Scope) -> str | None:
    """FHIR's form that is asked for: by `_format`, which goes first, or by Accept."""
    told = _told_format(scope)
    if told is not None:
        return _FORMS.get(told.partition(";")[0].strip().lower())
    return _form_of(_accept(scope))


@lru_cache(maxsize=64)  # a client asks for the same each time
def _form_of(accept: str) -> str | None:
    ranges = _ranges(accept)
    if not ranges:
        return JSON_MEDIA_TYPE
    # The first of equals is taken: JSON, and of its names FHIR's own.
    best = max(_FORMS, key=lambda name: _quality(ranges, name) if "/" in name else 0)
    return _FORMS[best] if _quality(ranges, best) > 0 else None


def _told_format(scope: Scope) -> str | None:
    told: str | None = scope.get(FORMAT)
    if told is not None:
        return told
    parameters = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
    # A client that leaves `+` as it is in an address means the sign, not a space.
    return next((value.replace(" ", "+") for name, value in parameters if name == FORMAT), None)


def _accept(scope: Scope) -> str:
    return ",".join(Headers(scope=scope).getlist("accept"))


def _ranges(accept: str) -> list[tuple[str, float]]:
    """The media ranges of Accept, each with its quality."""
    return [_range(one) for one in accept.split(",") if one.strip()]


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    told = (one.partition("=") for one in parameters)
    quality = next((value for key, _, value in told if key.strip() == "q"), "1")
    try:
        return name, min(max(float(quality), 0.0), 1.0)
    except ValueError:
        return name, 1.0


def _quality(ranges: Sequence[tuple[str, float]], offered: str) -> float:
    """How welcome a media type is; the most specific range decides, whatever its place."""
    for wanted in _specific_first(offered):
        for name, quality in ranges:
            if name == wanted:
                return quality
    return 0.0


def _specific_first(offered: str) -> Iterable[str]:
    return (offered, f"{offered.partition('/')[0]}/*", "*/*")
