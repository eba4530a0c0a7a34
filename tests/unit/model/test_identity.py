"""A patient who was corrected or merged since the report was written."""

from datetime import timedelta

import pytest

from gateway.model.decision import Publish, SetAside
from gateway.model.patient import PatientWord
from gateway.model.publishing import publishable
from gateway.model.study import NumberedWord
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins
from tests.support.studies import INS, LOCAL_ID, POLICY, WRITTEN_AT, a_patient, a_snapshot

OTHER = Ins(value="279035121518989", oid=INS.oid)
SURVIVOR = Identifier(value="IPP-SURVIVOR", authority=LOCAL_ID.authority)
NUMBER_ALONE = Identifier(value=LOCAL_ID.value)
ELSEWHERE = Identifier(value=LOCAL_ID.value, authority="1.2.250.1.999.3")
LATER, EARLIER = WRITTEN_AT + timedelta(days=1), WRITTEN_AT - timedelta(days=1)


def word(number=1, *, heard_at=LATER, told_at=LATER, status="VALI", ids=(LOCAL_ID,), **told):
    merged = told.pop("merged", ())
    patient = a_patient(**{"ins": OTHER, **told, "local_ids": ids})
    said = PatientWord(
        event="A40" if merged else "A31",
        told_at=told_at,
        identity_status=status,
        patient=patient,
        merged=merged,
    )
    return NumberedWord(number=number, heard_at=heard_at, word=said)


def decide(*words):
    return publishable(a_snapshot(words=words), POLICY, now_ms=60_000)


def ins_of(decision) -> Ins:
    assert isinstance(decision, Publish)
    return decision.content.ins


def test_a_later_word_corrects_the_ins():
    assert ins_of(decide(word())) == OTHER


def test_a_word_from_before_the_report_changes_nothing():
    assert ins_of(decide(word(told_at=EARLIER))) == INS


def test_a_word_without_a_time_counts_from_when_it_was_heard():
    assert ins_of(decide(word(told_at=None))) == OTHER
    assert ins_of(decide(word(told_at=None, heard_at=EARLIER))) == INS


@pytest.mark.parametrize("turned", [False, True])
def test_the_last_of_two_words_by_their_own_time_holds(turned):
    last = word(1 + turned, told_at=LATER + timedelta(hours=1), ins=INS)
    first = word(2 - turned)

    assert ins_of(decide(*((last, first) if turned else (first, last)))) == INS


def test_a_merge_makes_the_images_of_the_merged_patient_those_of_the_survivor():
    assert ins_of(decide(word(ids=(SURVIVOR,), merged=(LOCAL_ID,)))) == OTHER


def test_a_word_about_the_survivor_reaches_who_was_merged_into_them():
    merge = word(1, ids=(SURVIVOR,), merged=(LOCAL_ID,), ins=INS)
    about = word(2, ids=(SURVIVOR,), told_at=LATER + timedelta(hours=1))

    assert ins_of(decide(merge, about)) == OTHER


def test_a_number_without_its_authority_does_not_make_two_authorities_patients_one():
    bare = word(1, ids=(NUMBER_ALONE,), ins=INS)
    mine = word(2, ids=(LOCAL_ID,), ins=INS)
    anothers = word(3, ids=(ELSEWHERE,), told_at=LATER + timedelta(hours=1))

    assert ins_of(decide(bare, mine, anothers)) == INS


def test_a_number_without_its_authority_says_nothing_where_two_authorities_gave_it():
    mine = word(1, ids=(LOCAL_ID,), ins=INS)
    anothers = word(2, ids=(ELSEWHERE,))
    bare = word(3, ids=(NUMBER_ALONE,), told_at=LATER + timedelta(hours=1))

    assert ins_of(decide(mine, anothers, bare)) == INS


def test_a_number_without_its_authority_is_that_of_the_only_one_who_gave_it():
    assert ins_of(decide(word(1, ins=INS), word(2, ids=(NUMBER_ALONE,)))) == OTHER


@pytest.mark.parametrize("status", ["PROV", "VIDE"])
def test_an_identity_that_is_no_longer_validated_is_published_no_more(status):
    decision = decide(word(status=status, ins=INS))

    assert isinstance(decision, SetAside)
    assert decision.code == "identity_not_validated"
    assert decision.withdraws


def test_another_ins_without_a_status_is_not_validated():
    decision = decide(word(status=""))

    assert isinstance(decision, SetAside)
    assert decision.code == "identity_not_validated"


def test_a_word_that_names_no_identity_says_nothing_of_it():
    assert ins_of(decide(word(status="", ins=None))) == INS
