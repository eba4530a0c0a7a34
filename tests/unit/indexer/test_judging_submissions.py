"""Which submissions of a batch an index refuses."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count, permutations

import pytest

from indexer.contract.document import EntryStatus, Submission
from indexer.contract.document_set import Association, DocumentSet, Relation, document_set_of
from indexer.contract.identifiers import Ins
from indexer.server.columns import patient_key
from indexer.server.registry.judging import Known, KnownEntry, allot, judge
from indexer.wire.outcome import IssueCode, Refusal, XdsError
from tests.support.pointers import ANNE, PAUL, a_submission
from tests.support.xds import a_set


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


def test_no_two_objects_of_a_submission_share_a_unique_id() -> None:
    told = a_submission(1)
    alone = document_set_of(told)
    twins = replace(
        alone,
        documents=tuple(
            replace(one, entry=replace(one.entry, entry_id=symbol))
            for one in alone.documents
            for symbol in ("first", "second")
        ),
    )
    its_own = document_set_of(replace(told, submission_id=told.entry.unique_id))

    for submitted in (twins, its_own):
        [refusal] = judge([submitted], Known()).refused.values()
        assert refusal.error is XdsError.DUPLICATE_IN_MESSAGE


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


def sets_of(*batch: DocumentSet) -> list[DocumentSet]:
    """With ids like `new-1-2`: the submission's number, and its object's."""
    allotted = []
    for number, one in enumerate(batch, start=1):
        objects = count()
        allotted.append(allot(one, partial(_named, number, objects)))
    return allotted


def _named(number: int, objects: Iterator[int]) -> str:
    return f"new-{number}-{next(objects)}"


def related(number: int, relation: Relation, target: str) -> DocumentSet:
    """A submission of `DocumentN`, which is something to a target."""
    association = Association(relation=relation, source=f"Document{number}", target=target)
    return a_set(number, relations=[association])


def test_ids_are_allotted_to_all_that_a_submission_names_by_symbols() -> None:
    signs = Association(relation=Relation.SIGNS, source="Document2", target="SubmissionSet01")
    refers = Association(relation=Relation.MEMBER, source="SubmissionSet01", target="held-1")

    [one] = sets_of(a_set(1, 2, relations=[signs, refers]))

    assert one.submission_set.set_id == "new-1-0"
    assert [document.entry.entry_id for document in one.documents] == ["new-1-1", "new-1-2"]
    assert [(it.source, it.target) for it in one.associations] == [
        ("new-1-2", "new-1-0"),
        ("new-1-0", "held-1"),
    ]


def test_what_follows_a_replaced_entry_is_superseded_with_it_however_far() -> None:
    followers = {"held-1": ["held-2"], "held-2": ["held-3", "held-1"], "held-4": ["held-5"]}
    known = Known(entries=[held(1)], followers=followers)

    verdict = judge(sets_of(related(9, Relation.REPLACES, "held-1")), known)

    assert verdict.refused == {}
    assert set(verdict.superseded) == {"held-1", "held-2", "held-3"}


def test_an_amendment_of_the_same_batch_is_superseded_with_what_it_amends() -> None:
    batch = sets_of(related(8, Relation.APPENDS, "held-1"), related(9, Relation.REPLACES, "held-1"))

    verdict = judge(batch, Known(entries=[held(1)]))

    assert verdict.refused == {}
    assert set(verdict.superseded) == {"held-1", "new-1-1"}


def test_what_follows_a_replaced_entry_is_no_target_for_the_rest_of_the_batch() -> None:
    batch = sets_of(related(8, Relation.REPLACES, "held-1"), related(9, Relation.APPENDS, "held-2"))

    known = Known(entries=[held(1), held(2)], followers={"held-1": ["held-2"]})
    verdict = judge(batch, known)

    assert [one.error for one in verdict.refused.values()] == [XdsError.DEPRECATED]


def test_one_submission_cannot_replace_an_entry_twice() -> None:
    twice = [
        Association(relation=Relation.REPLACES, source=f"Document{number}", target="held-1")
        for number in (8, 9)
    ]

    verdict = judge(sets_of(a_set(8, 9, relations=twice)), Known(entries=[held(1)]))

    assert [one.error for one in verdict.refused.values()] == [XdsError.DEPRECATED]
    assert set(verdict.superseded) == frozenset()


@pytest.mark.parametrize("relations", [*permutations([Relation.APPENDS, Relation.REPLACES])])
@pytest.mark.parametrize("sources", [("Document8", "Document8"), ("Document8", "Document9")])
def test_one_submission_cannot_amend_what_it_replaces_whatever_the_order(
    relations: tuple[Relation, ...], sources: tuple[str, ...]
) -> None:
    both = [
        Association(relation=relation, source=source, target="held-1")
        for relation, source in zip(relations, sources, strict=True)
    ]

    verdict = judge(sets_of(a_set(8, 9, relations=both)), Known(entries=[held(1)]))

    assert [one.error for one in verdict.refused.values()] == [XdsError.DEPRECATED]
    assert set(verdict.superseded) == frozenset()


@pytest.mark.parametrize("order", [1, -1])
def test_nor_what_goes_with_it(order: int) -> None:
    both = [
        Association(relation=Relation.REPLACES, source="Document8", target="held-1"),
        Association(relation=Relation.TRANSFORMS, source="Document9", target="held-2"),
    ]
    known = Known(entries=[held(1), held(2)], followers={"held-1": ["held-2"]})

    verdict = judge(sets_of(a_set(8, 9, relations=both[::order])), known)

    assert [one.error for one in verdict.refused.values()] == [XdsError.DEPRECATED]


def test_an_entry_and_its_amendment_can_be_replaced_together() -> None:
    both = [
        Association(relation=Relation.REPLACES, source=f"Document{number}", target=target)
        for number, target in ((8, "held-1"), (9, "held-2"))
    ]
    known = Known(entries=[held(1), held(2)], followers={"held-1": ["held-2"]})

    verdict = judge(sets_of(a_set(8, 9, relations=both)), known)

    assert not verdict.refused
    assert set(verdict.superseded) == {"held-1", "held-2"}


def test_a_unique_id_is_a_documents_or_a_sets() -> None:
    first, second = a_set(1), a_set(2)
    named = replace(second.submission_set, unique_id=first.documents[0].entry.unique_id)
    as_a_set = replace(second, submission_set=named)
    [document] = second.documents
    entry = replace(document.entry, unique_id=first.submission_set.unique_id)
    as_a_document = replace(second, documents=(replace(document, entry=entry),))

    for other in (as_a_set, as_a_document):
        verdict = judge(sets_of(first, other), Known())

        assert [one.error for one in verdict.refused.values()] == [XdsError.DUPLICATE_IN_REGISTRY]


def test_what_is_superseded_can_be_signed_and_referred_to() -> None:
    superseded = held(1, status=EntryStatus.DEPRECATED)
    refers = Association(relation=Relation.MEMBER, source="SubmissionSet01", target="held-1")
    batch = sets_of(related(8, Relation.SIGNS, "held-1"), a_set(9, relations=[refers]))

    assert judge(batch, Known(entries=[superseded])).refused == {}


def test_a_submission_set_is_taken_once_in_a_batch() -> None:
    first = a_set(1)

    batch = sets_of(first, replace(a_set(2), submission_set=first.submission_set))
    verdict = judge(batch, Known())

    assert [one.error for one in verdict.refused.values()] == [XdsError.DUPLICATE_IN_REGISTRY]


def test_the_code_of_a_duplicate_says_in_what_it_differs() -> None:
    twin = replace(held(1), sha1="0" * 40)
    grown = replace(held(1), size_bytes=7)

    codes = [refused([one], a_submission(1))[0].error for one in (held(1), twin, grown)]

    assert codes == [
        XdsError.DUPLICATE_IN_REGISTRY,
        XdsError.NON_IDENTICAL_HASH,
        XdsError.NON_IDENTICAL_SIZE,
    ]
