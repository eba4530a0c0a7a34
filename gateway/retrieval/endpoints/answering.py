"""What the endpoints of DICOMweb have in common: who asks for what, and how a body is sent.

They are plain ASGI applications. An error raised before the body is the application's to answer;
after that the connection is broken off, so that nobody takes a part of a study for the whole.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from itertools import tee
from typing import Any, Final

from starlette.datastructures import Headers, QueryParams
from starlette.types import Message, Receive, Scope, Send

from gateway.dicomweb.accept import Accepted
from gateway.dicomweb.codings import Coding, choose_coding, takes_as_is
from gateway.dicomweb.conditions import ByteRange, Conditions
from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.model.access import AccessContext
from gateway.model.resource import Resource
from gateway.retrieval.endpoints.until_gone import until_gone
from gateway.retrieval.files import UNREADABLE, FileReader, OpenFile
from gateway.retrieval.forms.leaving import Leaving
from gateway.security.forwarded import BASE_URL
from gateway.security.policy import Policy
from gateway.zero_copy import FILES, Piece
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

ROOT: Final = "/dicom-web"
"""The address of DICOMweb, below that of the gateway."""

WARNING: Final = '299 drim-gateway "{}"'
"""A warning to the client (PS3.18 §8.3.4); the form is that of RFC 7234 §5.5."""

MANIFEST_HEADER: Final = "KOS-SOPInstanceUID"
"""By which a DRIMbox that asks another names the manifest that led it there."""

BY_TYPE: Final = "Accept"
BY_CODING: Final = "Accept, Accept-Encoding"
BY_LANGUAGE: Final = "Accept, Accept-Language"

_LEVELS: Final = ("study", "series", "instance")

LOCATION_LENGTH_MAX: Final = 2048
"""Characters of a Content-Location, which a long list of frames exceeds: reverse proxies refuse an
answer whose headers take more than a few KiB."""
SEND_S_MAX: Final = 120.0
"""How long a client may take for one chunk, of `SENT_BYTES_MAX`, before it counts as gone."""
SENT_BYTES_MAX: Final = 2**20


class BodyBrokenOff(Exception):
    """A body could not be ended; the server closes the connection without its last chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the head of a request tells."""

    access: AccessContext
    root_url: str
    """The address of DICOMweb as the client reaches it."""
    at: str
    """The path below it, as it is."""
    accepted: Accepted
    path: dict[str, str]
    query: QueryParams
    conditions: Conditions
    coding: Coding
    """In which the body is wanted, of those that it can have."""
    as_is: bool
    """Whether it may come as it is."""
    language: str
    """Accept-Language, as it is."""
    head: bool
    manifest: Uid | None
    """By which another DRIMbox found what it asks for; None for the centre's own viewers."""

    @property
    def location(self) -> str:
        """The address of what the path names, once that is known to be one; empty for one that is
        too long for a header."""
        location = self.root_url + self.at
        return location if len(location) <= LOCATION_LENGTH_MAX else ""

    def resource(self) -> Resource:
        """What the path names.

        Raises:
            InvalidRequest: a part of it is no UID.
        """
        return Resource(**self.uids())

    def uids(self) -> dict[str, Uid]:
        """What the path names, by level; empty where it names no study.

        Raises:
            InvalidRequest: a part of it is no UID.
        """
        try:
            return {level: Uid(self.path[level]) for level in _LEVELS if level in self.path}
        except InvalidValue as error:
            raise InvalidRequest(f"the address does not name a resource: {error}") from None


def read_request(
    scope: Scope, policy: Policy, *, codings: Sequence[Coding] = (Coding.AS_IS,)
) -> Request:
    """Who asks comes first: one who is not let in is not told what is wrong with the rest.

    Args:
        codings: those that the body can have, the default first.

    Raises:
        Unauthenticated: the caller does not show who it is.
        InvalidRequest: what is accepted is too long, or may not be asked for together; or the
            manifest is named by what is no UID.
        NotAcceptable: the client takes none of the codings.
    """
    headers = Headers(scope=scope)
    access = policy.authenticate(headers.get("authorization"))
    query = QueryParams(scope["query_string"])
    encodings = ", ".join(headers.getlist("accept-encoding"))
    return Request(
        access=access,
        root_url=scope["state"][BASE_URL] + ROOT,
        at=scope["path"].removeprefix(ROOT),
        accepted=Accepted.of(headers.getlist("accept"), query.getlist("accept")),
        path=scope["path_params"],
        query=query,
        conditions=Conditions(
            if_match=", ".join(headers.getlist("if-match")),
            if_none_match=", ".join(headers.getlist("if-none-match")),
            if_range=headers.get("if-range", ""),
            range=headers.get("range", ""),
        ),
        coding=choose_coding(encodings, codings),
        as_is=takes_as_is(encodings),
        language=headers.get("accept-language", ""),
        head=scope["method"] == "HEAD",
        manifest=_manifest(headers.get(MANIFEST_HEADER)),
    )


