"""The one way to what records hold: every route, of either protocol, gets or changes it here.

Who asks comes first in each method: None is nobody in particular, as with open access. Decisions
about them belong here, for a route added later passes by none that it does not know of. So does
the journal: what is changed and the line that tells of it are one transaction, and what is read is
given out only once its line is durable.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from typing import TypeVar

from gateway.errors import NotFound
from gateway.storage.database import Database, Transaction
from indexer.contract.access import Caller
from indexer.contract.document import DocumentEntry
from indexer.contract.document_set import DocumentSet
from indexer.contract.identifiers import Ins, Uid
from indexer.server.access.signature_documents import SignatureDocuments
from indexer.server.acts import Act, Exchange
from indexer.server.columns import patient_key
from indexer.server.custody.extraction import sets_of
from indexer.server.custody.pages import as_seen, seen_entries, seen_entry, seen_sets
from indexer.server.custody.registrar import Brought, Registrar, deed_of
from indexer.server.custody.stored_queries import Found, StoredQueries
from indexer.server.custody.told_lines import ToldLines
from indexer.server.custody.usher import Usher, entry_of, seen
from indexer.server.journal.chain import Line
from indexer.server.journal.deed import Deed, naming
from indexer.server.journal.journal import Journal
from indexer.server.journal.scribe import Scribe
from indexer.server.registry.registry import (
    NOT_HELD,
    NOTHING_HELD,
    HeldDocument,
    HeldEntry,
    HeldSet,
    Registry,
    Withdrawn,
)
from indexer.server.rights.rights import Rights, Sight, holder_of
from indexer.wire.fhir.journal_search import JournalSearch
from indexer.wire.fhir.patch import Operation, withdraws
from indexer.wire.fhir.search import EntrySearch
from indexer.wire.fhir.search_controls import ObjectSearch
from indexer.wire.fhir.set_search import SetSearch
from indexer.wire.outcome import IssueCode, Refusal, XdsError, xds_refusal
from indexer.wire.xds.document_set_reader import StatusChange
from indexer.wire.xds.stored_query import StoredQuery, everything_of

H = TypeVar("H", HeldEntry, HeldSet)


class Custodian:
    """Keeps the records of one index."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        registrar: Registrar,
        *,
        rights: Rights,
        journal: Journal,
        scribe: Scribe,
        signatures: SignatureDocuments | None = None,
    ) -> None:
        self._database = database
        self._registry = registry
        self._registrar = registrar
        self._rights = rights
        self._usher = Usher(database, rights, scribe)
        self._journal = journal
        self._scribe = scribe
        self._signatures = signatures
        self._queries = StoredQueries(database.dialect)
        self._told_lines = ToldLines(journal, registry, self._queries)

    async def provide(
        self, caller: Caller | None, submitted: DocumentSet, *, exchange: Exchange
    ) -> DocumentSet:
        """Hold a submission; gives it back with the ids allotted, once it is durable.

        Raises:
            Refusal: a unique id is held already, what is replaced is not current, or the signature
                of the submission does not hold.
            Unavailable: too many wait, or the database does not take it now.
        """
        if self._signatures is not None:
            try:
                await self._signatures.check(submitted)
            except Refusal as refusal:
                await self._scribe.record(deed_of(Brought(submitted, caller, exchange), refusal))
                raise
        return await self._registrar.register(submitted, caller=caller, exchange=exchange)

    async def find(
        self, caller: Caller | None, search: EntrySearch
    ) -> tuple[list[HeldEntry], bool]:
        """One page of matches that are seen, newest first, and whether there are more.

        Raises:
            NotFound: the page before it is not known.
            Refusal: who asks may not search this record.
        """

        async def work(sight: Sight) -> tuple[list[HeldEntry], bool]:
            if search.after is not None:
                await seen(sight, await self._registry.entry(sight.tx, search.after))
            return await seen_entries(sight, self._registry, search)

        told = partial(
            Deed,
            act=Act.FIND,
            exchange=Exchange.FIND_REFERENCES,
            caller=caller,
            query="DocumentReference",
        )
        return await self._search(caller, search, told, work)

    async def find_sets(
        self, caller: Caller | None, search: SetSearch
    ) -> tuple[list[HeldSet], bool]:
        """One page of submission sets that are seen, the latest first, and whether there are more.

        Raises:
            NotFound: the page before it is not known.
            Refusal: who asks may not search this record.
        """
        told = partial(
            Deed, act=Act.FIND, exchange=Exchange.FIND_LISTS, caller=caller, query="List"
        )
        return await self._search(
            caller,
            search,
            told,
            lambda sight: seen_sets(sight, self._registry, self._queries, search),
        )

    async def _search(
        self,
        caller: Caller | None,
        search: ObjectSearch,
        told: Callable[..., Deed],
        work: Callable[[Sight], Awaitable[tuple[list[H], bool]]],
    ) -> tuple[list[H], bool]:
        """What `work` finds, told in the journal: of a record that is not there, nothing."""

        async def step(sight: Sight) -> tuple[list[H], bool]:
            if search.patient is not None and not await sight.open(search.patient):
                return [], False
            return await work(sight)

        found, more = await self._usher.show(caller, told, step)
        owners: list[str] = [one.patient_key for one in found]
        searched: list[str] = [patient_key(search.patient)] if search.patient else []
        await self._usher.tell_search(told, [*owners, *searched], owners)
        return found, more

    async def query(self, caller: Caller | None, query: StoredQuery) -> Found:
        """What a stored query finds of what is seen.

        Raises:
            InvalidValue: a parameter is missing or malformed, or too much was found.
            Refusal: who asks may not search this record.
        """
        told = partial(
            Deed,
            act=Act.FIND,
            exchange=Exchange.QUERY,
            caller=caller,
            query=f"urn:uuid:{query.kind}",
        )
        found = await self._usher.show(
            caller, told, lambda sight: self._queries.answer(sight, query)
        )
        owners = [patient_key(one.patient) for one in found.entries]
        await self._usher.tell_search(told, found.patient_keys, owners)
        return found

    async def entry(self, caller: Caller | None, entry_id: str) -> HeldEntry:
        """The entry by its id.

        Raises:
            NotFound: there is none to be seen.
            Refusal: who asks may not search its record.
        """

        async def work(sight: Sight) -> HeldEntry:
            return await seen_entry(sight, self._registry, entry_id)

        told = partial(Deed, act=Act.FIND, caller=caller)
        held = await self._usher.show(caller, told, work)
        await self._scribe.record(told(patient_key=held.patient_key, entries=(held.entry_id,)))
        return held

    async def submission_set(self, caller: Caller | None, set_id: str) -> HeldSet:
        """The submission set by its id, without those of its documents that are hidden.

        Raises:
            NotFound: there is none of which something is seen.
            Refusal: who asks may not search its record.
        """

        async def work(sight: Sight) -> HeldSet:
            held = await self._registry.submission_set(sight.tx, set_id)
            shown = await self._queries.documents_seen(sight, held.set_id)
            if shown is None:
                raise NotFound(NOTHING_HELD)
            return held.showing(shown)

        told = partial(Deed, act=Act.FIND, caller=caller)
        held = await self._usher.show(caller, told, work)
        await self._scribe.record(told(patient_key=held.patient_key, set_id=set_id))
        return held

    async def document(self, caller: Caller | None, entry_id: str) -> HeldDocument:
        """The document of an entry.

        Raises:
            NotFound: there is none to be seen.
            Refusal: who asks may not read documents of its record.
            Withdrawn: there was one.
        """

        async def work(sight: Sight) -> HeldDocument:
            await seen(sight, await self._registry.entry(sight.tx, entry_id))
            return await self._registry.document(sight.tx, entry_id)

        told = partial(
            Deed,
            act=Act.READ,
            exchange=Exchange.RETRIEVE_DOCUMENT,
            caller=caller,
            entries=(entry_id,),
        )
        try:
            held = await self._usher.show(caller, told, work)
        except Withdrawn as error:
            await self._scribe.record(
                told(patient_key=error.patient_key, outcome=IssueCode.DELETED)
            )
            raise
        await self._scribe.record(told(patient_key=held.patient_key))
        return held

    async def documents(
        self, caller: Caller | None, unique_ids: Sequence[str], *, bytes_max: int
    ) -> dict[str, HeldDocument | None]:
        """The documents by unique id that are seen; see `Registry.documents`.

        Raises:
            Refusal: who asks may not read documents of their record.
        """

        async def work(sight: Sight) -> dict[str, HeldDocument | None]:
            held = await self._registry.entries(sight.tx, unique_ids)
            shown = await sight.of([entry_of(one) for one in held])
            ids = [one.unique_id for one in shown]
            return await self._registry.documents(sight.tx, ids, bytes_max=bytes_max)

        told = partial(Deed, act=Act.READ, exchange=Exchange.RETRIEVE, caller=caller)
        found = await self._usher.show(caller, told, work)
        read = [one for one in found.values() if one is not None]
        entries: dict[str, list[str]] = {}
        for one in read:
            entries.setdefault(one.patient_key, []).append(one.entry_id)
        await self._scribe.record(
            *(told(patient_key=key, entries=tuple(ids)) for key, ids in sorted(entries.items()))
        )
        return found

    async def update(
        self, caller: Caller | None, entry_id: str, operations: Sequence[Operation]
    ) -> HeldEntry:
        """Change status or confidentiality of an entry; gives it as it is then, durably.

        Raises:
            NotFound: there is none to be seen.
            Refusal: it is not for them to change so, an operation cannot be done, or the entry may
                not become what it would be.
        """
        return await self._update(caller, lambda tx: self._registry.entry(tx, entry_id), operations)

    async def update_document(
        self, caller: Caller | None, unique_id: Uid, operations: Sequence[Operation]
    ) -> HeldEntry:
        """Change the entry of a document; see `update`."""
        return await self._update(
            caller, lambda tx: self._registry.entry_of(tx, unique_id), operations
        )

    async def _update(
        self,
        caller: Caller | None,
        find: Callable[[Transaction], Awaitable[HeldEntry]],
        operations: Sequence[Operation],
    ) -> HeldEntry:
        act = Act.WITHDRAW if withdraws(operations) else Act.CHANGE
        # Until it is known whose the entry is, what is refused was tried with a proof for a record.
        told = partial(Deed, act=act, caller=caller)
        deeds = [told(patient_key=patient_key(caller.patient))] if caller else []

        async def work(tx: Transaction) -> HeldEntry:
            sight = await self._rights.sight(tx, caller, act)
            held = await seen(sight, await find(tx))
            deeds[:] = [told(patient_key=held.patient_key, entries=(held.entry_id,))]
            changed = await self._registry.update(tx, held, operations)
            await sight.permit_change(entry_of(held), entry_of(changed))
            await self._journal.add(tx, deeds)
            return await as_seen(sight, self._registry, changed)

        try:
            return await self._database.write(work)
        except (Refusal, NotFound) as error:
            await self._scribe.tell_refused(deeds, error)
            raise

    async def change_statuses(self, caller: Caller | None, changes: Sequence[StatusChange]) -> None:
        """Take entries out of what is current, durably, all of them or none.

        Raises:
            Refusal: one is not held, is another patient's, is not theirs, or has another status.
        """
        told = partial(Deed, act=Act.WITHDRAW, exchange=Exchange.UPDATE, caller=caller)
        deeds = [
            line
            for patient, them in groupby(changes, lambda one: one.patient)
            for line in naming(told(patient_key=patient_key(patient)), [one.target for one in them])
        ]

        async def work(tx: Transaction) -> None:
            sight = await self._rights.sight(tx, caller, Act.WITHDRAW)
            held = await self._registry.entries_by_id(tx, [one.target for one in changes])
            shown = await sight.of([entry_of(one) for one in held])
            hidden = {one.entry_id for one in held} - {one.entry_id for one in shown}
            if hidden:
                raise xds_refusal(NOT_HELD, XdsError.UNRESOLVED_REFERENCE)
            await self._registry.change_statuses(tx, changes)
            await self._journal.add(tx, deeds)

        try:
            await self._database.write(work)
        except Refusal as error:
            await self._scribe.tell_refused(deeds, error)
            raise

    async def extract(self, caller: Caller | None, patient: Ins) -> list[DocumentSet]:
        """All of a record that its holder may see, by the sets that brought it; without the bytes.

        Raises:
            InvalidValue: it is too much.
            Refusal: who asks is not its holder, or it is closed.
        """
        told = partial(Deed, act=Act.EXTRACT, caller=caller)
        found = await self._usher.show(
            caller or holder_of(patient),
            told,
            lambda sight: self._queries.answer(sight, everything_of(patient)),
        )
        entries = tuple(one.entry_id for one in found.entries)
        key = patient_key(patient)
        await self._scribe.record(told(patient_key=key, entries=entries, found=len(entries)))
        return sets_of(found)

    async def extracted(self, entry_id: str) -> bytes | None:
        """The document of an entry that `extract` gave; None where it has been withdrawn since."""
        try:
            held = await self._database.read(lambda tx: self._registry.document(tx, entry_id))
        except Withdrawn:
            return None
        return held.content

    async def held_ids(self, entries: Sequence[DocumentEntry]) -> list[str]:
        """The ids of those of these documents that are held as they are.

        It is asked by who has them already; so nothing is given out, and the journal tells nothing.
        """
        return await self._database.read(lambda tx: self._registry.held_ids(tx, entries))

    async def journal(
        self, caller: Caller | None, search: JournalSearch
    ) -> tuple[list[Line], bool]:
        """One page of a record's journal as it is told to who asks, and whether there are more.

        Raises:
            Refusal: who asks may not read it.
        """

        told = partial(Deed, act=Act.READ_JOURNAL, caller=caller, query="AuditEvent")
        found = await self._usher.show(
            caller, told, lambda sight: self._told_lines.find(sight, search)
        )
        await self._scribe.record(told(patient_key=patient_key(search.patient)))
        return found
