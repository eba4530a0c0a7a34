"""Web sites that browsers open: folders as npm publishes them, each at an origin of its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.peers import script
from tests.support.program import HOST


@dataclass(kw_only=True)
class Site:
    """A site that is served."""

    origin: str
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Media type and text by path, in place of what the folder has there."""


@contextmanager
def a_site(folder: Path, *, start: str) -> Iterator[Site]:
    """Serve a folder until the block ends.

    Args:
        start: the page to which every path leads that the folder does not have.
    """
    site: Site

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path not in site.pages and not (folder / path.lstrip("/")).is_file():
                path = self.path = start
            if path in site.pages:
                self._give(*site.pages[path])
            else:
                super().do_GET()

        def _give(self, media_type: str, text: str) -> None:
            content = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        site = Site(origin=f"http://{HOST}:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def an_ohif() -> Iterator[Site]:
    """The viewer OHIF, unmodified; `ohif_looks_at` tells it where a gateway is."""
    with a_site(script("@ohif/app") / "dist", start="/index.html") as site:
        yield site


def ohif_looks_at(site: Site, dicomweb: str) -> None:
    """Configure the viewer, in the ways that a centre would choose for its gateway."""
    source = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "gateway",
        "configuration": {
            "friendlyName": "the gateway",
            "name": "gateway",
            "qidoRoot": dicomweb,
            "wadoRoot": dicomweb,
            "wadoUriRoot": dicomweb.replace("/dicom-web", "/wado"),
            "qidoSupportsIncludeField": True,
            "supportsFuzzyMatching": True,
            "supportsWildcard": True,
            "imageRendering": "wadors",
            "thumbnailRendering": "thumbnail",
            "enableStudyLazyLoad": True,
            "bulkDataURI": {"enabled": True},
        },
    }
    settings = {
        "routerBasename": None,
        "extensions": [],
        "modes": [],
        "showStudyList": True,
        "maxNumberOfWebWorkers": 2,
        "defaultDataSourceName": "gateway",
        "dataSources": [source],
    }
    site.pages["/app-config.js"] = ("text/javascript", f"window.config = {json.dumps(settings)};")
