"""Clients of an index in each protocol, and pairs of them that speak of the same records."""

from dataclasses import dataclass

import aiohttp

from indexer.client.mhd import MhdIndex
from indexer.client.proof import NOBODY, Proof
from indexer.client.xds import XdsIndex, XdsSource
from indexer.contract.access import Caller
from indexer.contract.document import Code, DocumentEntry, DocumentQuery, Receipt, Submission
from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.contract.index import Index
from indexer.contract.record import RecordState

SOURCE = XdsSource(
    source_id=Oid("1.2.250.1.59.40211"),
    content_type=Code(code="04", scheme="1.2.250.1.213.2.2"),
)
PROTOCOLS = ("mhd", "xds")
PAIRS = ("mhd", "xds", "mhd then xds", "xds then mhd")


@dataclass(frozen=True, slots=True)
class Pair:
    """Changes what is held by one client, and asks for it by another."""

    changes: Index
    asks: Index

    def acting_for(self, caller: Caller) -> "Pair":
        return Pair(self.changes.acting_for(caller), self.asks.acting_for(caller))

    async def record_state(self, patient: Ins) -> RecordState | None:
        return await self.asks.record_state(patient)

    async def submit(self, submission: Submission) -> Receipt:
        return await self.changes.submit(submission)

    async def withdraw(self, entry_id: str) -> None:
        await self.changes.withdraw(entry_id)

    async def find(self, query: DocumentQuery) -> list[DocumentEntry]:
        return await self.asks.find(query)

    async def find_by_unique_id(self, unique_id: Uid) -> DocumentEntry | None:
        return await self.asks.find_by_unique_id(unique_id)

    async def retrieve(self, entry: DocumentEntry) -> bytes:
        return await self.asks.retrieve(entry)


def a_client(
    protocol: str,
    url: str,
    session: aiohttp.ClientSession,
    *,
    proof: Proof = NOBODY,
    answer_s_max: float = 30.0,
) -> Index:
    if protocol == "mhd":
        return MhdIndex(url, session, proof=proof, answer_s_max=answer_s_max)
    return XdsIndex(url, session, source=SOURCE, proof=proof, answer_s_max=answer_s_max)


def a_pair(name: str, url: str, session: aiohttp.ClientSession) -> Index:
    """By the name of a protocol, or of the one that changes then the one that asks."""
    changes, _, asks = name.partition(" then ")
    first = a_client(changes, url, session)
    return Pair(first, a_client(asks, url, session)) if asks else first
