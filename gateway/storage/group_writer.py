"""Group commit: one task takes the works that wait and makes them durable together.

Each engine runs one writer on a connection of its own. A work's caller hears of it only after the
COMMIT that holds it.
"""

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gateway.errors import StorageUnavailable
from gateway.storage.database import T, Work

log = logging.getLogger(__name__)

AFTER_S_MAX: Final = 60.0
"""For what must be done before a commit, while all who write wait."""


@dataclass(slots=True)
class _Submitted:
    """A work, and what came of it so far; `done` tells its caller once that is certain."""

    work: Work[Any]
    after: Future[None] | None
    done: asyncio.Future[Any] = field(default_factory=asyncio.Future)
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.done.done():
            return
        if self.error is None:
            self.done.set_result(self.result)
        elif isinstance(self.error, asyncio.CancelledError):
            self.done.cancel()
        else:
            self.done.set_exception(self.error)


class CommitInDoubt(StorageUnavailable):
    """The engine was told to commit, and does not say whether it has."""


class WritingConnection(Protocol):
    """What the writer asks of an engine's connection, which nobody else uses."""

    async def drive(self, group: Coroutine[Any, Any, None]) -> None:
        """Run to its end what the writer does with one group, where this connection lives.

        The other methods are awaited in there, and nothing else is.
        """

    async def begin(self, script: str) -> None:
        """Begin a transaction with the script; a connection that was lost is opened anew.

        Raises:
            StorageUnavailable: the engine does not answer.
        """

    async def run_script(self, script: str) -> None:
        """Run statements without parameters, up to the first that fails."""

    async def run_work(self, work: Work[T]) -> T:
        """Run `work` in the savepoint that is open; it fails if any of its statements did."""

    async def wait(self, done: Future[None]) -> None:
        """Wait for what must be done before the commit; it raises what that raised.

        Raises:
            TimeoutError: it takes more than `AFTER_S_MAX`.
        """

    async def commit(self, script: str) -> None:
        """Run the script and commit; on return the transaction is durable.

        Raises:
            CommitInDoubt: it may be durable or not.
        """

    async def roll_back(self) -> None:
        """Leave the connection outside a transaction, as it is after some failures already."""


class GroupWriter:
    """Owns the writing connection from its making to `finish`.

    Args:
        group_max: works that may share one transaction.
        queue_max: works that may wait; more are turned away.
    """

    def __init__(self, connection: WritingConnection, *, group_max: int, queue_max: int) -> None:
        self._connection = connection
        self._group_max = group_max
        self._queue: asyncio.Queue[_Submitted | None] = asyncio.Queue(queue_max)
        self._finished = False
        self.groups = 0
        """That were committed, or not, before any of their callers heard of it."""
        self._task = asyncio.create_task(self._run(), name="group-writer")

    async def write(self, work: Work[T], *, after: Future[None] | None = None) -> T:
        """Queue the work and return its result once it is durable (see `Database.write`)."""
        if self._finished:
            raise StorageUnavailable("the database is closed")
        submitted = _Submitted(work, after)
        try:
            self._queue.put_nowait(submitted)
        except asyncio.QueueFull:
            raise StorageUnavailable("too many writes are waiting", retry_after_s=1.0) from None
        try:
            result: T = await asyncio.shield(submitted.done)
        except asyncio.CancelledError:
            submitted.done.add_done_callback(_log_unheard)
            raise
        return result

    async def finish(self) -> None:
        """Take no more works, and return when those taken are settled."""
        self._finished = True
        if not self._task.done():
            await self._queue.put(None)
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        group: list[_Submitted] = []
        try:
            while group := await self._next_group():
                try:
                    await self._connection.drive(self._commit(group))
                finally:
                    self.groups += 1
                for submitted in group:
                    submitted.settle()
        finally:  # the loop is being torn down: whoever still waits must not wait for ever
            self._finished = True
            for submitted in [*group, *self._take(self._queue.qsize())]:
                submitted.error = StorageUnavailable("the database is closed")
                submitted.settle()

    async def _next_group(self) -> list[_Submitted]:
        """The works that wait, at least one; none when the writer is to finish."""
        first = await self._queue.get()
        return [] if first is None else [first, *self._take(self._group_max - 1)]

    def _take(self, count_max: int) -> list[_Submitted]:
        taken: list[_Submitted] = []
        while len(taken) < count_max and not self._queue.empty():
            if (submitted := self._queue.get_nowait()) is None:
                self._queue.put_nowait(None)  # the end stays last: nothing is queued after it
                break
            taken.append(submitted)
        return taken

    async def _commit(self, group: list[_Submitted]) -> None:
        """Run the works in one transaction; without its COMMIT none of them holds."""
        try:
            opening, ending = self._connection.begin, ""
            for submitted in group:
                await opening(f"{ending}SAVEPOINT work")
                ending = f"{await self._run_in_savepoint(submitted)}; "
                opening = self._connection.run_script
            for submitted in group:
                if submitted.after is not None:
                    await self._connection.wait(submitted.after)
            # Fails if SQLite has rolled back the whole by itself, as it may when the disk is full.
            await self._connection.commit(ending)
        except Exception as error:
            if isinstance(error, CommitInDoubt):
                log.exception("group_in_doubt", extra={"works": len(group)})
                told = "the database did not say whether it committed"
            else:
                log.exception("group_not_committed", extra={"works": len(group)})
                told = "the database could not commit"
            for submitted in group:
                if submitted.error is None:
                    submitted.error = StorageUnavailable(told)
                    submitted.error.__cause__ = error
            await self._roll_back()

    async def _run_in_savepoint(self, submitted: _Submitted) -> str:
        """Let a work fail alone; returns what ends its savepoint, to be run with what follows."""
        try:
            submitted.result = await self._connection.run_work(submitted.work)
        except (Exception, asyncio.CancelledError) as error:
            if self._task.cancelling():
                raise
            submitted.error = error
            return "ROLLBACK TO work; RELEASE work"
        return "RELEASE work"

    async def _roll_back(self) -> None:
        try:
            await self._connection.roll_back()
        except Exception:
            log.exception("group_not_rolled_back")


def _log_unheard(done: asyncio.Future[Any]) -> None:
    """A work failed after its caller was cancelled; its kind alone, for it may quote a patient."""
    if not done.cancelled() and (error := done.exception()) is not None:
        log.warning("work_failed_unheard", extra={"error": type(error).__name__})
