"""Has the worker processes describe what is stored, once each, off the path of its acknowledgement.

`app` runs one describer. It works off what nobody has described, whatever stopped it before, and
describes at once what somebody asks for. What is under way is never begun twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.catalogue.descriptions import Description, Descriptions, Undescribed
from gateway.errors import NotAcceptable, StorageUnavailable, WorkerDied
from gateway.processes.pool import WorkerPool
from gateway.retrieval.describing.describe import REWRITTEN, describe
from gateway.retrieval.files import UNREADABLE, to_the_end
from gateway.storage.database import Database

log = logging.getLogger(__name__)

DESCRIBE_S_MAX: Final = 60.0
"""For one file."""
GROUP: Final = 32
"""Described one after the other, and kept in one transaction."""
GROUPS_MAX: Final = 2
"""Described side by side for those who ask; what nobody asks for goes one group at a time."""
LULL_S: Final = 0.5
"""Without an instance before what has come is described: who sends has the processors first."""
REST_S_MAX: Final = 30.0
"""A wake that was missed, or a disk that failed, delays descriptions by this much at most."""


class Describer:
    """Describes objects. Whoever makes it closes it.

    Args:
        path: where the key of an object leads.
        new_spool: a fresh path at which nothing is yet.
        discard: removes what lies at such a path.
        rewritten_bytes_max: size of the largest file that is rewritten to be read.
    """

    def __init__(
        self,
        database: Database,
        descriptions: Descriptions,
        workers: WorkerPool,
        *,
        path: Callable[[str], Path],
        new_spool: Callable[[], Path],
        discard: Callable[[Path], Awaitable[None]],
        rewritten_bytes_max: int,
    ) -> None:
        self._database = database
        self._descriptions = descriptions
        self._workers = workers
        self._path = path
        self._new_spool = new_spool
        self._discard = discard
        self._rewritten_bytes_max = rewritten_bytes_max
        self._woken = asyncio.Event()
        self._side_by_side = asyncio.Semaphore(GROUPS_MAX)
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """There may be something to describe."""
        self._woken.set()

    async def run(self) -> None:
        """Describe what is not described yet, until cancelled."""
        while True:
            self._woken.clear()
            waiting: list[Undescribed] = []
            try:
                waiting = await self._database.read(
                    lambda tx: self._descriptions.undescribed(tx, count_max=GROUP)
                )
                await self._describe(waiting)
            except Exception:
                log.exception("describing_failed")
                waiting = []
            if not waiting:
                await self._rest()

    async def describe(self, keys: Iterable[str]) -> None:
        """Have these objects described now; what nobody refers to any more is passed over.

        Raises:
            Unavailable: too much work waits, or the disk or the database fails.
        """
        wanted = list(keys)
        for start in range(0, len(wanted), GROUP * GROUPS_MAX):
            some = wanted[start : start + GROUP * GROUPS_MAX]
            objects = await self._database.read(
                lambda tx, some=some: self._descriptions.objects(tx, some)  # type: ignore[misc]
            )
            await self._describe(objects)

    async def describe_file(self, path: Path, transfer_syntax: str) -> Description:
        """What is to be said of a file that is not stored; nothing of it is kept.

        Raises:
            Unavailable: too much work waits, or the disk fails.
        """
        return await self._description("", path, transfer_syntax)

    async def close(self) -> None:
        """Leave off what is under way."""
        running = set(self._under_way.values())
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S_MAX):
                while True:
                    await self._woken.wait()
                    self._woken.clear()
                    await asyncio.sleep(LULL_S)
                    if not self._woken.is_set():
                        return

    async def _describe(self, objects: list[Undescribed]) -> None:
        """Return when all of them are described, by whomever."""
        begun = [one for one in objects if one.key not in self._under_way]
        for start in range(0, len(begun), GROUP):
            group = begun[start : start + GROUP]
            task = asyncio.create_task(self._describe_group(group))
            for one in group:
                self._under_way[one.key] = task
        tasks = {self._under_way[one.key] for one in objects}
        if tasks:
            # Whoever leaves does not end what others wait for.
            await asyncio.wait(tasks)
        for task in tasks:
            task.result()

    async def _describe_group(self, group: list[Undescribed]) -> None:
        try:
            async with self._side_by_side:
                described = [
                    await self._description(one.key, self._path(one.key), one.transfer_syntax)
                    for one in group
                ]
                await self._database.write(lambda tx: self._descriptions.keep(tx, described))
        finally:
            for one in group:
                del self._under_way[one.key]

    async def _description(self, key: str, path: Path, transfer_syntax: str) -> Description:
        scratch = self._new_spool()
        arguments = (path, transfer_syntax, scratch, self._rewritten_bytes_max)
        try:
            metadata, layout, starts = await self._workers.run(
                describe, *arguments, within_s=DESCRIBE_S_MAX
            )
            return Description(key=key, metadata=metadata, layout=layout, starts=starts)
        except FileNotFoundError:
            failure = "the instance's file is gone"
        except (NotAcceptable, WorkerDied) as error:
            failure = str(error)
        except OSError as error:
            raise StorageUnavailable(UNREADABLE) from error
        finally:
            if transfer_syntax in REWRITTEN:
                await to_the_end(self._discard(scratch))
        log.warning("instance_not_described", extra={"object": key, "reason": failure})
        return Description(key=key, failure=failure)
