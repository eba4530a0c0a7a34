"""Shows people what they may see: a transaction each, and a line of the journal for who may not."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
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
from indexer.wire.outcome import Refusal

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
            Refusal, NotFound: it cannot be done, or they may not. The journal tells of it in the
                record of who asks; where nobody had to say who they are, in those looked at.
        """
        act = told(patient_key="").act
        tried = {caller.patient} if caller is not None else set()

        async def step(tx: Transaction) -> T:
            sight = await self._rights.sight(tx, caller, act)
            try:
                return await work(sight)
            finally:
                if caller is None:
                    tried.update(sight.known)

        try:
            if caller is not None and alerts(caller, act):
                return await self._database.write(step)
            return await self._database.read(step)
        except (Refusal, NotFound) as error:
            keys = sorted(map(patient_key, tried))
            await self._scribe.tell_refused([told(patient_key=key) for key in keys], error)
            raise

    async def tell_search(
        self, told: Callable[..., Deed], patient_keys: Iterable[str], owners: Iterable[str]
    ) -> None:
        """Have each record that a search touched tell how many of its documents it found."""
        counts = Counter(owners)
        lines = [told(patient_key=key, found=counts[key]) for key in sorted({*patient_keys})]
        await self._scribe.record(*lines)


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
