"""What every client of an index promises, shown against the index that is served."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest

from indexer.contract.document import Code, DocumentQuery, EntryStatus
from indexer.contract.errors import DocumentNotFound, SubmissionRejected
from indexer.contract.identifiers import Uid
from indexer.contract.index import Index
from indexer.wire.outcome import XdsError
from tests.support.index_clients import PAIRS, a_pair
from tests.support.pointers import ANNE, KOS, PAUL, STUDY, a_submission, an_entry, submitting

ANY_STATUS = frozenset(EntryStatus)
UNKNOWN = "00000000-0000-4000-8000-000000000000"


BY_XDS = {
    "duplicate": XdsError.NON_IDENTICAL_HASH,
    "business-rule": XdsError.DEPRECATED,
    "deleted": XdsError.DEPRECATED,
    "value": XdsError.REPOSITORY_METADATA,
}
"""What XDS.b calls a refusal, by its word in FHIR."""


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> str:
    """Each client alone, then each as a reader of what the other changes."""
    return str(request.param)


@pytest.fixture
def index(pair: str, index_url: str, session: aiohttp.ClientSession) -> Index:
    return a_pair(pair, index_url, session)


def told(word: str, pair: str) -> str:
    """A refusal in the words of the protocol that changes what is held."""
    return BY_XDS[word] if pair.startswith("xds") else word


async def test_what_is_submitted_is_found_as_it_was(index: Index) -> None:
    receipt = await index.submit(a_submission())

    [found] = await index.find(DocumentQuery(patient=ANNE))

    assert found.entry_id == receipt.entry_id
    assert replace(found, entry_id="", document_url="") == an_entry()


async def test_what_is_found_can_be_retrieved(index: Index) -> None:
    await index.submit(a_submission())
    [found] = await index.find(DocumentQuery(patient=ANNE))

    assert await index.retrieve(found) == KOS


async def test_nothing_is_found_of_another_patient(index: Index) -> None:
    await index.submit(a_submission(patient=PAUL))

    assert await index.find(DocumentQuery(patient=ANNE)) == []


async def test_the_newest_comes_first_however_many_pages_there_are(index: Index) -> None:
    numbers = range(1, 231)
    await asyncio.gather(*(index.submit(a_submission(number)) for number in numbers))

    found = await index.find(DocumentQuery(patient=ANNE))

    assert [entry.unique_id for entry in found] == [
        an_entry(number).unique_id for number in reversed(numbers)
    ]


async def test_a_study_is_found_by_its_uid(index: Index) -> None:
    await index.submit(a_submission(1))
    await index.submit(submitting(replace(an_entry(2), reference_ids=()), KOS))

    found = await index.find(DocumentQuery(patient=ANNE, study=Uid(STUDY)))
    unknown = await index.find(DocumentQuery(patient=ANNE, study=Uid("1.2.3")))

    assert [entry.unique_id for entry in found] == [an_entry(1).unique_id]
    assert unknown == []


async def test_a_kind_of_document_is_found_by_its_code(index: Index) -> None:
    await index.submit(a_submission())

    kind = an_entry().type_code
    found = await index.find(DocumentQuery(patient=ANNE, type_code=kind))
    report = DocumentQuery(patient=ANNE, type_code=replace(kind, code="18748-4"))
    other = await index.find(report)

    assert (len(found), other) == (1, [])


async def test_what_is_replaced_is_superseded_and_still_there(index: Index) -> None:
    old = await index.submit(a_submission(1))
    new = await index.submit(a_submission(2, document=b"newer", replaces=old.entry_id))

    current = await index.find(DocumentQuery(patient=ANNE))
    every = await index.find(DocumentQuery(patient=ANNE, statuses=ANY_STATUS))

    assert [entry.entry_id for entry in current] == [new.entry_id]
    assert [(entry.entry_id, entry.status) for entry in every] == [
        (new.entry_id, EntryStatus.APPROVED),
        (old.entry_id, EntryStatus.DEPRECATED),
    ]
    assert [await index.retrieve(entry) for entry in every] == [b"newer", KOS]


async def test_a_document_is_found_by_its_unique_id_whatever_its_status(index: Index) -> None:
    old = await index.submit(a_submission(1))
    await index.submit(a_submission(2, replaces=old.entry_id))

    found = await index.find_by_unique_id(an_entry(1).unique_id)
    unknown = await index.find_by_unique_id(Uid("1.2.3"))

    assert found is not None
    assert (found.entry_id, found.status) == (old.entry_id, EntryStatus.DEPRECATED)
    assert unknown is None


async def test_a_repeat_gives_the_receipt_of_the_first(index: Index) -> None:
    first = await index.submit(a_submission())
    again = await index.submit(a_submission())

    assert again == first
    assert len(await index.find(DocumentQuery(patient=ANNE, statuses=ANY_STATUS))) == 1


async def test_a_repeat_of_a_replacement_gives_the_receipt_of_the_first(index: Index) -> None:
    old = await index.submit(a_submission(1))
    first = await index.submit(a_submission(2, replaces=old.entry_id))
    again = await index.submit(a_submission(2, replaces=old.entry_id))

    assert again == first


async def test_repeats_at_the_same_time_make_one_entry(index: Index) -> None:
    receipts = await asyncio.gather(*(index.submit(a_submission()) for _ in range(20)))

    assert len(set(receipts)) == 1
    assert len(await index.find(DocumentQuery(patient=ANNE, statuses=ANY_STATUS))) == 1


async def test_another_document_by_the_same_unique_id_is_rejected(index: Index, pair: str) -> None:
    await index.submit(a_submission())

    with pytest.raises(SubmissionRejected) as rejection:
        await index.submit(a_submission(document=b"another"))

    assert rejection.value.code == told("duplicate", pair)


async def test_what_is_no_longer_current_cannot_be_replaced(index: Index, pair: str) -> None:
    old = await index.submit(a_submission(1))
    await index.submit(a_submission(2, replaces=old.entry_id))

    with pytest.raises(SubmissionRejected) as rejection:
        await index.submit(a_submission(3, replaces=old.entry_id))

    assert rejection.value.code == told("business-rule", pair)
    assert await index.find_by_unique_id(an_entry(3).unique_id) is None


async def test_of_two_replacements_at_the_same_time_one_is_held(index: Index, pair: str) -> None:
    old = await index.submit(a_submission(1))

    outcomes = await asyncio.gather(
        *(index.submit(a_submission(number, replaces=old.entry_id)) for number in (2, 3)),
        return_exceptions=True,
    )

    rejected = [one for one in outcomes if isinstance(one, SubmissionRejected)]
    assert [one.code for one in rejected] == [told("business-rule", pair)]
    assert len(await index.find(DocumentQuery(patient=ANNE))) == 1


async def test_another_patients_entry_cannot_be_replaced(index: Index) -> None:
    theirs = await index.submit(a_submission(1, patient=PAUL))

    with pytest.raises(SubmissionRejected):
        await index.submit(a_submission(2, replaces=theirs.entry_id))

    [entry] = await index.find(DocumentQuery(patient=PAUL))
    assert entry.status is EntryStatus.APPROVED


async def test_a_document_that_is_not_what_its_entry_says_is_rejected(
    index: Index, pair: str
) -> None:
    with pytest.raises(SubmissionRejected) as rejection:
        await index.submit(replace(a_submission(), document=KOS[::-1]))

    assert rejection.value.code == told("value", pair)


async def test_a_document_that_the_index_does_not_hold_is_not_found(index: Index) -> None:
    await index.submit(a_submission())
    [found] = await index.find(DocumentQuery(patient=ANNE))
    url = found.document_url.replace(found.entry_id, UNKNOWN)
    unknown = replace(found, document_url=url, unique_id=Uid("1.2.3"))

    with pytest.raises(DocumentNotFound):
        await index.retrieve(unknown)


async def test_what_is_withdrawn_is_found_and_retrieved_no_more(index: Index) -> None:
    receipt = await index.submit(a_submission(1))
    other = await index.submit(a_submission(2))
    found = await index.find_by_unique_id(an_entry(1).unique_id)

    await index.withdraw(receipt.entry_id)

    assert [entry.entry_id for entry in await index.find(DocumentQuery(patient=ANNE))] == [
        other.entry_id
    ]
    assert found is not None
    with pytest.raises(DocumentNotFound):
        await index.retrieve(found)


async def test_a_publisher_learns_that_what_it_sent_was_held_and_is_withdrawn(
    index: Index,
) -> None:
    receipt = await index.submit(a_submission())
    await index.withdraw(receipt.entry_id)

    found = await index.find_by_unique_id(an_entry().unique_id)

    assert found is not None
    assert replace(found, document_url="") == replace(
        an_entry(), entry_id=receipt.entry_id, status=EntryStatus.WITHDRAWN
    )


async def test_a_withdrawal_can_be_repeated_and_of_what_is_not_held_is_success(
    index: Index,
) -> None:
    receipt = await index.submit(a_submission())

    for entry_id in [receipt.entry_id] * 2 + [UNKNOWN]:
        await index.withdraw(entry_id)

    assert await index.find(DocumentQuery(patient=ANNE)) == []


async def test_what_was_replaced_can_be_withdrawn_too(index: Index) -> None:
    old = await index.submit(a_submission(1))
    new = await index.submit(a_submission(2, replaces=old.entry_id))

    await index.withdraw(old.entry_id)

    every = await index.find(DocumentQuery(patient=ANNE, statuses=ANY_STATUS))
    assert {entry.entry_id: entry.status for entry in every} == {
        old.entry_id: EntryStatus.WITHDRAWN,
        new.entry_id: EntryStatus.APPROVED,
    }


async def test_what_is_withdrawn_cannot_be_replaced(index: Index, pair: str) -> None:
    receipt = await index.submit(a_submission(1))
    await index.withdraw(receipt.entry_id)

    with pytest.raises(SubmissionRejected) as rejection:
        await index.submit(a_submission(2, replaces=receipt.entry_id))

    assert rejection.value.code == told("deleted", pair)
    assert await index.find(DocumentQuery(patient=ANNE)) == []


async def test_a_repeat_of_what_is_withdrawn_does_not_bring_it_back(index: Index) -> None:
    first = await index.submit(a_submission())
    await index.withdraw(first.entry_id)

    again = await index.submit(a_submission())

    assert again == first
    assert await index.find(DocumentQuery(patient=ANNE)) == []


async def test_a_study_that_was_withdrawn_can_be_published_anew(index: Index) -> None:
    old = await index.submit(a_submission(1))
    await index.withdraw(old.entry_id)

    new = await index.submit(a_submission(2))

    [current] = await index.find(DocumentQuery(patient=ANNE, study=Uid(STUDY)))
    assert current.entry_id == new.entry_id


async def test_a_replacement_and_a_withdrawal_at_the_same_time_leave_the_old_one_withdrawn(
    index: Index, pair: str
) -> None:
    old = await index.submit(a_submission(1))

    replaced, withdrawn = await asyncio.gather(
        index.submit(a_submission(2, replaces=old.entry_id)),
        index.withdraw(old.entry_id),
        return_exceptions=True,
    )

    assert withdrawn is None
    assert not isinstance(replaced, SubmissionRejected) or replaced.code == told("deleted", pair)
    found = await index.find_by_unique_id(an_entry(1).unique_id)
    assert found is not None
    assert found.status is EntryStatus.WITHDRAWN


@pytest.mark.parametrize("mime_type", [
    "application/fhir+json", "application/fhir+json; fhirVersion=4.0", "application/dicom+json",
    "text/xml",
])  # fmt: skip
async def test_a_manifest_of_any_format_comes_back_as_it_was_given(
    index: Index, mime_type: str
) -> None:
    manifest = b'{"resourceType": "Bundle", "type": "document"}'
    format_code = Code(code="urn:ihe:rad:MADO:fhir-manifest:2026", scheme="http://ihe.example")
    entry = replace(an_entry(document=manifest), mime_type=mime_type, format_code=format_code)
    await index.submit(submitting(entry, manifest))

    [found] = await index.find(DocumentQuery(patient=ANNE))

    assert (found.mime_type, found.format_code) == (mime_type, format_code)
    assert await index.retrieve(found) == manifest
