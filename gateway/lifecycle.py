"""What runs as long as the gateway runs, and how it ends: nothing is started that is not ended."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from socket import socket
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.storage.database import Database
from gateway.storage.objects import ObjectStore

log = logging.getLogger(__name__)

READERS_GRACE_MS: Final = 3_600_000
"""How long a replaced object stays for those who opened it before."""

TIDY_EVERY_S: Final = 600.0
SHUTDOWN_GRACE_S: Final = 10
STORED_BEFORE_S: Final = 60.0
"""At the start, an object without a row is removed if it is older than this."""


@asynccontextmanager
async def workers(*runs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside what is inside. One that fails ends all; leaving cancels them."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run) for run in runs]
        try:
            yield
        except Exception as error:  # raised again outside, for the group would wrap it in another
            failure = error
        finally:
            for task in tasks:
                task.cancel()
    if failure is not None:
        raise failure


class Janitor:
    """Removes objects that no instance refers to any more."""

    def __init__(
        self, database: Database, studies: Studies, objects: ObjectStore, *, clock: Clock
    ) -> None:
        self._database = database
        self._studies = studies
        self._objects = objects
        self._clock = clock

    async def run(self) -> None:
        """Tidy until cancelled."""
        while True:
            try:
                await self.tidy()
            except Exception:
                log.exception("tidying_failed")
            await asyncio.sleep(TIDY_EVERY_S)

    async def tidy(self) -> None:
        """Remove the replaced objects whose readers have had their time."""
        before_ms = self._clock() - READERS_GRACE_MS
        while keys := await self._database.read(
            lambda tx: self._studies.discarded(tx, before_ms=before_ms)
        ):
            await self._objects.discard(keys)
            await self._database.write(lambda tx: self._studies.forget_discarded(tx, keys))

    async def sweep(self) -> None:
        """Remove what a crash left: objects that were kept but whose row was never committed."""
        await self._objects.sweep(
            self._referenced, older_than_s=STORED_BEFORE_S, now_s=self._clock() / 1000
        )

    async def _referenced(self, keys: list[str]) -> set[str]:
        return await self._database.read(lambda tx: self._studies.referenced(tx, keys))


class _Server(uvicorn.Server):
    """uvicorn, but signals are ours: it would raise them again before we could close anything."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, and tell so."""
        await super().startup(sockets)
        if self.started:
            self._on_listening(self.servers[0].sockets[0].getsockname()[1])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve_http(
    app: ASGIApp, *, host: str, port: int, on_listening: Callable[[int], None]
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way have `SHUTDOWN_GRACE_S` seconds to end.

    Args:
        on_listening: told the port once it is listened on.

    Raises:
        OSError: the port cannot be listened on.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
        lifespan="off",
    )
    server = _Server(config, on_listening)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await server.serve()
    except SystemExit:  # what uvicorn makes of a port that is taken
        raise OSError(f"cannot listen on port {port}: is another gateway running?") from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
