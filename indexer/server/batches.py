"""Has many that come at once handled together: what waits while one batch is, becomes the next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.errors import Unavailable

log = logging.getLogger(__name__)

BATCH_MAX = 256
BATCH_BYTES_MAX = 32 * 2**20
WAITING_MAX = 1024
"""How many may wait; more are asked to come again."""
WAITING_BYTES_MAX = 256 * 2**20
"""Of all that wait or are handled; one alone is taken whatever its size."""
RETRY_AFTER_S = 1.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T, R]):
    item: T
    size_bytes: int
    answer: "asyncio.Future[R]"


class Batches(Generic[T, R]):
    """Takes items one by one, and hands them on in batches, one after the other.

    Args:
        handle: gives what came of each item, in their order; an exception is raised to its caller.
            Where it fails, it has done nothing.
        size_bytes: of an item.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        size_bytes: Callable[[T], int] = lambda _: 0,
    ) -> None:
        self._handle = handle
        self._size_bytes = size_bytes
        self._queue: asyncio.Queue[_Waiting[T, R]] = asyncio.Queue(WAITING_MAX)
        self._waiting_bytes = 0

    async def put(self, item: T) -> R:
        """Have an item handled, and give what came of it.

        Raises:
            Unavailable: too many wait, or `handle` said so.
        """
        size_bytes = self._size_bytes(item)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        too_much = self._waiting_bytes > 0 and self._waiting_bytes + size_bytes > WAITING_BYTES_MAX
        if too_much or self._queue.full():
            raise Unavailable("too many wait", retry_after_s=RETRY_AFTER_S)
        self._queue.put_nowait(_Waiting(item, size_bytes, answer))
        self._waiting_bytes += size_bytes
        return await answer

    async def run(self) -> None:
        """Handle batches until cancelled; it is cancelled once nobody waits any more."""
        while True:
            batch = [await self._queue.get()]
            size_bytes = batch[0].size_bytes
            while (
                not self._queue.empty() and len(batch) < BATCH_MAX and size_bytes < BATCH_BYTES_MAX
            ):
                batch.append(self._queue.get_nowait())
                size_bytes += batch[-1].size_bytes
            await self._answer(batch)
            self._waiting_bytes -= size_bytes

    async def _answer(self, batch: Sequence[_Waiting[T, R]]) -> None:
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self._handle([one.item for one in batch])
        except Unavailable as error:
            outcomes = [error] * len(batch)
        except Exception as error:  # whatever it is, who waits must hear of it
            log.exception("batch_not_written", extra={"items": len(batch)})
            if len(batch) > 1:
                for one in batch:  # so that the one at fault fails alone
                    await self._answer([one])
                return
            outcomes = [error]
        for one, outcome in zip(batch, outcomes, strict=True):
            if one.answer.done():  # its caller was cancelled
                continue
            if isinstance(outcome, Exception):
                one.answer.set_exception(outcome)
            else:
                one.answer.set_result(outcome)
