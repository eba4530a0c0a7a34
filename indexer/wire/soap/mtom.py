"""Messages with documents beside their XML: MTOM and XOP (ITI TF-2 Appendix V.3.6).

Who does not speak MTOM puts documents into the XML as base64; both are read. Parts are taken as
they come, so that a message is held once.
"""

import base64
import binascii
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from indexer.contract.errors import InvalidValue
from indexer.framing.media_types import read_media_type
from indexer.framing.multipart import MultipartReader, PartBegins, PartEnds
from indexer.framing.multipart_writer import MultipartRelated
from indexer.wire.soap.envelope import SOAP_MEDIA_TYPE, SoapFault
from indexer.wire.xml import Element

XOP_MEDIA_TYPE: Final = "application/xop+xml"
XOP_INCLUDE: Final = "{http://www.w3.org/2004/08/xop/include}Include"
PARTS_MAX: Final = 257  # as many documents as a submission may have, and the envelope

_ROOT_ID: Final = "root"
_PLAIN: Final = frozenset({"", "binary", "8bit", "7bit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A message as it came."""

    root: bytes
    """The envelope."""
    parts: Mapping[str, bytes] = field(default_factory=dict)
    """Everything else, by Content-ID."""
    optimised: bool
    """Whether it came as MTOM."""

    def content(self, element: Element) -> bytes | None:
        """What an element of type base64Binary holds; None where it refers to no part.

        Raises:
            InvalidValue: it holds neither base64 nor one reference.
        """
        if len(element) == 0:
            return _decoded((element.text or "").encode())
        if len(element) > 1 or element[0].tag != XOP_INCLUDE:
            raise InvalidValue("a document holds elements that are no reference")
        return self.parts.get(_content_id(element[0]))

    def referred(self, root: Element) -> list[str]:
        """The Content-IDs to which anything in the envelope refers."""
        return [_content_id(one) for one in root.iter(XOP_INCLUDE)]


class PackageReader:
    """Reads one message.

    Args:
        content_type: the message's own.

    Raises:
        SoapFault: it is of another type than a SOAP message may be.
    """

    def __init__(self, content_type: str) -> None:
        kind, parameters = read_media_type(content_type)
        self._multipart: MultipartReader | None = None
        self._start = _bare(parameters.get("start", ""))
        self._parts: list[tuple[PartBegins, bytearray]] = []
        self._root = bytearray()
        if kind == "multipart/related":
            try:
                self._multipart = MultipartReader(parameters.get("boundary", ""))
            except InvalidValue as error:
                raise SoapFault(str(error)) from None
        elif kind != SOAP_MEDIA_TYPE:
            raise SoapFault(f"a message must be {SOAP_MEDIA_TYPE}, alone or in multipart/related")

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the message.

        Raises:
            SoapFault: it is no multipart body, or has too many parts.
        """
        if self._multipart is None:
            self._root += chunk
            return
        try:
            events = self._multipart.feed(chunk)
        except InvalidValue as error:
            raise SoapFault(str(error)) from None
        for event in events:
            if isinstance(event, PartBegins):
                if len(self._parts) >= PARTS_MAX:
                    raise SoapFault(f"the message has more than {PARTS_MAX} parts")
                self._parts.append((event, bytearray()))
            elif not isinstance(event, PartEnds):
                self._parts[-1][1].extend(event)

    @property
    def begun(self) -> bytes:
        """What has come of the envelope, where that is what a message begins with."""
        if self._multipart is None:
            return bytes(self._root)
        if not self._parts:
            return b""
        first, content = self._parts[0]
        return bytes(content) if self._start in ("", first.content_id) else b""

    def close(self) -> Package:
        """The message, which has ended.

        Raises:
            SoapFault: it was broken off, or its parts cannot be told apart.
        """
        if self._multipart is None:
            return Package(root=bytes(self._root), optimised=False)
        try:
            self._multipart.close()
            parts: dict[str, bytes] = {}
            taken, self._parts = deque(self._parts), []
            while taken:  # each goes as its copy is made: a document is held once, not twice
                begun, content = taken.popleft()
                if begun.content_id in parts:
                    raise InvalidValue("two parts have the same Content-ID, or none")
                parts[begun.content_id] = _plain(begun.transfer_encoding, content)
        except InvalidValue as error:
            raise SoapFault(str(error)) from None
        root = parts.pop(self._start or next(iter(parts), ""), None)
        if root is None:
            raise SoapFault("the message has no part that its start names")
        return Package(root=root, parts=parts, optimised=True)


def write_package(
    envelope: bytes, parts: Iterable[tuple[str, str, bytes]]
) -> tuple[str, list[bytes]]:
    """Content-Type and bytes of a message.

    Args:
        envelope: the SOAP message.
        parts: Content-ID, media type and bytes of each document.
    """
    framing = MultipartRelated(
        XOP_MEDIA_TYPE, parameters={"start": f"<{_ROOT_ID}>", "start-info": SOAP_MEDIA_TYPE}
    )
    root_type = f'{XOP_MEDIA_TYPE}; charset=UTF-8; type="{SOAP_MEDIA_TYPE}"'
    chunks: list[bytes] = []
    for content_id, kind, content in [(_ROOT_ID, root_type, envelope), *parts]:
        chunks.append(framing.part(kind, size_bytes=len(content), content_id=content_id))
        chunks.append(content)
    return framing.content_type, [*chunks, framing.end()]


def _plain(encoding: str, content: bytearray) -> bytes:
    """A part's bytes without what its transfer did to them (RFC 2045 §6)."""
    if encoding in _PLAIN:
        return bytes(content)
    if encoding == "base64":
        return _decoded(bytes(content))
    raise InvalidValue("a part is in a transfer encoding that is not read here")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise InvalidValue("a document is no base64") from None


def _content_id(include: Element) -> str:
    return unquote(include.get("href", "")).removeprefix("cid:")


def _bare(content_id: str) -> str:
    return content_id.removeprefix("<").removesuffix(">")
