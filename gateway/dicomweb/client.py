"""Asks another server for instances: WADO-RS (PS3.18 §10.4) as its client.

A body is read as it comes, part by part, and nothing is asked for twice: who reads half of it has
passed it on already.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import aiohttp

from gateway.errors import AccessDenied, NotAcceptable, NotFound, Unavailable
from gateway.model.resource import Resource
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid
from indexer.framing.multipart import ContentType, Event, MultipartReader, PartBegins, PartEnds

DICOM: Final = "application/dicom"
_AS_STORED: Final = f'multipart/related; type="{DICOM}"; transfer-syntax=*'
_JSON: Final = "application/dicom+json"
_NONE_OF_IT: Final = frozenset((204, 404, 410))  # No Content, Not Found, Gone
_MULTIPART: Final = "multipart/related"
HEAD_BYTES_MAX: Final = 64 * 1024
"""Of an answer's head, and of one of its lines."""
RETRY_AFTER_S_MAX: Final = 600.0

CONNECT_S_MAX: Final = 10.0
SILENT_S_MAX: Final = 300.0
"""Before an answer, or within it; a server may have to fetch what it gives."""


class WadoClient:
    """Asks one server.

    Args:
        session: of the connections, with what they show and trust.
        root: of its DICOMweb services.
    """

    def __init__(self, session: aiohttp.ClientSession, root: str) -> None:
        self._session = session
        self._root = root.rstrip("/")

    @asynccontextmanager
    async def retrieve(self, resource: Resource) -> AsyncIterator["Retrieved"]:
        """Ask for all instances of a resource, as they are stored.

        Raises:
            NotFound: it has none.
            AccessDenied: it does not let us have them.
            NotAcceptable: it does not give them in that form.
            Unavailable: it cannot be reached, fails, breaks off or is silent; by the iteration,
                too, after what came before.
        """
        async with self._asked(_path(resource), _AS_STORED) as answer:
            _ensure_given(answer)
            yield Retrieved(answer)

    async def answers_searches(self, study: Uid) -> bool:
        """Whether the root has a Search service (PS3.18 §10.6), by its answer to a search for this
        study. What is no such root has none of its studies either, as it seems.

        Raises:
            Unavailable: as `retrieve`.
        """
        async with self._asked(f"/studies?StudyInstanceUID={study}&limit=1", _JSON) as answer:
            told = ContentType.parse(answer.headers.get("Content-Type", ""))
            is_json = answer.status == HTTPStatus.OK and told.kind == _JSON
            return is_json or answer.status == HTTPStatus.NO_CONTENT

    @asynccontextmanager
    async def _asked(self, path: str, accept: str) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.get(
                f"{self._root}{path}",
                headers={"Accept": accept, "Accept-Encoding": "identity"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_S_MAX, sock_read=SILENT_S_MAX
                ),
                max_line_size=HEAD_BYTES_MAX,
                max_field_size=HEAD_BYTES_MAX,
            ) as answer:
                yield answer
        except aiohttp.ClientSSLError:
            raise Unavailable("does not come to terms by TLS") from None
        except aiohttp.ClientConnectorError:
            raise Unavailable("cannot be reached") from None
        except TimeoutError:
            raise Unavailable("is silent for too long") from None
        except aiohttp.ClientError:
            raise Unavailable("breaks off, or answers no HTTP") from None
        except InvalidValue as error:
            raise Unavailable(f"answers what cannot be read: {error}") from None


class Retrieved:
    """An answer whose body is still to be read; once."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.is_partial = answer.status == HTTPStatus.PARTIAL_CONTENT or "Warning" in answer.headers
        """It says that it leaves something out."""

    async def events(self) -> AsyncIterator[Event]:
        """What the body brings: one part for each instance.

        Raises:
            InvalidValue: it is no such body, or is cut short.
        """
        told = ContentType.parse(self._answer.headers.get("Content-Type", ""))
        chunks = self._answer.content.iter_any()
        if told.kind == DICOM:  # which one instance may be given as
            yield PartBegins(told)
            async for chunk in chunks:
                yield memoryview(chunk)
            yield PartEnds()
            return
        if told.kind != _MULTIPART:
            raise InvalidValue("it is of another media type")
        reader = MultipartReader(told.boundary)
        async for chunk in chunks:
            for event in reader.feed(chunk):
                yield event
        reader.close()


def _path(resource: Resource) -> str:
    path = f"/studies/{resource.study}"
    if resource.series is not None:
        path += f"/series/{resource.series}"
    if resource.instance is not None:
        path += f"/instances/{resource.instance}"
    return path


def _ensure_given(answer: aiohttp.ClientResponse) -> None:
    match answer.status:
        case HTTPStatus.OK | HTTPStatus.PARTIAL_CONTENT:
            return
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            raise AccessDenied(f"does not let the gateway in (status {answer.status})")
        case status if status in _NONE_OF_IT:
            raise NotFound("has none of it")
        case HTTPStatus.NOT_ACCEPTABLE | HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
            raise NotAcceptable("does not give instances as they are stored (status 406)")
        case status:
            retry_after_s = _retry_after_s(answer.headers.get("Retry-After", ""))
            raise Unavailable(f"answers with status {status}", retry_after_s=retry_after_s)


def _retry_after_s(told: str) -> float | None:
    """Seconds of a Retry-After (RFC 9110 §10.2.3); of one that names a time, None."""
    return min(float(told), RETRY_AFTER_S_MAX) if told.isascii() and told.isdigit() else None
