"""Runs what answers a request for as long as its client is there."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from starlette.types import Receive

log = logging.getLogger(__name__)


async def until_gone(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Run the work, and cancel it when the client goes; what it holds is let go of before this
    returns. Nobody watches for work that never waits: most of what is known is sent at once."""
    loop, answering = asyncio.get_running_loop(), asyncio.current_task()
    assert answering is not None
    is_gone = False
    watching: asyncio.Task[None] | None = None

    async def watch() -> None:
        nonlocal is_gone
        with suppress(Exception):  # of a body that is not read, which nobody awaits
            await _client_gone(receive)
        is_gone = True
        answering.cancel()

    def begin() -> None:
        nonlocal watching
        watching = loop.create_task(watch())

    beginning = loop.call_soon(begin)
    try:
        await work
    except asyncio.CancelledError:
        if not is_gone or answering.cancelling() > 1:
            raise
        log.info("client_gone")
    finally:
        beginning.cancel()
        if watching is not None:
            watching.cancel()
        if is_gone:
            answering.uncancel()


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
