"""An index that answers as a test says, to see what a client makes of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from indexer.contract.document import DocumentEntry
from tests.support.indexes import served
from tests.support.pointers import an_entry

Answer = Callable[[Request], Response]


@dataclass
class ScriptedIndex:
    """Answers as the test says, and keeps the addresses that it was asked at."""

    answer: Answer = field(default=lambda request: Response(status_code=500))
    asked: list[str] = field(default_factory=list)
    url: str = ""
    body: bytes = b""
    """Of the last request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.asked.append(str(request.url))
        self.body = await request.body()
        await self.answer(request)(scope, receive, send)

    def entry(self) -> DocumentEntry:
        """An entry whose document lies here."""
        return replace(an_entry(), entry_id="1", document_url=f"{self.url}/fhir/Binary/1")


@asynccontextmanager
async def a_scripted_index() -> AsyncIterator[ScriptedIndex]:
    """One that is served, and knows where."""
    scripted = ScriptedIndex()
    async with served(scripted) as url:
        scripted.url = url
        yield scripted


def json(content: object, status: int = 200, **headers: str) -> Answer:
    return lambda request: Response(orjson.dumps(content), status, headers)
