"""Retrieve Transaction on metadata resources (PS3.18 §10.4.1.1.2), as DICOM JSON or XML.

Given is what stands before the pixels. A value of more than `VALUE_BYTES_MAX` is left out: there
is no address yet at which it could be fetched apart, and a BulkDataURI must lead somewhere.
"""

from contextlib import aclosing
from io import BytesIO
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from gateway.dicomweb.dicom_json import JsonArray, write_json
from gateway.dicomweb.dicom_xml import XmlParts
from gateway.dicomweb.negotiation import DICOM_XML, data_set_form
from gateway.errors import NotAcceptable
from gateway.model.resource import Resource
from gateway.pixels.syntaxes import (
    DEFLATED_LITTLE_ENDIAN,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
)
from gateway.retrieval.endpoints.answering import Body, Request, answer, read_request
from gateway.retrieval.files import FileReader
from gateway.retrieval.reencode import Reencoder
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.source import HeldInstance
from gateway.retrieval.transcode import Transcoder, map_file
from gateway.security.policy import Policy
from indexer.contract.identifiers import Uid

VALUE_BYTES_MAX: Final = 256 * 1024
"""Holds a palette of 65536 entries and the overlay of a large image."""
HEADER_BYTES_MAX: Final = 64 * 2**20
"""Of one instance, without the values that are left out."""

_PIXELS_FROM: Final = 0x7FE00000  # pixels, and after them padding and signatures
_PIXEL_GROUP: Final = 0x7FE0


class MetadataEndpoint:
    """Answers with the headers of a study, a series, or of one instance."""

    def __init__(
        self, policy: Policy, retriever: Retriever, transcoder: Transcoder, files: FileReader
    ) -> None:
        self._policy = policy
        self._retriever = retriever
        self._transcoder = transcoder
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GET or HEAD request."""
        request = read_request(scope, self._policy)
        resource = request.resource()
        asked = data_set_form(request.accepted).kind
        form = XmlParts() if asked == DICOM_XML else JsonArray(asked)
        if request.head:
            await self._retriever.ensure_known(request.access, resource)
            await Body(send).send_head(form.content_type)
            return
        await answer(receive, send, lambda body: self._answer(request, resource, form, body))

    async def _answer(
        self, request: Request, resource: Resource, form: JsonArray | XmlParts, body: Body
    ) -> None:
        async with aclosing(await self._retriever.open(request.access, resource)) as stream:
            async for held in stream:
                metadata = await self._metadata(held, form)
                if not body.begun:
                    await body.begin(form.content_type)
                await body.write(metadata)
        await body.write(form.end(), more=False)

    async def _metadata(self, held: HeldInstance, form: JsonArray | XmlParts) -> bytes:
        # A deflated header cannot be read on its own.
        stored = held.transfer_syntax
        syntax = EXPLICIT_LITTLE_ENDIAN if stored == DEFLATED_LITTLE_ENDIAN else stored
        async with self._transcoder.given(held, syntax) as path:
            return await self._files.run(lambda: form.data_set(read_metadata(path, syntax)))


def read_metadata(path: Path, transfer_syntax: Uid) -> bytes:
    """The JSON object of the header of a Part 10 file, whose data set is not deflated. Blocks.

    Raises:
        NotAcceptable: the header cannot be read, or is larger than `HEADER_BYTES_MAX`.
    """
    _, data_set = map_file(path)
    header = _BoundedBytes()
    try:
        Reencoder(
            data_set,
            header,
            big_endian=transfer_syntax == EXPLICIT_BIG_ENDIAN,
            leaves_out=_is_bulk,
            ends_before=_PIXELS_FROM,
        ).run()
        return write_json(header.getvalue())
    except ValueError as error:
        raise NotAcceptable(f"the instance's metadata cannot be given: {error}") from error


def _is_bulk(tag: int, length: int) -> bool:
    return length > VALUE_BYTES_MAX or tag >> 16 == _PIXEL_GROUP


class _BoundedBytes(BytesIO):
    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
        if self.tell() + len(data) > HEADER_BYTES_MAX:
            raise ValueError(f"it is larger than {HEADER_BYTES_MAX} bytes")
        return super().write(data)
