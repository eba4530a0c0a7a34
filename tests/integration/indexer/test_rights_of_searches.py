"""Searching by FHIR under rights: what may not be seen is in no page, nor counted, nor named."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from gateway.errors import NotFound
from indexer.contract.access import Caller
from indexer.contract.document_set import document_set_of
from indexer.server.acts import Exchange
from indexer.wire.fhir.patch import read_json_patch
from indexer.wire.fhir.search import read_search
from indexer.wire.fhir.set_search import read_set_search
from indexer.wire.outcome import IssueCode, Refusal
from tests.support.custody import Custody
from tests.support.pointers import ANNE, an_entry, submitting
from tests.support.record_people import AUTHOR, MEMBER, STRANGER
from tests.support.rights import masked

SETS = [("code", "submissionset"), ("status", "current")]
OF_ANNE = [("patient.identifier", f"urn:oid:{ANNE.oid}|{ANNE.value}"), *SETS]


async def published(custody: Custody, number: int, *, hidden: bool) -> str:
    """The id of a set whose one document is hidden from professionals, or not."""
    document = b"a manifest"
    codes = masked(["MASQUE_PS"] if hidden else [])
    entry = replace(an_entry(number, document=document), confidentiality=codes)
    submission = submitting(entry, document)
    submission = replace(submission, submitted_at=datetime(2026, 11, number, tzinfo=UTC))
    held = await custody.custodian.provide(
        AUTHOR, document_set_of(submission), exchange=Exchange.PROVIDE_BUNDLE
    )
    return held.submission_set.set_id


async def found(custody: Custody, caller: Caller | None, *, count: int = 100) -> list[str]:
    """Ids of sets, page by page, the latest first."""
    asked, ids = [*OF_ANNE, ("_count", str(count))], list[str]()
    while True:
        page, more = await custody.custodian.find_sets(caller, read_set_search(asked))
        ids += [one.set_id for one in page]
        if not more:
            return ids
        assert len(page) == count
        asked = [*SETS, ("_count", str(count)), ("_after", page[-1].set_id)]


async def test_a_page_of_lists_is_filled_with_what_is_seen(custody: Custody) -> None:
    ids = [await published(custody, number, hidden=number % 3 > 0) for number in range(1, 13)]
    ids.reverse()

    assert await found(custody, AUTHOR, count=5) == ids
    assert await found(custody, None, count=5) == ids
    assert await found(custody, MEMBER, count=2) == ids[::3]
    assert await found(custody, MEMBER, count=4) == ids[::3]


async def test_a_hidden_list_is_found_by_no_id_and_no_page_follows_it(custody: Custody) -> None:
    hidden = await published(custody, 1, hidden=True)
    by_id = read_set_search([("identifier", f"urn:uuid:{hidden}")])
    after_it = read_set_search([*SETS, ("_after", hidden)])

    assert await custody.custodian.find_sets(MEMBER, by_id) == ([], False)
    with pytest.raises(NotFound):
        await custody.custodian.find_sets(MEMBER, after_it)


async def test_a_stranger_finds_no_list_and_the_journal_tells_of_it(custody: Custody) -> None:
    await published(custody, 1, hidden=False)

    with pytest.raises(Refusal) as refusal:
        await custody.custodian.find_sets(STRANGER, read_set_search(OF_ANNE))
    await found(custody, MEMBER)

    assert refusal.value.code == IssueCode.FORBIDDEN
    lines = (await custody.told())[-2:]
    assert [(one["exchange"], one["outcome"], one.get("found")) for one in lines] == [
        ("ITI-66", "forbidden", None),
        ("ITI-66", "done", 1),
    ]
    assert ANNE.value not in orjson.dumps(lines).decode()


async def test_a_document_does_not_name_a_hidden_one_that_it_replaced(custody: Custody) -> None:
    document = b"a manifest"
    hidden = replace(an_entry(1, document=document), confidentiality=masked(["MASQUE_PS"]))
    old = await custody.custodian.provide(
        AUTHOR, document_set_of(submitting(hidden, document)), exchange=Exchange.PROVIDE_BUNDLE
    )
    old_id = old.documents[0].entry.entry_id
    entry = an_entry(2, document=document)
    new = await custody.custodian.provide(
        AUTHOR,
        document_set_of(submitting(entry, document, replaces=old_id)),
        exchange=Exchange.PROVIDE_BUNDLE,
    )
    new_id = new.documents[0].entry.entry_id
    label = read_json_patch([{"op": "test", "path": "/status", "value": "current"}])
    by_id = read_search([("identifier", f"urn:uuid:{new_id}")])

    named = {}
    for caller in (AUTHOR, MEMBER):
        [found], _ = await custody.custodian.find(caller, by_id)
        read = await custody.custodian.entry(caller, new_id)
        named[caller.person.number] = [
            old_id in orjson.dumps(one.resource).decode() for one in (found, read)
        ]
    changed = await custody.custodian.update(AUTHOR, new_id, label)

    assert named == {AUTHOR.person.number: [True, True], MEMBER.person.number: [False, False]}
    assert old_id in orjson.dumps(changed.resource).decode()
