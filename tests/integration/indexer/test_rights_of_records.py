"""What the custodian gives to whom: what may not be seen is not there, by any way to it."""

from dataclasses import replace

import orjson
import pytest

from gateway.errors import NotFound
from indexer.contract.access import Caller, CallerKind, Purpose
from indexer.contract.document import EntryStatus
from indexer.contract.document_set import Relation, document_set_of
from indexer.contract.record import RecordState
from indexer.server.rights.record import Record
from indexer.server.rights.records import HOUR_MS, Permission
from indexer.wire.fhir.journal_search import JournalSearch
from indexer.wire.fhir.set_search import read_set_search
from indexer.wire.outcome import IssueCode, Refusal, XdsError
from indexer.wire.xds.stored_query import QueryKind
from tests.support.custody import Custody
from tests.support.pointers import ANNE, PAUL, a_submission, an_entry
from tests.support.queries import a_query
from tests.support.record_people import (
    AUTHOR,
    CENTRE,
    IN_AN_EMERGENCY,
    MEMBER,
    PATIENT,
    STRANGER,
    Clock,
    asked,
    chosen,
    found,
    provided,
    published,
    refusal,
)
from tests.support.rights import masked

REPRESENTATIVE = replace(PATIENT, kind=CallerKind.REPRESENTATIVE)


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


async def test_the_journal_and_the_whole_record_are_the_holders(custody: Custody) -> None:
    await published(custody)
    untold = await published(custody, 2, hidden_by=("INVISIBLE_PATIENT",))
    await chosen(custody, Record(patient=ANNE, treating_doctor=STRANGER.person.number))
    custodian, of_anne = custody.custodian, JournalSearch(patient=ANNE, lines_max=10)

    for reader in (PATIENT, STRANGER, None):
        assert await custodian.journal(reader, of_anne)
    refused = await refusal(custodian.journal(MEMBER, of_anne))
    assert refused.reason == "forbidden: only the holder may"
    for taker in (MEMBER, STRANGER, CENTRE):
        assert (await refusal(custodian.extract(taker, ANNE))).code is IssueCode.FORBIDDEN
    for holder in (PATIENT, None):
        taken = [
            one.entry for held in await custodian.extract(holder, ANNE) for one in held.documents
        ]
        assert untold.unique_id not in {one.unique_id for one in taken}
        assert len(taken) == 1
    assert (await refusal(custodian.extract(PATIENT, PAUL))).code is IssueCode.FORBIDDEN


async def test_a_representative_reads_in_the_journal_nothing_of_a_secret_connection(
    custody: Custody,
) -> None:
    await published(custody)
    in_secret = replace(MEMBER, secret=True)
    for caller in (MEMBER, in_secret, MEMBER, in_secret):
        await found(custody, caller)

    of_anne = JournalSearch(patient=ANNE, lines_max=10)
    whole, _ = await custody.custodian.journal(PATIENT, of_anne)
    pages = []
    for before in (6, 4, 2):
        page = replace(of_anne, before=before, lines_max=1)
        lines, more = await custody.custodian.journal(REPRESENTATIVE, page)
        pages.append(([one.position for one in lines], more))

    assert [one.position for one in whole] == [5, 4, 3, 2, 1]
    assert pages == [([4], True), ([2], True), ([1], False)]
