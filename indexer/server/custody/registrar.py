"""Holds submissions, many in one transaction, and tells of each in its record's journal.

The app runs one registrar per index. An answer leaves only when its batch is durable, and a batch
is one transaction, so an entry, its document, what it replaces and the line that tells who brought
it change together or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from gateway.storage.database import Database, Transaction
from indexer.contract.access import Caller
from indexer.contract.document_set import REPLACING, DocumentSet
from indexer.server.acts import Act, Exchange
from indexer.server.batches import Batches
from indexer.server.columns import patient_key
from indexer.server.journal.deed import DONE, Deed
from indexer.server.journal.journal import Journal
from indexer.server.registry.judging import allot
from indexer.server.registry.registry import Registry
from indexer.server.rights.decision import structure_of
from indexer.server.rights.rights import Rights
from indexer.server.telemetry import IndexMetrics
from indexer.wire.outcome import Refusal


@dataclass(frozen=True, slots=True)
class Brought:
    """A submission, who brings it, and how."""

    submitted: DocumentSet
    caller: Caller | None = None
    exchange: Exchange | None = None


class Registrar:
    """Takes submissions one by one and writes them in batches."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        rights: Rights,
        journal: Journal,
        metrics: IndexMetrics,
    ) -> None:
        self._database = database
        self._registry = registry
        self._rights = rights
        self._journal = journal
        self._metrics = metrics
        self._batches: Batches[Brought, None] = Batches(self._write, size_bytes=_size_bytes)

    async def register(
        self,
        submitted: DocumentSet,
        *,
        caller: Caller | None = None,
        exchange: Exchange | None = None,
    ) -> DocumentSet:
        """Hold a submission; gives it back with the ids allotted, once it is durable.

        Raises:
            Refusal: who brings it may not, the record takes nothing, a unique id is held already,
                or what is replaced is not current.
            Unavailable: too many wait, or the database does not take it now.
        """
        submitted = allot(submitted, lambda: str(uuid4()))
        await self._batches.put(Brought(submitted, caller, exchange))
        return submitted

    async def run(self) -> None:
        """Write batches until cancelled; it is cancelled once nobody waits any more."""
        await self._batches.run()

    async def _write(self, batch: Sequence[Brought]) -> list[Refusal | None]:
        async def work(tx: Transaction) -> Mapping[str, Refusal]:
            brought = [(one.caller, one.submitted) for one in batch]
            denied = await self._rights.refusals(tx, brought)
            taken = [one for _, one in brought if one.submission_set.set_id not in denied]
            submitters = {
                told.submission_set.set_id: structure_of(caller.organisation)
                for caller, told in brought
                if caller is not None
            }
            held = await self._registry.register(tx, taken, submitters=submitters)
            refused = {**held, **denied}
            deeds = [
                deed_of(one, refused.get(one.submitted.submission_set.set_id)) for one in batch
            ]
            await self._journal.add(tx, deeds)
            return refused

        refused = await self._database.write(work)
        self._metrics.submissions_held(len(batch) - len(refused))
        for refusal in refused.values():
            self._metrics.submission_refused(refusal.code)
        return [refused.get(one.submitted.submission_set.set_id) for one in batch]


def deed_of(brought: Brought, refusal: Refusal | None) -> Deed:
    """What the journal tells of a submission; one that was refused has allotted no ids."""
    submitted = brought.submitted
    told = submitted.submission_set
    replaces = any(one.relation in REPLACING for one in submitted.associations)
    return Deed(
        patient_key=patient_key(told.patient),
        act=Act.REPLACE if replaces else Act.PUBLISH,
        exchange=brought.exchange,
        caller=brought.caller,
        outcome=refusal.code if refusal else DONE,
        entries=() if refusal else tuple(one.entry.entry_id for one in submitted.documents),
        set_id="" if refusal else told.set_id,
    )


def _size_bytes(brought: Brought) -> int:
    return sum(len(one.content) for one in brought.submitted.documents)
