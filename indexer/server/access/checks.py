"""Checks signatures on threads, so that nobody else waits.

One takes about a millisecond; the first after an authority's revocation list changed takes as
long as it takes to read the list, which may have millions of lines.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from gateway.errors import Unavailable

T = TypeVar("T")

AT_ONCE_MAX: Final = 2
WAITING_MAX: Final = 256
"""What may wait to be checked; more is asked to come again."""


class Checks:
    """The threads of one index."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="checks")
        self._waiting = 0

    def close(self) -> None:
        """Begin no more, and wait for those under way."""
        self._threads.shutdown(cancel_futures=True)

    async def run(self, check: Callable[[], T]) -> T:
        """What a check comes to.

        Raises:
            Unavailable: too many are waiting.
        """
        if self._waiting >= WAITING_MAX:
            raise Unavailable("too many signatures wait to be checked")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, check)
        finally:
            self._waiting -= 1
