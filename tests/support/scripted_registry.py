"""An XDS.b index that answers as a test says, by the action of each request."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from indexer.contract.document import DocumentEntry
from indexer.wire.outcome import XdsError
from indexer.wire.soap.envelope import Call, read_call, reply
from indexer.wire.soap.mtom import PackageReader, write_package
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.registry_messages import RegistryError, query_response, registry_response
from indexer.wire.xds.writer import add_entry, add_reference
from indexer.wire.xml import Element
from tests.support.pointers import an_entry
from tests.support.scripted_index import ScriptedIndex

ID = "11111111-2222-4333-8444-555555555555"
OTHER_ID = "11111111-2222-4333-8444-666666666666"
REPOSITORY = "1.2.250.1.9"


class ScriptedRegistry:
    """Answers by the action of a request; what has no answer is a bug of the test."""

    def __init__(self, scripted: ScriptedIndex) -> None:
        self._scripted = scripted
        self.answers: dict[str, Element | Sequence[Element]] = {}
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.parts: list[tuple[str, str, bytes]] = []
        scripted.answer = self.answer

    def answer(self, request: Request) -> Response:
        reader = PackageReader(request.headers["Content-Type"])
        reader.feed(self._scripted.body)
        call = read_call(reader.close().root)
        self.asked.append(call.action)
        told = self.answers[call.action]
        if not isinstance(told, etree._Element):
            told, *rest = told
            self.answers[call.action] = rest
        return self._envelope(call, told)

    def _envelope(self, call: Call, body: Element) -> Response:
        content_type, chunks = write_package(reply(call, body), self.parts)
        headers = {"Content-Type": content_type, **self.headers}
        return Response(b"".join(chunks), headers=headers)


def held(number: int = 1, *, entry_id: str = ID, **changes: Any) -> DocumentEntry:
    return replace(an_entry(number), entry_id=entry_id, **changes)


def refused(*codes: str, context: str = "no", warning: bool = False) -> Element:
    told = RegistryError(error=XdsError.UPDATE, context=context, warning=warning)
    response = registry_response([told] * len(codes))
    for code, error in zip(codes, response.iter(f"{{{names.RS}}}RegistryError"), strict=True):
        error.set("errorCode", code)
    return response


def found(*entries: DocumentEntry) -> Element:
    response, objects = query_response()
    for one in entries:
        add_entry(objects, one, repository=REPOSITORY)
    return response


def named(*ids: str) -> Element:
    response, objects = query_response()
    for one in ids:
        add_reference(objects, one)
    return response
