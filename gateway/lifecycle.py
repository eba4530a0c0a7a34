"""What runs as long as the gateway runs, and how it ends: nothing is started that is not ended."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from gateway.catalogue.discards import Discards
from gateway.clock import Clock
from gateway.storage.database import Database
from gateway.storage.objects import ObjectStore

log = logging.getLogger(__name__)

READERS_GRACE_MS: Final = 3_600_000
"""How long a replaced object stays for those who opened it before."""

TIDY_EVERY_S: Final = 600.0
UNROWED_S_MAX: Final = 3600.0
"""An object whose row is not there yet may be under way; no store takes that long."""


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
        self, database: Database, discards: Discards, objects: ObjectStore, *, clock: Clock
    ) -> None:
        self._database = database
        self._discards = discards
        self._objects = objects
        self._clock = clock

    async def run(self) -> None:
        """Tidy until cancelled."""
        while True:
            try:
                await self.tidy()
                # What was kept and then refused, as on a full disk, has no row either.
                await self.sweep(older_than_s=UNROWED_S_MAX)
            except Exception:
                log.exception("tidying_failed")
            await asyncio.sleep(TIDY_EVERY_S)

    async def tidy(self) -> None:
        """Remove the replaced objects whose readers have had their time."""
        before_ms = self._clock() - READERS_GRACE_MS
        while keys := await self._database.read(
            lambda tx: self._discards.discarded(tx, before_ms=before_ms)
        ):
            await self._objects.discard(keys)
            await self._database.write(lambda tx: self._discards.forget_discarded(tx, keys))

    async def sweep(self, *, older_than_s: float) -> None:
        """Remove objects that were kept but whose row was never committed."""
        await self._objects.sweep(
            self._referenced, older_than_s=older_than_s, now_s=self._clock() / 1000
        )

    async def _referenced(self, keys: list[str]) -> set[str]:
        return await self._database.read(lambda tx: self._discards.referenced(tx, keys))
