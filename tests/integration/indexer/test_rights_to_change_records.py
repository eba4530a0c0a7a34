"""Who may bring documents to a record, change them there and take them back."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import NotFound
from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.access import Authentication, Caller
from indexer.contract.document import EntryStatus
from indexer.contract.record import RecordState
from indexer.server.rights.record import Record
from indexer.wire.outcome import XdsError
from indexer.wire.xds.document_set_reader import StatusChange
from tests.support.custody import Custody, custody_of
from tests.support.pointers import ANNE
from tests.support.record_people import (
    AUTHOR,
    CENTRE,
    ELSEWHERE,
    MEMBER,
    PATIENT,
    WITHDRAWAL,
    chosen,
    found,
    labelled,
    published,
    refusal,
)


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


async def test_a_batch_is_judged_one_by_one(custody: Custody) -> None:
    """Submissions of many share a transaction; each hears of its own."""
    reinforced = replace(AUTHOR, authentication=Authentication.REINFORCED)

    refused = await refusal(published(custody, 1, by=reinforced))
    held = await published(custody, 2, by=CENTRE)

    assert refused.reason == "forbidden: not by this way of authentication"
    assert await found(custody, AUTHOR) == [held.unique_id]
