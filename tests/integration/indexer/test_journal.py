"""Who does what on a record is written down before they hear of it, and can never be changed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import pytest

from gateway.errors import NotFound, Unavailable
from gateway.storage.database import Transaction
from gateway.storage.engines import open_at
from indexer.contract.access import Caller
from indexer.contract.document import EntryStatus
from indexer.contract.document_set import DocumentSet, document_set_of
from indexer.contract.identifiers import Ins
from indexer.server.acts import Act, Exchange
from indexer.server.batches import BATCH_MAX
from indexer.server.columns import patient_key
from indexer.server.journal.chain import Walk
from indexer.server.journal.deed import Deed
from indexer.server.registry.registry import Withdrawn
from indexer.wire.fhir.patch import read_json_patch, withdrawal_patch
from indexer.wire.fhir.search import EntrySearch, read_search
from indexer.wire.outcome import Refusal
from indexer.wire.xds.document_set_reader import StatusChange
from indexer.wire.xds.stored_query import QueryKind
from tests.support.counting import Counting
from tests.support.custody import Custody, a_doctor, custody_of
from tests.support.pointers import ANNE, PAUL, a_submission
from tests.support.queries import a_query

WITHDRAWAL = read_json_patch(withdrawal_patch())
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def custody(tmp_path: Path, database_url: str) -> AsyncIterator[Custody]:
    async with custody_of(await open_at(database_url, tmp_path / "index.sqlite")) as custody:
        await custody.admit(a_doctor(), a_doctor(patient=PAUL))
        yield custody


async def published(
    custody: Custody, number: int = 1, *, replaces: str | None = None
) -> DocumentSet:
    submitted = document_set_of(a_submission(number, replaces=replaces))
    return await custody.custodian.provide(a_doctor(), submitted, exchange=Exchange.PROVIDE_BUNDLE)


def a_search(patient: Ins = ANNE) -> EntrySearch:
    whose = f"urn:oid:{patient.oid}|{patient.value}"
    return read_search([("patient.identifier", whose), ("status", "current")])


async def test_each_act_has_a_line_with_who_did_it_and_on_what(custody: Custody) -> None:
    held = await published(custody)
    [document] = held.documents
    entry_id, set_id = document.entry.entry_id, held.submission_set.set_id
    doctor, custodian = a_doctor(reason="suivi"), custody.custodian

    await custodian.find(doctor, a_search())
    await custodian.entry(doctor, entry_id)
    await custodian.submission_set(doctor, set_id)
    await custodian.document(doctor, entry_id)
    await custodian.documents(doctor, [document.entry.unique_id], bytes_max=2**20)
    await custodian.update(doctor, entry_id, WITHDRAWAL)

    told = await custody.told()
    assert [(one["act"], one.get("exchange")) for one in told] == [
        ("publish", "ITI-65"),
        ("find", "ITI-67"),
        ("find", None),
        ("find", None),
        ("read", "ITI-68"),
        ("read", "ITI-43"),
        ("withdraw", None),
    ]
    assert {one["outcome"] for one in told} == {"done"}
    assert told[0]["set"] == set_id
    assert told[1]["found"] == 1
    assert all(told[place]["entries"] == [entry_id] for place in (0, 2, 4, 5, 6))
    assert told[4]["who"] == {
        "kind": "professional",
        "number": "801234567897",
        "name": "Zoé MARTIN",
        "structure": "1750803447",
        "structure_name": "Hôpital Nord",
        "role": {"code": "10", "scheme": "1.2.250.1.71.1.2.7", "display": "Médecin"},
        "reason": "suivi",
        "authentication": "DIRECTE",
    }


async def test_what_was_refused_has_a_line_too(custody: Custody) -> None:
    held = await published(custody)
    entry_id = held.documents[0].entry.entry_id
    nobody, custodian = None, custody.custodian

    with pytest.raises(Refusal):
        await published(custody)
    with pytest.raises(Refusal):
        await custodian.change_statuses(nobody, [
            StatusChange(
                patient=ANNE,
                target=MISSING,
                status=EntryStatus.WITHDRAWN,
                original=EntryStatus.APPROVED,
            )
        ])  # fmt: skip
    await custodian.update(nobody, entry_id, WITHDRAWAL)
    with pytest.raises(Withdrawn):
        await custodian.document(nobody, entry_id)

    told = await custody.told()
    assert [(one["act"], one["outcome"]) for one in told] == [
        ("publish", "done"),
        ("publish", "duplicate"),
        ("withdraw", "invalid"),
        ("withdraw", "done"),
        ("read", "deleted"),
    ]
    assert "who" not in told[-1]


@pytest.mark.parametrize("doctor", [a_doctor(), None])
async def test_a_search_that_finds_too_much_has_a_line(
    custody: Custody, monkeypatch: pytest.MonkeyPatch, doctor: Caller | None
) -> None:
    monkeypatch.setattr("indexer.server.custody.stored_queries.OBJECTS_MAX", 0)
    await published(custody)

    with pytest.raises(Refusal):
        await custody.custodian.query(doctor, a_query(QueryKind.FIND_DOCUMENTS))

    told = (await custody.told())[-1]
    assert (told["act"], told["exchange"], told["outcome"]) == ("find", "ITI-18", "invalid")
    assert ("who" in told) is (doctor is not None)


async def test_who_asks_for_what_is_not_there_for_them_has_a_line(custody: Custody) -> None:
    held = await published(custody)
    entry_id, set_id = held.documents[0].entry.entry_id, held.submission_set.set_id
    other, custodian = a_doctor(patient=PAUL), custody.custodian

    for asking in (
        custodian.entry(other, entry_id),
        custodian.submission_set(other, set_id),
        custodian.document(other, entry_id),
        custodian.document(other, MISSING),
    ):
        with pytest.raises(NotFound):
            await asking

    told = await custody.told(PAUL)
    assert [(one["act"], one["outcome"]) for one in told] == [
        ("find", "not-found"),
        ("find", "not-found"),
        ("read", "not-found"),
        ("read", "not-found"),
    ]
    assert len(await custody.told(ANNE)) == 1


async def test_a_replacement_is_told_as_one(custody: Custody) -> None:
    first = await published(custody, 1)

    await published(custody, 2, replaces=first.documents[0].entry.entry_id)

    assert [one["act"] for one in await custody.told()] == ["publish", "replace"]


async def test_a_search_that_finds_nothing_is_in_the_record_that_was_searched(
    custody: Custody,
) -> None:
    await published(custody)

    await custody.custodian.find(None, a_search(PAUL))

    [told] = await custody.told(PAUL)
    assert (told["act"], told["found"]) == ("find", 0)


async def test_lines_that_are_written_at_once_make_one_chain(custody: Custody) -> None:
    many = [published(custody, number) for number in range(BATCH_MAX)]
    await asyncio.gather(*many)
    one = replace(a_search(), page_max=1)  # of all of them the last would wait too long
    await asyncio.gather(*(custody.custodian.find(None, one) for _ in range(BATCH_MAX)))

    walk = Walk()
    for line in await custody.lines():
        walk.follow(line)

    assert (walk.chains, walk.lines) == (1, 2 * BATCH_MAX)


@pytest.mark.parametrize("count", [1, BATCH_MAX])
async def test_as_many_lines_as_one_likes_are_two_statements(custody: Custody, count: int) -> None:
    deeds = [
        Deed(patient_key=patient_key(patient), act=Act.FIND)
        for patient in islice(cycle([ANNE, PAUL]), count)
    ]

    async def work(tx: Transaction) -> int:
        counting = Counting(tx)
        await custody.journal.add(counting, deeds)
        return counting.statements

    assert await custody.database.write(work) == 2


@pytest.mark.parametrize("statement", [
    "UPDATE journal SET event = :event", "DELETE FROM journal",
])  # fmt: skip
async def test_no_line_can_be_changed_or_taken_out(custody: Custody, statement: str) -> None:
    await published(custody)
    before = await custody.lines()

    with pytest.raises(Exception, match="the journal is never"):
        await custody.database.write(lambda tx: tx.fetch(statement, event=b"nothing"))

    assert await custody.lines() == before


async def test_without_its_line_nothing_is_done_and_nothing_is_given(custody: Custody) -> None:
    held = await published(custody)
    entry_id = held.documents[0].entry.entry_id
    await custody.database.write(lambda tx: tx.fetch("ALTER TABLE journal RENAME TO away"))

    try:
        for act in (
            published(custody, 2),
            custody.custodian.find(None, a_search()),
            custody.custodian.document(None, entry_id),
            custody.custodian.update(None, entry_id, WITHDRAWAL),
        ):
            with pytest.raises(Exception, match="journal"):
                await act
    finally:  # the tables are those of the tests that come after, too
        await custody.database.write(lambda tx: tx.fetch("ALTER TABLE away RENAME TO journal"))

    found, _ = await custody.custodian.find(None, a_search())
    assert [one.entry_id for one in found] == [entry_id]


async def test_a_reader_is_turned_away_while_lines_cannot_be_written(custody: Custody) -> None:
    held = await published(custody)
    await custody.database.close()

    with pytest.raises(Unavailable):
        await custody.custodian.document(None, held.documents[0].entry.entry_id)


async def test_a_change_has_a_line_and_so_has_one_that_is_refused(custody: Custody) -> None:
    held = await published(custody)
    entry_id = held.documents[0].entry.entry_id
    remove = read_json_patch([{"op": "remove", "path": "/securityLabel"}])
    normal = {"coding": [{"system": "urn:oid:2.16.840.1.113883.5.25", "code": "N"}]}
    label = read_json_patch([{"op": "replace", "path": "/securityLabel", "value": [normal]}])

    with pytest.raises(Refusal):
        await custody.custodian.update(None, entry_id, remove)
    await custody.custodian.update(None, entry_id, label)

    told = await custody.told()
    assert [(one["act"], one["outcome"], one["entries"]) for one in told[1:]] == [
        ("change", "business-rule", [entry_id]),
        ("change", "done", [entry_id]),
    ]
