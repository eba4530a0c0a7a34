"""What the custodian gives to whom: what may not be seen is not there, by any way to it."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest

from gateway.errors import NotFound
from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.access import Authentication, Caller, CallerKind, Purpose
from indexer.contract.document import DocumentEntry, EntryStatus, Organisation, Person
from indexer.contract.document_set import DocumentSet, Relation, document_set_of
from indexer.contract.record import RecordState
from indexer.server.acts import Exchange
from indexer.server.rights.record import Record
from indexer.server.rights.records import HOUR_MS, Permission
from indexer.server.stored_queries import Found
from indexer.wire.document_set_reader import StatusChange
from indexer.wire.elements import concept
from indexer.wire.outcome import IssueCode, Refusal, XdsError
from indexer.wire.patch import Operation, read_json_patch, withdrawal_patch
from indexer.wire.search import read_search
from indexer.wire.set_search import read_set_search
from indexer.wire.stored_query import QueryKind, StoredQuery
from tests.support.custody import Custody, custody_of
from tests.support.pointers import ANNE, PAUL, a_submission, an_entry, submitting
from tests.support.queries import a_query
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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def custody(tmp_path: Path, clock: Clock) -> AsyncIterator[Custody]:
    database = await SqliteDatabase.open(tmp_path / "index.sqlite")
    async with custody_of(database, now_ms=clock) as custody:
        await custody.admit(AUTHOR, MEMBER)
        yield custody


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


async def test_a_page_is_filled_with_what_is_seen_and_tells_of_nothing_else(
    custody: Custody,
) -> None:
    entries = [
        await published(custody, number, hidden_by=("MASQUE_PS",) if number % 3 else ())
        for number in range(1, 13)
    ]
    seen = [one.unique_id for one in reversed(entries) if len(one.confidentiality) == 1]

    assert await found(custody, AUTHOR, count=5) == [one.unique_id for one in reversed(entries)]
    assert await found(custody, MEMBER, count=2) == seen
    assert await found(custody, MEMBER, count=4) == seen
    assert await found(custody, None, count=5) == [one.unique_id for one in reversed(entries)]


async def test_what_is_hidden_is_not_there_by_any_way_to_it(custody: Custody) -> None:
    hidden = await published(custody, hidden_by=("MASQUE_PS",))
    set_id = (await asked(custody, AUTHOR, a_query(QueryKind.GET_ALL))).sets[0].set_id
    custodian, for_paul = custody.custodian, replace(MEMBER, patient=PAUL)
    await custody.admit(for_paul)

    for caller in (MEMBER, for_paul):
        with pytest.raises(NotFound, match="the index holds nothing by this id"):
            await custodian.entry(caller, hidden.entry_id)
        with pytest.raises(NotFound, match="the index holds nothing by this id"):
            await custodian.document(caller, hidden.entry_id)
        with pytest.raises(NotFound, match="the index holds nothing by this id"):
            await custodian.submission_set(caller, set_id)


async def test_stored_queries_name_nothing_that_is_hidden(custody: Custody) -> None:
    first = await published(custody, 1)
    second = await published(custody, 2, hidden_by=("MASQUE_PS",), replaces=first.entry_id)
    sets = (await asked(custody, AUTHOR, a_query(QueryKind.GET_ALL))).sets
    hidden_ids = {
        second.entry_id,
        next(s.set_id for s in sets if s.unique_id.startswith("2.25.12")),
    }
    entry_ids, set_ids = [first.entry_id, second.entry_id], [one.set_id for one in sets]

    for query in (
        a_query(QueryKind.FIND_DOCUMENTS, statuses=EntryStatus),
        a_query(QueryKind.GET_ALL, statuses=EntryStatus),
        a_query(QueryKind.GET_DOCUMENTS, entries=entry_ids),
        a_query(QueryKind.GET_ASSOCIATIONS, objects=[*entry_ids, *set_ids]),
        a_query(QueryKind.GET_DOCUMENTS_AND_ASSOCIATIONS, entries=entry_ids),
        a_query(QueryKind.GET_SUBMISSION_SETS, objects=entry_ids),
        *(a_query(QueryKind.GET_SET_AND_CONTENTS, sets=[one]) for one in set_ids),
        a_query(QueryKind.GET_RELATED, entries=[first.entry_id], relations=Relation),
    ):
        shown = await asked(custody, MEMBER, query)
        ends = {end for one, _ in shown.associations for end in (one.source, one.target)}
        named = {*(e.entry_id for e in shown.entries), *(s.set_id for s in shown.sets), *ends}
        assert not named & hidden_ids, query.kind
        everything = await asked(custody, AUTHOR, query)
        assert len(everything.entries) >= len(shown.entries)


async def test_a_stranger_is_refused_and_the_journal_tells_of_it(custody: Custody) -> None:
    held = await published(custody)
    custodian = custody.custodian

    for doing in (
        found(custody, STRANGER),
        asked(custody, STRANGER, a_query(QueryKind.GET_DOCUMENTS, entries=[held.entry_id])),
        custodian.entry(STRANGER, held.entry_id),
        custodian.document(STRANGER, held.entry_id),
        custodian.documents(STRANGER, [held.unique_id], bytes_max=2**20),
    ):
        refused = await refusal(doing)
        assert refused.code is IssueCode.FORBIDDEN
        assert "declare first" in refused.reason

    told = await custody.told()
    assert [(one["act"], one["outcome"]) for one in told[1:]] == [
        ("find", "forbidden"),
        ("find", "forbidden"),
        ("find", "forbidden"),
        ("read", "forbidden"),
        ("read", "forbidden"),
    ]


async def test_a_proof_for_one_patient_opens_no_other_record(custody: Custody) -> None:
    held = await published(custody)
    for_paul = replace(AUTHOR, patient=PAUL)
    await custody.admit(for_paul)

    assert (await refusal(found(custody, for_paul))).code is IssueCode.FORBIDDEN
    with pytest.raises(NotFound):
        await custody.custodian.document(for_paul, held.entry_id)
    refused = await refusal(published(custody, 2, by=for_paul))
    assert refused.reason == "forbidden: the proof is for another patient"
    assert await custody.custodian.documents(for_paul, [held.unique_id], bytes_max=1) == {}


async def test_a_permission_ends_when_the_holder_said(custody: Custody, clock: Clock) -> None:
    await published(custody)
    until = Permission(
        professional=STRANGER.person.number, granted_at_ms=0, granted_until_ms=clock.ms + 1
    )
    await custody.database.write(lambda tx: custody.records.put_permission(tx, ANNE, until))

    assert len(await found(custody, STRANGER)) == 1
    clock.ms += 1
    assert (await refusal(found(custody, STRANGER))).code is IssueCode.FORBIDDEN


async def test_an_emergency_is_told_to_the_patient_once_an_hour(
    custody: Custody, clock: Clock
) -> None:
    held = await published(custody)

    await found(custody, IN_AN_EMERGENCY)
    clock.ms += HOUR_MS - 1
    await custody.custodian.document(IN_AN_EMERGENCY, held.entry_id)
    clock.ms += 1
    await found(custody, IN_AN_EMERGENCY)
    await refusal(found(custody, replace(IN_AN_EMERGENCY, reason=" ")))

    alerts = await custody.database.read(lambda tx: custody.records.alerts(tx, ANNE))
    assert [(one.times, one.reason, one.structure) for one in alerts] == [
        (1, "unconscious", "Hôpital Nord"),
        (2, "unconscious", "Hôpital Nord"),
    ]


async def test_what_an_emergency_may_not_open_alerts_nobody(custody: Custody) -> None:
    await chosen(custody, Record(patient=ANNE, excluded=frozenset({Purpose.BREAK_GLASS})))

    refused = await refusal(found(custody, IN_AN_EMERGENCY))

    assert refused.reason == "forbidden: the patient excludes this emergency access"
    assert await custody.database.read(lambda tx: custody.records.alerts(tx, ANNE)) == []


@pytest.mark.parametrize("caller", [None, AUTHOR, CENTRE, PATIENT])
async def test_of_a_closed_record_nothing_is_read_and_into_it_nothing_goes(
    custody: Custody, caller: Caller | None
) -> None:
    held = await published(custody)
    [told] = (await asked(custody, AUTHOR, a_query(QueryKind.GET_ALL))).sets
    await chosen(custody, Record(patient=ANNE, state=RecordState.CLOSED))
    custodian = custody.custodian
    set_by_id = read_set_search([("identifier", f"urn:uuid:{told.set_id}")])

    assert await found(custody, caller) == []
    assert await custodian.find_sets(caller, set_by_id) == ([], False)
    with pytest.raises(NotFound):
        await custodian.submission_set(caller, told.set_id)
    for query in (
        a_query(QueryKind.GET_ALL),
        a_query(QueryKind.GET_DOCUMENTS, entries=[held.entry_id]),
    ):
        shown = await asked(custody, caller, query)
        assert (shown.entries, shown.sets, shown.associations) == ([], [], [])
    with pytest.raises(NotFound):
        await custodian.entry(caller, held.entry_id)
    with pytest.raises((NotFound, Refusal)):
        await custodian.document(caller, held.entry_id)
    if caller is not PATIENT:
        refused = await refusal(published(custody, 2, by=caller))
        assert (refused.record, refused.error) == (RecordState.CLOSED, XdsError.UNKNOWN_PATIENT)


async def test_a_centre_takes_its_pointer_out_of_a_closed_record(custody: Custody) -> None:
    held = await published(custody)
    await chosen(custody, Record(patient=ANNE, state=RecordState.CLOSED))

    with pytest.raises(NotFound):
        await custody.custodian.update(ELSEWHERE, held.entry_id, WITHDRAWAL)
    withdrawn = await custody.custodian.update(CENTRE, held.entry_id, WITHDRAWAL)

    assert withdrawn.resource["status"] == EntryStatus.WITHDRAWN


@pytest.mark.parametrize("caller", [None, CENTRE])
async def test_a_holder_who_refuses_is_an_answer_of_its_own(
    custody: Custody, caller: Caller | None
) -> None:
    await chosen(custody, Record(patient=ANNE, refuses_documents=True))

    refused = await refusal(published(custody, by=caller))

    assert refused.record is RecordState.REFUSED


async def test_where_records_are_listed_others_have_none(tmp_path: Path) -> None:
    database = await SqliteDatabase.open(tmp_path / "index.sqlite")
    async with custody_of(database, listed=True) as custody:
        refused = await refusal(published(custody, by=None))
        await chosen(custody, Record(patient=ANNE))
        held = await published(custody, by=None)

        assert refused.record is RecordState.ABSENT
        assert await found(custody, None) == [held.unique_id]


async def test_a_structure_finds_and_takes_back_its_own_documents_and_reads_none(
    custody: Custody,
) -> None:
    held = await published(custody, by=CENTRE)
    custodian = custody.custodian

    assert await found(custody, CENTRE) == [held.unique_id]
    assert await found(custody, ELSEWHERE) == []
    refused = await refusal(custodian.document(CENTRE, held.entry_id))
    assert refused.reason == "forbidden: not by this way of authentication"
    with pytest.raises(NotFound):
        await custodian.update(ELSEWHERE, held.entry_id, WITHDRAWAL)
    withdrawal = StatusChange(
        target=held.entry_id,
        patient=ANNE,
        status=EntryStatus.WITHDRAWN,
        original=EntryStatus.APPROVED,
    )
    refused = await refusal(custodian.change_statuses(ELSEWHERE, [withdrawal]))
    assert (refused.reason, refused.error) == (
        "an entry is not held",
        XdsError.UNRESOLVED_REFERENCE,
    )
    await custodian.change_statuses(CENTRE, [withdrawal])


async def test_what_is_hidden_is_replaced_like_what_is_not_there(custody: Custody) -> None:
    hidden = await published(custody)
    missing = "00000000-0000-4000-8000-000000000000"

    of_hidden = await refusal(published(custody, 2, by=ELSEWHERE, replaces=hidden.entry_id))
    of_missing = await refusal(published(custody, 3, by=ELSEWHERE, replaces=missing))

    assert (of_hidden.reason, of_hidden.code, of_hidden.error) == (
        of_missing.reason,
        of_missing.code,
        of_missing.error,
    )


async def test_who_sees_a_document_may_mask_it_and_its_author_alone_shows_it_again(
    custody: Custody,
) -> None:
    held = await published(custody)
    custodian = custody.custodian

    await custodian.update(MEMBER, held.entry_id, labelled("MASQUE_PS"))
    with pytest.raises(NotFound):
        await custodian.update(MEMBER, held.entry_id, labelled())
    await custodian.update(AUTHOR, held.entry_id, labelled())
    refused = await refusal(custodian.update(MEMBER, held.entry_id, labelled("INVISIBLE_PATIENT")))

    assert refused.reason == "forbidden: the document is neither theirs nor their structure's"
    assert await found(custody, MEMBER) == await found(custody, PATIENT) == [held.unique_id]
    assert (await custody.told())[-3]["outcome"] == "forbidden"


def labelled(*codes: str) -> tuple[Operation, ...]:
    labels = [concept(one) for one in masked(codes)]
    return read_json_patch([{"op": "replace", "path": "/securityLabel", "value": labels}])


async def test_a_batch_is_judged_one_by_one(custody: Custody) -> None:
    """Submissions of many share a transaction; each hears of its own."""
    reinforced = replace(AUTHOR, authentication=Authentication.REINFORCED)

    refused = await refusal(published(custody, 1, by=reinforced))
    held = await published(custody, 2, by=CENTRE)

    assert refused.reason == "forbidden: not by this way of authentication"
    assert await found(custody, AUTHOR) == [held.unique_id]


async def test_a_list_names_the_documents_that_are_seen_alone(custody: Custody) -> None:
    submitted = document_set_of(a_submission(1))
    other = replace(an_entry(2), entry_id="Document02", confidentiality=masked(["MASQUE_PS"]))
    both = replace(
        submitted,
        documents=(*submitted.documents, replace(submitted.documents[0], entry=other)),
    )
    held = await provided(custody, AUTHOR, both)
    set_id = held.submission_set.set_id

    listed = await custody.custodian.submission_set(MEMBER, set_id)
    whole = await custody.custodian.submission_set(AUTHOR, set_id)

    assert len(orjson.loads(whole.resource)["entry"]) == 2
    [shown] = orjson.loads(listed.resource)["entry"]
    assert shown["item"]["reference"].endswith(held.documents[0].entry.entry_id)
