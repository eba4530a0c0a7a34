"""Who changes what of a record: by no spelling more than their rights, and never untold."""

from dataclasses import replace

import pytest

from gateway.errors import NotFound
from indexer.contract.access import Caller
from indexer.contract.document import Code, EntryStatus
from indexer.contract.document_set import document_set_of
from indexer.wire.fhir.patch import read_json_patch
from indexer.wire.outcome import IssueCode, Refusal
from indexer.wire.xds.document_set_reader import StatusChange
from tests.support.custody import Custody
from tests.support.pointers import ANNE, PAUL, an_entry, submitting
from tests.support.record_people import (
    AUTHOR,
    CENTRE,
    ELSEWHERE,
    IN_AN_EMERGENCY,
    MEMBER,
    PATIENT,
    STRANGER,
    WITHDRAWAL,
    found,
    labelled,
    provided,
    published,
    refusal,
)

MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("caller", [MEMBER, PATIENT])
@pytest.mark.parametrize("name", ["move", "copy"])
async def test_nobody_takes_back_a_document_of_others_by_whatever_patch_does_it(
    custody: Custody, caller: Caller, name: str
) -> None:
    held = await published(custody)
    spelled = [
        {"op": "add", "path": "/securityLabel/0/text", "value": "entered-in-error"},
        {"op": name, "from": "/securityLabel/0/text", "path": "/status"},
    ]

    refused = await refusal(
        custody.custodian.update(caller, held.entry_id, read_json_patch(spelled))
    )

    assert refused.code is IssueCode.FORBIDDEN
    assert await found(custody, AUTHOR) == [held.unique_id]
    assert (await custody.told())[-2]["act"] == "withdraw"


async def test_the_journal_tells_of_each_change_that_was_refused(custody: Custody) -> None:
    held = await published(custody)
    before = len(await custody.told())

    for caller, entry_id, patch in (
        (STRANGER, held.entry_id, labelled("MASQUE_PS")),
        (CENTRE, held.entry_id, labelled("MASQUE_PS")),
        (ELSEWHERE, held.entry_id, WITHDRAWAL),
        (STRANGER, MISSING, WITHDRAWAL),
    ):
        with pytest.raises((Refusal, NotFound)):
            await custody.custodian.update(caller, entry_id, patch)

    told = (await custody.told())[before:]
    assert [(one["act"], one["outcome"]) for one in told] == [
        ("change", "forbidden"),
        ("change", "forbidden"),
        ("withdraw", "not-found"),
        ("withdraw", "not-found"),
    ]


async def test_who_sees_nothing_of_a_record_tells_no_document_from_none_by_taking_it_back(
    custody: Custody,
) -> None:
    held = await published(custody)
    custodian, heard = custody.custodian, []

    for entry_id in (held.entry_id, MISSING):
        with pytest.raises(NotFound) as absent:
            await custodian.update(STRANGER, entry_id, WITHDRAWAL)
        withdrawal = StatusChange(
            target=entry_id,
            patient=ANNE,
            status=EntryStatus.WITHDRAWN,
            original=EntryStatus.APPROVED,
        )
        refused = await refusal(custodian.change_statuses(STRANGER, [withdrawal]))
        heard.append((str(absent.value), refused.reason, refused.code, refused.error))

    assert heard[0] == heard[1]


@pytest.mark.parametrize("scheme", ["https://mos.example/TRE_A07", "", "urn:x"])
async def test_a_mask_hides_whatever_its_code_system_is_called(
    custody: Custody, scheme: str
) -> None:
    entry = replace(
        an_entry(document=b"a manifest"), confidentiality=(Code(code="MASQUE_PS", scheme=scheme),)
    )
    await provided(custody, AUTHOR, document_set_of(submitting(entry, b"a manifest")))

    assert await found(custody, AUTHOR) == [entry.unique_id]
    assert await found(custody, MEMBER) == []


async def test_many_changes_of_one_record_are_told_by_few_lines(custody: Custody) -> None:
    """A request names a thousand entries, also of a record that its sender has no proof for."""
    changes = [
        StatusChange(
            target=f"00000000-0000-4000-8000-{number:012}",
            patient=PAUL,
            status=EntryStatus.WITHDRAWN,
            original=EntryStatus.APPROVED,
        )
        for number in range(300)
    ]

    await refusal(custody.custodian.change_statuses(MEMBER, changes))

    named = [one["entries"] for one in await custody.told(PAUL)]
    assert [len(one) for one in named] == [256, 44]
    assert [entry for one in named for entry in one] == [one.target for one in changes]


@pytest.mark.parametrize("caller", [MEMBER, IN_AN_EMERGENCY])
async def test_the_journal_tells_who_asked_for_what_is_hidden(
    custody: Custody, caller: Caller
) -> None:
    hidden = await published(custody, hidden_by=("MASQUE_PS",))
    before = len(await custody.told())

    for asking in (custody.custodian.entry, custody.custodian.document):
        with pytest.raises(NotFound):
            await asking(caller, hidden.entry_id)

    told = (await custody.told())[before:]
    assert [(one["act"], one["outcome"]) for one in told] == [
        ("find", "not-found"),
        ("read", "not-found"),
    ]
