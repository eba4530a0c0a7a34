"""Which submissions of a batch an index refuses."""

from itertools import count

from indexer.contract.document import EntryStatus, Submission
from indexer.contract.document_set import document_set_of
from indexer.contract.identifiers import Ins
from indexer.server.judging import Known, KnownEntry, allot, judge, patient_key
from indexer.wire.outcome import IssueCode, Refusal
from tests.support.pointers import ANNE, PAUL, a_submission


def held(
    number: int, *, patient: Ins = ANNE, status: EntryStatus = EntryStatus.APPROVED
) -> KnownEntry:
    entry = a_submission(number).entry
    return KnownEntry(
        entry_id=f"held-{number}",
        unique_id=entry.unique_id,
        patient_key=patient_key(patient),
        status=status,
        sha1=entry.sha1,
        size_bytes=entry.size_bytes,
    )


def refused(known: list[KnownEntry], *batch: Submission) -> dict[int, Refusal]:
    """The refusals, by the place in the batch."""
    numbers = count()
    sets = [allot(document_set_of(one), lambda: f"new-{next(numbers)}") for one in batch]
    verdict = judge(sets, Known(entries=known))
    return {
        place: verdict.refused[one.submission_set.set_id]
        for place, one in enumerate(sets)
        if one.submission_set.set_id in verdict.refused
    }


def refusals(known: list[KnownEntry], *batch: Submission) -> dict[int, IssueCode]:
    """The codes of the refusals, by the place in the batch."""
    return {place: one.code for place, one in refused(known, *batch).items()}


def test_what_is_new_is_taken() -> None:
    assert refusals([held(1)], a_submission(2), a_submission(3)) == {}


def test_a_unique_id_is_held_once() -> None:
    assert refusals([held(1)], a_submission(1)) == {0: IssueCode.DUPLICATE}


def test_of_two_in_a_batch_the_earlier_has_its_way() -> None:
    assert refusals([], a_submission(1), a_submission(1)) == {1: IssueCode.DUPLICATE}


def test_a_unique_id_is_held_once_whoever_the_patient_is() -> None:
    assert refusals([held(1, patient=PAUL)], a_submission(1)) == {0: IssueCode.DUPLICATE}


def test_what_is_current_can_be_replaced() -> None:
    assert refusals([held(1)], a_submission(2, replaces="held-1")) == {}


def test_what_is_superseded_cannot_be_replaced() -> None:
    batch = a_submission(2, replaces="held-1")

    superseded = held(1, status=EntryStatus.DEPRECATED)
    assert refusals([superseded], batch) == {0: IssueCode.BUSINESS_RULE}


def test_what_is_withdrawn_cannot_be_replaced_and_that_is_told_apart() -> None:
    withdrawn = held(1, status=EntryStatus.WITHDRAWN)

    assert refusals([withdrawn], a_submission(2, replaces="held-1")) == {0: IssueCode.DELETED}


def test_another_patients_withdrawn_entry_is_told_like_one_that_is_not_held() -> None:
    theirs = held(1, patient=PAUL, status=EntryStatus.WITHDRAWN)

    assert refusals([theirs], a_submission(2, replaces="held-1")) == {0: IssueCode.BUSINESS_RULE}


def test_what_is_not_held_cannot_be_replaced() -> None:
    assert refusals([], a_submission(2, replaces="held-1")) == {0: IssueCode.BUSINESS_RULE}


def test_an_entry_of_another_patient_cannot_be_replaced() -> None:
    batch = a_submission(2, replaces="held-1")

    assert refusals([held(1, patient=PAUL)], batch) == {0: IssueCode.BUSINESS_RULE}


def test_of_two_that_replace_the_same_entry_the_earlier_has_its_way() -> None:
    batch = [a_submission(number, replaces="held-1") for number in (2, 3)]

    assert refusals([held(1)], *batch) == {1: IssueCode.BUSINESS_RULE}


def test_one_that_is_refused_does_not_stand_in_the_way_of_the_next() -> None:
    batch = [a_submission(2, replaces="gone"), a_submission(2)]

    assert refusals([], *batch) == {0: IssueCode.BUSINESS_RULE}


def test_a_repeat_of_a_replacement_is_told_as_a_duplicate() -> None:
    """Its first coming superseded what it replaces; its client must learn that it is held."""
    repeat = a_submission(2, replaces="held-1")

    superseded = held(1, status=EntryStatus.DEPRECATED)
    assert refusals([superseded, held(2)], repeat) == {0: IssueCode.DUPLICATE}
