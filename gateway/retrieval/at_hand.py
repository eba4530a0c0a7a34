"""Which studies are being given, so that no file is dropped under its reader.

Whoever reads stored files says so before it asks where they lie; whoever drops some has the study
to itself until nothing refers to them any more.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from indexer.contract.identifiers import Uid


class StudiesAtHand:
    """Readers and droppers of studies, on one loop.

    Args:
        clock: milliseconds since 1970.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._readers: Counter[Uid] = Counter()
        self._dropped: dict[Uid, asyncio.Event] = {}
        """By study that something is dropped of, set when that is over."""
        self._read_at_ms: dict[Uid, int] = {}

    @property
    def in_use(self) -> list[Uid]:
        """Studies that somebody reads now."""
        return list(self._readers)

    @asynccontextmanager
    async def reading(self, study: Uid) -> AsyncIterator[None]:
        """Held by who reads files of the study; what is known of it is asked inside."""
        while (dropped := self._dropped.get(study)) is not None:
            await dropped.wait()
        self._readers[study] += 1
        self._read_at_ms[study] = self._clock()
        try:
            yield
        finally:
            self._readers[study] -= 1
            if not self._readers[study]:
                del self._readers[study]

    @contextmanager
    def dropping(self, study: Uid) -> Iterator[bool]:
        """Held by who drops files of the study; False if it must not, for somebody reads them."""
        if study in self._readers or study in self._dropped:
            yield False
            return
        over = self._dropped[study] = asyncio.Event()
        try:
            yield True
        finally:
            del self._dropped[study]
            over.set()

    def take_read(self) -> dict[Uid, int]:
        """When each study was read, of those read since this was last asked."""
        read, self._read_at_ms = self._read_at_ms, {}
        return read