def _manifest(told: str | None) -> Uid | None:
    try:
        return None if told is None else Uid(told)
    except InvalidValue as error:
        raise InvalidRequest(f"{MANIFEST_HEADER} is {error}") from None


class Body:
    """The response to one request, of which it knows whether it has begun.

    Args:
        vary: headers of the request by which another body may be given (RFC 9110 §12.5.5).
    """

    def __init__(self, send: Send, *, by_kernel: bool = False, vary: str = BY_TYPE) -> None:
        self._send = send
        self._vary = vary
        self._by_kernel = by_kernel
        self.begun = False

    async def begin(
        self,
        content_type: str,
        *,
        size_bytes: int | None = None,
        tag: str = "",
        location: str = "",
        part: ByteRange | None = None,
        coding: Coding = Coding.AS_IS,
        status: int = HTTPStatus.OK,
        file_name: str = "",
        warnings: tuple[str, ...] = (),
    ) -> None:
        """Send the status and the headers.

        Args:
            size_bytes: of the whole, where that is known.
            tag: of the whole (see `tag_of`); whoever gives one also gives parts.
            location: URL of what the body is of (Content-Location, PS3.18 §8.4.2).
            part: what of the whole the body is, if not all of it.
            file_name: as which a browser saves it, rather than show it.
        """
        told = {"content-type": content_type, **self._told_of(tag, location)}
        if coding is not Coding.AS_IS:
            told |= {"content-encoding": coding}
        if file_name:
            told |= {"content-disposition": f'attachment; filename="{file_name}"'}
        if part is not None:
            told |= {"content-range": part.content_range}
            size_bytes, status = part.size_bytes, HTTPStatus.PARTIAL_CONTENT
        if size_bytes is not None:
            told |= {"content-length": str(size_bytes)}
        headers = [(name.encode(), value.encode("ascii")) for name, value in told.items()]
        headers += [(b"warning", warning.encode("ascii")) for warning in warnings]
        self.begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def not_modified(self, tag: str, *, location: str = "") -> None:
        """Answer that the client has what there is (RFC 9110 §15.4.5)."""
        told = self._told_of(tag, location)
        headers = [(name.encode(), value.encode("ascii")) for name, value in told.items()]
        self.begun = True
        await self._send(
            {"type": "http.response.start", "status": HTTPStatus.NOT_MODIFIED, "headers": headers}
        )
        await self.write(b"", more=False)

    async def begin_without_content(self, *, warnings: tuple[str, ...] = ()) -> None:
        """Answer that there is nothing: 204, which has no body."""
        headers = [(b"warning", warning.encode("ascii")) for warning in warnings]
        status = HTTPStatus.NO_CONTENT
        self.begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self.write(b"", more=False)

    async def send_head(self, content_type: str) -> None:
        """Answer HEAD: what GET would begin with, and nothing more."""
        await self.begin(content_type)
        await self.write(b"", more=False)

    async def write(self, chunk: bytes, *, more: bool = True) -> None:
        """Send some of the body; waits while the client has not taken what came before.

        Raises:
            TimeoutError: the client takes nothing.
        """
        async with asyncio.timeout(SEND_S_MAX):
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def write_file(
        self,
        opened: OpenFile,
        files: FileReader,
        part: ByteRange | None = None,
        *,
        before: bytes = b"",
    ) -> None:
        """Send a file, or a part of it, by the kernel where the server offers that.

        Args:
            before: goes in front of it.

        Raises:
            TimeoutError: the client takes nothing.
            StorageUnavailable: the file cannot be read.
        """
        if not self._by_kernel:
            if before:
                await self.write(before)
            async for chunk in files.chunks(opened, part):
                await self.write(chunk)
            return
        at, end = (0, opened.size_bytes) if part is None else (part.start, part.end)
        piece = Piece(before, opened.file.fileno(), at, end - at)
        await self._hand_over([piece], len(before) + piece.size_bytes, by_thread=False)

    async def write_pieces(
        self, pieces: Iterator[Piece], size_bytes: int, files: FileReader
    ) -> None:
        """Send pieces of files that nobody has opened yet, by the kernel where the server offers
        that.

        Args:
            size_bytes: of all of them.

        Raises:
            TimeoutError: the client takes nothing.
            StorageUnavailable: a file is gone, or cannot be read.
        """
        if self._by_kernel:
            await self._hand_over(pieces, size_bytes, by_thread=True)
            return
        pieces, ahead = tee(pieces)
        async with aclosing(files.each(str(one.file) for one in ahead)) as opened:
            async for one in opened:
                piece = next(pieces)
                end = piece.offset + piece.size_bytes
                part = ByteRange(start=piece.offset, end=end, of=one.size_bytes)
                await self.write_file(one, files, part, before=piece.before)

    async def write_views(self, views: Sequence[memoryview], *, before: bytes = b"") -> None:
        """Send what is in memory, with `before` in front of it (see `write`)."""
        if not self._by_kernel:
            await self.write(b"".join((before, *views)))
            return
        size_bytes = len(before) + sum(map(len, views))
        await self._hand_over([Piece(before, "", 0, 0, (*views,))], size_bytes, by_thread=False)

    async def _hand_over(
        self, pieces: Iterable[Piece], size_bytes: int, *, by_thread: bool
    ) -> None:
        loop, left_bytes = asyncio.get_running_loop(), SENT_BYTES_MAX

        def took(size_bytes: int) -> None:
            nonlocal left_bytes
            left_bytes -= size_bytes
            if left_bytes <= 0:
                left_bytes = SENT_BYTES_MAX
                patience.reschedule(loop.time() + SEND_S_MAX)

        message: Message = {"type": FILES, "pieces": iter(pieces), "size_bytes": size_bytes}
        try:
            async with asyncio.timeout(SEND_S_MAX) as patience:
                await self._send({**message, "by_thread": by_thread, "took": took})
        except TimeoutError:
            raise  # which is an OSError, too
        except OSError as error:
            raise StorageUnavailable(UNREADABLE) from error

    def _told_of(self, tag: str, location: str) -> dict[str, str]:
        told = {"vary": self._vary}
        if tag:
            # What a viewer keeps it may show again only once it has asked: rights may have changed.
            told |= {"etag": tag, "accept-ranges": "bytes", "cache-control": "private, no-cache"}
        return told | ({"content-location": location} if location else {})

    async def write_leaving(
        self, leaving: Leaving, files: FileReader, *, before: bytes = b""
    ) -> None:
        """Send an instance's file as it leaves.

        Args:
            before: goes in front of it.

        Raises:
            TimeoutError: the client takes nothing.
            StorageUnavailable: the file cannot be read.
        """
        for piece in leaving.pieces:
            if isinstance(piece, bytes):
                before += piece
            else:
                await self.write_file(leaving.opened, files, piece, before=before)
                before = b""
        if before:
            await self.write(before)


def left_out(missing: int) -> tuple[str, ...]:
    """The warning that so many instances of a resource could not be had; none if all could."""
    told = f"{missing} of the instances could not be had and are left out"
    return (WARNING.format(told),) if missing else ()


async def answer(
    scope: Scope,
    receive: Receive,
    send: Send,
    work: Callable[[Body], Coroutine[Any, Any, None]],
    *,
    vary: str = BY_TYPE,
) -> None:
    """Have `work` send a body, until it has or the client is gone.

    Args:
        vary: see `Body`.

    Raises:
        BodyBrokenOff: it failed when the body had begun.
    """
    body = Body(send, by_kernel=FILES in scope.get("extensions", {}), vary=vary)
    try:
        await until_gone(receive, work(body))
    except Exception as error:
        if not body.begun:
            raise
        log.warning("body_broken_off", extra={"cause": type(error).__name__})
        raise BodyBrokenOff from error
