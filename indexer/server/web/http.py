"""Bodies, media types and addresses of the index's requests, each with its limit."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid
from indexer.server.web.negotiation import FORMAT, JSON_MEDIA_TYPES, XML_MEDIA_TYPES, choose_form
from indexer.wire.fhir import xml_form as fhir_xml
from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.fhirpath_patch import read_fhirpath_patch
from indexer.wire.fhir.patch import Operation, of_version, read_json_patch
from indexer.wire.fhir.xml_patch import read_xml_patch
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.vocabulary import (
    JSON_MEDIA_TYPE,
    PATCH_MEDIA_TYPE,
    XML_MEDIA_TYPE,
    XML_PATCH_MEDIA_TYPE,
)

BODY_WAIT_S_MAX = 60.0
FORM_BYTES_MAX = 16 * 1024
PATCH_BYTES_MAX = 16 * 1024
PARAMETERS_MAX = 32

_ETAG = re.compile(r'(W/)?"(?P<version>[1-9][0-9]{0,18})"', re.ASCII)
FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"


async def read_body(request: Request, *, bytes_max: int) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is larger than `bytes_max`, or did not come within `BODY_WAIT_S_MAX` seconds.
    """
    chunks: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        chunks.append(chunk)

    await take_body(request, keep, bytes_max=bytes_max)
    return b"".join(chunks)


async def take_body(
    request: Request, take: Callable[[bytes], Awaitable[None]], *, bytes_max: int
) -> None:
    """Give the body on as it comes.

    Raises:
        Refusal: it is larger than `bytes_max`, or did not come within `BODY_WAIT_S_MAX` seconds.
    """
    size = 0
    try:
        async with asyncio.timeout(BODY_WAIT_S_MAX):
            async for chunk in request.stream():
                size += len(chunk)
                if size > bytes_max:
                    reason = f"the body is larger than {bytes_max} bytes"
                    raise Refusal(reason, code=IssueCode.TOO_LONG)
                await take(chunk)
    except TimeoutError:
        raise Refusal("the body did not come in time", code=IssueCode.TIMEOUT) from None


async def read_resource(request: Request, *, bytes_max: int) -> Json:
    """The body as a resource, in JSON or in XML.

    Raises:
        HTTPException: 415 if it claims to be something else.
        Refusal: it is too large, too slow, or no resource.
    """
    media_type = _expect_type(request, *JSON_MEDIA_TYPES, *XML_MEDIA_TYPES)
    body = await read_body(request, bytes_max=bytes_max)
    if media_type in XML_MEDIA_TYPES:
        return fhir_xml.read_resource(body)
    return _parse_object(body)


async def read_json(request: Request, *, bytes_max: int) -> Json:
    """The body as a JSON object.

    Raises:
        HTTPException: 415 if it claims to be something else.
        Refusal: it is too large, too slow, or no JSON object.
    """
    _expect_type(request, "application/json", *JSON_MEDIA_TYPES)
    return _parse_object(await read_body(request, bytes_max=bytes_max))


def patient_in(told: Json) -> Ins:
    """The patient whom a body names.

    Raises:
        Refusal: it names none.
    """
    match told:
        case {"ins": str() as value, "oid": str() as oid}:
            try:
                return Ins(value=value, oid=Oid(oid))
            except InvalidValue as error:
                raise Refusal(f"ins or oid is {error}", code=IssueCode.VALUE) from error
    raise Refusal("ins and oid are to be texts", code=IssueCode.REQUIRED)


def _parse_object(body: bytes) -> Json:
    value = _parse_json(body)
    if not isinstance(value, dict):
        raise Refusal("the body is no JSON object", code=IssueCode.STRUCTURE)
    return value


async def read_patch(request: Request) -> tuple[Operation, ...]:
    """The body of a PATCH, in any of the three forms that FHIR has for it (R4 §3.1.0.10).

    Raises:
        HTTPException: 415 if it claims to be something else.
        Refusal: it is too large, too slow, or no patch of what may change.
    """
    media_type = _expect_type(request, *PATCHES, headers={"Accept-Patch": ", ".join(PATCHES)})
    operations = PATCHES[media_type](await read_body(request, bytes_max=PATCH_BYTES_MAX))
    return (*_expected_versions(request), *operations)


def _expected_versions(request: Request) -> Iterator[Operation]:
    """The version that If-Match asks for (R4 §3.1.0.5); any, by `*` or without it."""
    told = request.headers.get("if-match", "*").strip()
    if told == "*":
        return
    found = _ETAG.fullmatch(told)
    if found is None:
        raise Refusal("If-Match names no version of an entry", code=IssueCode.VALUE)
    yield of_version(found["version"])


PATCHES: Final[Mapping[str, Callable[[bytes], tuple[Operation, ...]]]] = {
    PATCH_MEDIA_TYPE: lambda body: read_json_patch(_parse_json(body)),
    XML_PATCH_MEDIA_TYPE: read_xml_patch,
    JSON_MEDIA_TYPE: lambda body: read_fhirpath_patch(Element(_parse_json(body), "Parameters")),
    XML_MEDIA_TYPE: lambda body: read_fhirpath_patch(
        Element(fhir_xml.read_resource(body), "Parameters")
    ),
}
"""How a patch is read, by its media type."""


def _parse_json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal("the body is no JSON", code=IssueCode.STRUCTURE) from error


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The parameters of a search by form, with those of its address (R4 §3.1.0.9).

    Raises:
        HTTPException: 415 if it claims to be something else.
        Refusal: it is too large, too slow, or no form.
    """
    _expect_type(request, FORM_MEDIA_TYPE)
    body = await read_body(request, bytes_max=FORM_BYTES_MAX)
    try:
        text = body.decode("ascii")  # a form is escaped
    except UnicodeDecodeError as error:
        raise Refusal("the body is no form", code=IssueCode.STRUCTURE) from error
    told = parse_parameters(text)
    for name, value in told:
        if name == FORMAT:
            choose_form(request, value)
    return told + parse_parameters(request.url.query)


def parse_parameters(text: str) -> list[tuple[str, str]]:
    """Parameters as they stand in an address or a form.

    Raises:
        Refusal: there are too many, their escapes make no UTF-8, or one holds a NUL.
    """
    if not text:
        return []
    try:
        told = parse_qsl(
            text, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict"
        )
    except ValueError as error:
        raise Refusal("the parameters cannot be read", code=IssueCode.STRUCTURE) from error
    if any(
        "\0" in one for pair in told for one in pair
    ):  # which no text of FHIR holds (R4 §2.24.0.1)
        raise Refusal("a parameter holds a NUL", code=IssueCode.VALUE)
    return told


def _expect_type(request: Request, *allowed: str, headers: dict[str, str] | None = None) -> str:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in allowed:
        raise HTTPException(415, f"the body must be {allowed[0]}", headers)
    return media_type


def fhir_base(request: Request) -> str:
    """The address at which the caller reaches the index, without a slash at its end."""
    return f"{str(request.base_url).rstrip('/')}/fhir"


def etag(version: str) -> str:
    """The entity tag of a version; a weak one, for a resource has more than one form."""
    return f'W/"{version}"'


def is_lenient(request: Request) -> bool:
    """Whether parameters that are not known are to be passed over (R4 §3.1.1.3, RFC 7240)."""
    preferences = ",".join(request.headers.getlist("prefer")).lower().replace(" ", "").split(",")
    return "handling=lenient" in preferences


def address(base: str, parameters: Sequence[tuple[str, str]]) -> str:
    """An address with its parameters."""
    return f"{base}?{urlencode(parameters)}"
