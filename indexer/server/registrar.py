"""Holds submissions: what waits while one batch is written becomes the next batch.

The app runs one registrar per index. An answer leaves only when its batch is durable, and a batch
is one transaction, so an entry, its document and what it replaces change together or not at all.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from gateway.errors import Unavailable
from gateway.storage.database import Database
from indexer.contract.document_set import DocumentSet
from indexer.server.judging import allot
from indexer.server.registry import Registry
from indexer.server.telemetry import IndexMetrics
from indexer.wire.outcome import Refusal

log = logging.getLogger(__name__)

BATCH_MAX = 256
BATCH_BYTES_MAX = 32 * 2**20
WAITING_MAX = 1024
"""Submissions that may wait; more are asked to come again."""
WAITING_BYTES_MAX = 256 * 2**20
"""Of the documents of all that wait or are written; one alone is taken whatever its size."""
RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    submitted: DocumentSet
    answer: asyncio.Future[None]


class Registrar:
    """Takes submissions one by one and writes them in batches."""

    def __init__(self, database: Database, registry: Registry, metrics: IndexMetrics) -> None:
        self._database = database
        self._registry = registry
        self._metrics = metrics
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(WAITING_MAX)
        self._waiting_bytes = 0

    async def register(self, submitted: DocumentSet) -> DocumentSet:
        """Hold a submission; gives it back with the ids allotted, once it is durable.

        Raises:
            Refusal: a unique id is held already, or what is replaced is not current.
            Unavailable: too many wait, or the database does not take it now.
        """
        submitted = allot(submitted, lambda: str(uuid4()))
        size_bytes = _size_bytes(submitted)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        too_much = self._waiting_bytes > 0 and self._waiting_bytes + size_bytes > WAITING_BYTES_MAX
        if too_much or self._queue.full():
            raise Unavailable("too many wait", retry_after_s=RETRY_AFTER_S)
        self._queue.put_nowait(_Waiting(submitted, answer))
        self._waiting_bytes += size_bytes
        await answer
        return submitted

    async def run(self) -> None:
        """Write batches until cancelled; it is cancelled once nobody waits any more."""
        while True:
            batch = [await self._queue.get()]
            size_bytes = _size_bytes(batch[0].submitted)
            while (
                not self._queue.empty() and len(batch) < BATCH_MAX and size_bytes < BATCH_BYTES_MAX
            ):
                batch.append(self._queue.get_nowait())
                size_bytes += _size_bytes(batch[-1].submitted)
            await self._write(batch)
            self._waiting_bytes -= size_bytes

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        submitted = [one.submitted for one in batch]
        try:
            refused = await self._database.write(lambda tx: self._registry.register(tx, submitted))
        except Unavailable as error:
            for one in batch:
                _fail(one.answer, error)
        except Exception as error:  # whatever it is, who waits must hear of it
            log.exception("batch_not_written", extra={"submissions": len(batch)})
            if len(batch) == 1:
                _fail(batch[0].answer, error)
                return
            for one in batch:  # so that the one at fault fails alone
                await self._write([one])
        else:
            self._answer(batch, refused)

    def _answer(self, batch: Sequence[_Waiting], refused: Mapping[str, Refusal]) -> None:
        self._metrics.submissions_held(len(batch) - len(refused))
        for one in batch:
            refusal = refused.get(one.submitted.submission_set.set_id)
            if refusal is not None:
                self._metrics.submission_refused(refusal.code)
                _fail(one.answer, refusal)
            elif not one.answer.done():  # done: its caller was cancelled
                one.answer.set_result(None)


def _size_bytes(submitted: DocumentSet) -> int:
    return sum(len(one.content) for one in submitted.documents)


def _fail(answer: asyncio.Future[None], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
