"""People at a record whose rights are decided, and what they do there."""

from collections.abc import Awaitable
from dataclasses import dataclass, replace

import pytest

from indexer.contract.access import Authentication, Caller, CallerKind, Purpose
from indexer.contract.document import DocumentEntry, Organisation, Person
from indexer.contract.document_set import DocumentSet, document_set_of
from indexer.server.acts import Exchange
from indexer.server.custody.stored_queries import Found
from indexer.server.rights.record import Record
from indexer.server.rights.records import HOUR_MS
from indexer.wire.fhir.elements import concept
from indexer.wire.fhir.patch import Operation, read_json_patch, withdrawal_patch
from indexer.wire.fhir.search import read_search
from indexer.wire.outcome import Refusal
from indexer.wire.xds.stored_query import StoredQuery
from tests.support.custody import Custody
from tests.support.pointers import ANNE, an_entry, submitting
from tests.support.rights import a_caller, masked

AUTHOR = a_caller(
    authentication=Authentication.DIRECT, person=Person(number="801234567897", family="MARTIN")
)
MEMBER = a_caller()
STRANGER = replace(MEMBER, person=Person(number="899900000002"))
CENTRE = replace(AUTHOR, authentication=Authentication.INDIRECT)
ELSEWHERE = replace(CENTRE, organisation=Organisation(number="1440000000"))
WITHDRAWAL = read_json_patch(withdrawal_patch())
PATIENT = replace(MEMBER, kind=CallerKind.PATIENT, person=Person(number=""), role=None)
IN_AN_EMERGENCY = replace(STRANGER, purpose=Purpose.BREAK_GLASS, reason="unconscious")


@dataclass
class Clock:
    ms: int = 10 * HOUR_MS

    def __call__(self) -> int:
        return self.ms


async def published(
    custody: Custody,
    number: int = 1,
    *,
    hidden_by: tuple[str, ...] = (),
    by: Caller | None = AUTHOR,
    replaces: str | None = None,
) -> DocumentEntry:
    document = b"a manifest"
    entry = replace(an_entry(number, document=document), confidentiality=masked(hidden_by))
    submitted = document_set_of(submitting(entry, document, replaces=replaces))
    return (await provided(custody, by, submitted)).documents[0].entry


async def provided(custody: Custody, by: Caller | None, submitted: DocumentSet) -> DocumentSet:
    return await custody.custodian.provide(by, submitted, exchange=Exchange.PROVIDE)


async def chosen(custody: Custody, record: Record) -> None:
    await custody.database.write(lambda tx: custody.records.put(tx, record, now_ms=0))


async def found(custody: Custody, caller: Caller | None, *, count: int = 100) -> list[str]:
    """Unique ids, page by page, newest first."""
    asked = [
        ("patient.identifier", f"urn:oid:{ANNE.oid}|{ANNE.value}"),
        ("status", "current"),
        ("_count", str(count)),
    ]
    names = []
    while True:
        page, more = await custody.custodian.find(caller, read_search(asked))
        names += [one.resource["masterIdentifier"]["value"][len("urn:oid:") :] for one in page]
        if not more:
            return names
        assert len(page) == count
        asked = [("_after", page[-1].entry_id), ("status", "current"), ("_count", str(count))]


async def asked(custody: Custody, caller: Caller | None, query: StoredQuery) -> Found:
    return await custody.custodian.query(caller, query)


async def refusal(doing: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await doing
    return refused.value


def labelled(*codes: str) -> tuple[Operation, ...]:
    labels = [concept(one) for one in masked(codes)]
    return read_json_patch([{"op": "replace", "path": "/securityLabel", "value": labels}])
