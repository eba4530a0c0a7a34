"""Writes down what was read: nothing that is read is given out before its line is durable."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.errors import NotFound
from gateway.storage.database import Database
from indexer.server.batches import Batches
from indexer.server.journal.deed import Deed
from indexer.server.journal.journal import Journal
from indexer.wire.outcome import IssueCode, Refusal


class Scribe:
    """Takes deeds one reader at a time and writes them in batches.

    The app runs one scribe per index. Deeds that change something are not for it: their lines are
    part of the transaction that changes it.
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._batches: Batches[Sequence[Deed], None] = Batches(self._write)

    async def record(self, *deeds: Deed) -> None:
        """Write lines, and return once they are durable.

        Raises:
            Unavailable: too many wait, or the database does not take them now.
        """
        if deeds:
            await self._batches.put(deeds)

    async def tell_refused(self, deeds: Iterable[Deed], error: Refusal | NotFound) -> None:
        """The same of what was tried in vain."""
        code = error.code if isinstance(error, Refusal) else IssueCode.NOT_FOUND
        await self.record(*(replace(one, outcome=code) for one in deeds))

    async def run(self) -> None:
        """Write batches until cancelled; it is cancelled once nobody waits any more."""
        await self._batches.run()

    async def _write(self, batch: Sequence[Sequence[Deed]]) -> list[None]:
        deeds = [deed for one in batch for deed in one]
        await self._database.write(lambda tx: self._journal.add(tx, deeds))
        return [None] * len(batch)
