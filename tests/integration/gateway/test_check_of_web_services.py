"""Whether a PACS can be pulled from over the web is found where its services are said to be."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.app.neighbours import pacs_probes
from gateway.app.parts import open_requestors
from gateway.health import State, examine
from tests.integration.dimse.pacs import Pacs
from tests.support.centre_settings import settings


@pytest.mark.parametrize(
    "scheme, search, state, told",
    [
        ("http", web.json_response([], content_type="application/dicom+json"), State.OK, ""),
        ("http", web.Response(status=404), State.WARN, "below wado_url"),
        ("http", web.Response(status=503), State.WARN, "below wado_url"),
        ("https", web.Response(), State.FAIL, "TLS"),
    ],
)
async def test_the_web_services_of_a_pacs_are_looked_at_where_they_are_said_to_be(
    tmp_path: Path, scheme: str, search: web.Response, state: State, told: str
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        is_search = request.path == "/dicom-web/studies"
        return search if is_search else web.Response(status=404)

    services = web.Application()
    services.router.add_get("/{anything:.*}", answer)
    with Pacs().running() as pacs:
        async with TestServer(services, host="127.0.0.1") as server:
            url = f"{scheme}://127.0.0.1:{server.port}/dicom-web"
            peer = {"ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port}
            given = settings(tmp_path, pacs=[{**peer, "retrieve": "wado", "wado_url": url}])
            async with AsyncExitStack() as stack:
                findings = await examine(pacs_probes(given, open_requestors(stack, given)))

    *others, found = findings
    assert {one.state for one in others} == {State.OK}
    assert (found.what, found.state) == ("PACS PACS, WADO-RS", state)
    assert told in found.told
    assert ("wado_url" in found.mend) is (state is not State.OK)
