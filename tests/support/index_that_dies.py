"""An index that is killed when its answer to a change is ready and has not left.

Run as `python index_that_dies.py FOLDER`; its log tells its address, as that of an index does.
"""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.serving import listen, serve, url_of
from gateway.telemetry import configure_logging
from indexer.server.access.policy import OpenAccess
from indexer.server.app import opened_index
from indexer.server.settings import IndexSettings

log = logging.getLogger(__name__)


class DiesBeforeItAnswers:
    """Passes requests on, and ends the process at the first answer to what changes the index."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def die(message: Message) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        changes = scope["path"] == "/fhir" or scope["method"] == "PATCH"
        await self._app(scope, receive, die if changes else send)


async def main(folder: Path) -> None:
    configure_logging()
    settings = IndexSettings(data_dir=folder)
    with listen("127.0.0.1", 0) as listening:
        async with opened_index(settings, OpenAccess()) as index:
            log.info("listening", extra={"http": url_of(listening)})
            await serve(DiesBeforeItAnswers(index), listening, stop=asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
