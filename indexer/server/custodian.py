"""The one way to what records hold: every route, of either protocol, gets or changes it here.

Who asks comes first in each method: None is nobody in particular, as with open access. Decisions
about them belong here, for a route added later passes by none that it does not know of.
"""

from collections.abc import Sequence

from gateway.storage.database import Database
from indexer.contract.access import Caller
from indexer.contract.document_set import DocumentSet
from indexer.contract.identifiers import Uid
from indexer.server.registrar import Registrar
from indexer.server.registry import HeldDocument, HeldEntry, Registry
from indexer.server.stored_queries import Found, StoredQueries
from indexer.wire.document_set_reader import Withdrawal
from indexer.wire.search import EntrySearch
from indexer.wire.stored_query import StoredQuery


class Custodian:
    """Keeps the records of one index."""

    def __init__(self, database: Database, registry: Registry, registrar: Registrar) -> None:
        self._database = database
        self._registry = registry
        self._registrar = registrar
        self._queries = StoredQueries(database.dialect)

    async def provide(self, caller: Caller | None, submitted: DocumentSet) -> DocumentSet:
        """Hold a submission; gives it back with the ids allotted, once it is durable.

        Raises:
            Refusal: a unique id is held already, or what is replaced is not current.
            Unavailable: too many wait, or the database does not take it now.
        """
        return await self._registrar.register(submitted)

    async def find(
        self, caller: Caller | None, search: EntrySearch
    ) -> tuple[list[HeldEntry], bool]:
        """One page of matches, newest first, and whether there are more.

        Raises:
            NotFound: the page before it is not known.
        """
        return await self._database.read(lambda tx: self._registry.find(tx, search))

    async def query(self, caller: Caller | None, query: StoredQuery) -> Found:
        """What a stored query finds.

        Raises:
            InvalidValue: a parameter is missing or malformed, or too much was found.
        """
        return await self._database.read(lambda tx: self._queries.answer(tx, query))

    async def entry(self, caller: Caller | None, entry_id: str) -> HeldEntry:
        """The entry by its id.

        Raises:
            NotFound: there is none.
        """
        return await self._database.read(lambda tx: self._registry.entry(tx, entry_id))

    async def submission_set(self, caller: Caller | None, set_id: str) -> bytes:
        """The List of a submission set, as JSON.

        Raises:
            NotFound: there is none.
        """
        return await self._database.read(lambda tx: self._registry.submission_set(tx, set_id))

    async def document(self, caller: Caller | None, entry_id: str) -> HeldDocument:
        """The document of an entry.

        Raises:
            NotFound: there is none.
            Withdrawn: there was one.
        """
        return await self._database.read(lambda tx: self._registry.document(tx, entry_id))

    async def documents(
        self, caller: Caller | None, unique_ids: Sequence[str], *, bytes_max: int
    ) -> dict[str, HeldDocument | None]:
        """The documents by unique id; see `Registry.documents`."""
        return await self._database.read(
            lambda tx: self._registry.documents(tx, unique_ids, bytes_max=bytes_max)
        )

    async def withdraw(self, caller: Caller | None, entry_id: str) -> HeldEntry:
        """Withdraw an entry, whatever its status; gives it as it is then, durably.

        Raises:
            NotFound: there is none.
        """
        return await self._database.write(lambda tx: self._registry.withdraw(tx, entry_id))

    async def withdraw_document(self, caller: Caller | None, unique_id: Uid) -> HeldEntry:
        """Withdraw the entry of a document; see `withdraw`."""
        return await self._database.write(
            lambda tx: self._registry.withdraw_document(tx, unique_id)
        )

    async def withdraw_all(self, caller: Caller | None, withdrawals: Sequence[Withdrawal]) -> None:
        """Withdraw entries, durably, all of them or none.

        Raises:
            Refusal: one is not held, is another patient's, or has another status.
        """
        await self._database.write(lambda tx: self._registry.withdraw_all(tx, withdrawals))
