"""Shows people what they may see: a transaction each, and a line of the journal for who may not."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.errors import NotFound
from gateway.storage.database import Database, Transaction
from indexer.contract.access import Caller
from indexer.contract.document import DocumentEntry
from indexer.server.columns import patient_key, patient_of
from indexer.server.journal.deed import Deed
from indexer.server.journal.scribe import Scribe
from indexer.server.registry.registry import NOTHING_HELD, HeldEntry
from indexer.server.registry.rows import held_entry
from indexer.server.rights.rights import Rights, Sight, alerts
from indexer.wire.outcome import IssueCode, Refusal

T = TypeVar("T")


class Usher:
    """Lets people in, one transaction at a time."""

    def __init__(self, database: Database, rights: Rights, scribe: Scribe) -> None:
        self._database = database
        self._rights = rights
        self._scribe = scribe

    async def show(
        self,
        caller: Caller | None,
        told: Callable[..., Deed],
        work: Callable[[Sight], Awaitable[T]],
    ) -> T:
        """Do something with what somebody sees.

        Args:
            told: makes the line that tells of it, given whose record it is.

        Raises:
            Refusal: they may not, which their patient's journal tells.
        """
        act = told(patient_key="").act

        async def step(tx: Transaction) -> T:
            return await work(await self._rights.sight(tx, caller, act))

        try:
            if caller is not None and alerts(caller, act):
                return await self._database.write(step)
            return await self._database.read(step)
        except Refusal as error:
            if caller is not None and error.code is IssueCode.FORBIDDEN:
                key = patient_key(caller.patient)
                await self._scribe.record(told(patient_key=key, outcome=error.code))
            raise


async def seen(sight: Sight, held: HeldEntry) -> HeldEntry:
    """The entry.

    Raises:
        NotFound: it is hidden, which is told as if there were none.
    """
    if not await all_seen(sight, [held]):
        raise NotFound(NOTHING_HELD)
    return held


async def all_seen(sight: Sight, held: Sequence[HeldEntry]) -> list[HeldEntry]:
    """Those entries that are not hidden."""
    if sight.hides:
        ids = {one.entry_id for one in await sight.of([entry_of(one) for one in held])}
        return [one for one in held if one.entry_id in ids]
    # Of an open record all is shown, so that nothing needs to be read for it.
    keys = {one.patient_key for one in held}
    opened = {key for key in keys if await sight.opens(patient_of(key))}
    return [one for one in held if one.patient_key in opened]


def entry_of(held: HeldEntry) -> DocumentEntry:
    """What an entry tells."""
    return held_entry(held.resource)
