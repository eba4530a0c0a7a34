"""Where a centre publishes on images, the order or the patient index speaks until a report does."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.decision import (
    AskPacs,
    Publish,
    SetAside,
    Wait,
    WaitFor,
    Withhold,
)
from gateway.model.patient import PatientWord
from gateway.model.publishing import publishable
from gateway.model.study import NumberedReport, NumberedWord
from indexer.contract.document import Identifier, Person
from tests.support.studies import (
    ACCESSION,
    DEFAULTS,
    INS,
    LOCAL_ID,
    ON_IMAGES,
    PLACER,
    POLICY,
    STUDY,
    WRITTEN_AT,
    a_known_image,
    a_patient,
    a_report,
    a_snapshot,
    an_order,
)


def decide(policy=ON_IMAGES, **told):
    return publishable(a_snapshot(**{"reports": (), **told}), policy, now_ms=60_000)


def a_word(**told) -> NumberedWord:
    said = PatientWord(
        event="A28",
        told_at=WRITTEN_AT + timedelta(hours=1),
        identity_status="VALI",
        patient=a_patient(),
    )
    return NumberedWord(number=1, heard_at=WRITTEN_AT, word=replace(said, **told))


def test_a_settled_study_goes_with_what_its_order_and_the_centre_tell():
    decision = decide(orders=(an_order(),))

    assert isinstance(decision, Publish)
    content = decision.content
    assert (content.ins, content.accessions, content.orders) == (INS, (ACCESSION,), (PLACER,))
    assert (content.author, content.organisation) == (DEFAULTS.author, DEFAULTS.organisation)
    assert (content.regions, content.report_id) == (DEFAULTS.regions, "")


def test_what_the_order_tells_comes_before_what_the_centre_settled():
    author = Person(number="801234567897")

    decision = decide(orders=(an_order(author=author),))

    assert isinstance(decision, Publish)
    assert decision.content.author == author


def test_without_an_order_the_patient_index_may_name_the_ins():
    decision = decide(words=(a_word(),))

    assert isinstance(decision, Publish)
    assert decision.content.ins == INS


def test_a_study_of_nobody_known_waits_for_an_identity():
    assert decide() == Wait(code=WaitFor.IDENTITY)


def test_a_study_whose_patients_number_two_authorities_gave_waits_for_an_identity():
    image = a_known_image(patient={"local_id": Identifier(value=LOCAL_ID.value)})
    elsewhere = a_patient(local_ids=(Identifier(value=LOCAL_ID.value, authority="1.2.3"),))
    words = (a_word(), replace(a_word(patient=elsewhere), number=2))

    assert decide(images=(image,), words=words) == Wait(code=WaitFor.IDENTITY)


def test_an_order_for_another_patient_does_not_speak():
    other = a_patient(local_ids=(Identifier(value="IPP999"),))

    assert decide(orders=(an_order(patient=other),)) == Wait(code=WaitFor.IDENTITY)


@pytest.mark.parametrize(
    "told, code",
    [
        ({"identity_status": "PROV"}, "identity_not_validated"),
        ({"patient": a_patient(ins=None)}, "ins_missing"),
        ({"accessions": (Identifier(value="ACC999"),)}, None),
    ],
)
def test_only_a_qualified_ins_is_published(told, code):
    decision = decide(orders=(an_order(**told),))

    if code is None:
        assert isinstance(decision, Publish)
    else:
        assert isinstance(decision, SetAside)
        assert decision.code == code


@pytest.mark.parametrize("control", ["CA", "CR", "OC", "DC", "DR", "OD"])
def test_a_cancelled_order_publishes_nothing(control):
    decision = decide(orders=(an_order(control=control),))

    assert isinstance(decision, Withhold)
    assert decision.code == "order_cancelled"


def test_a_report_speaks_once_it_has_come():
    reports = (NumberedReport(news=2, report=a_report(document_id="d1")),)

    decision = decide(orders=(an_order(),), reports=reports)

    assert isinstance(decision, Publish)
    assert decision.content.report_id == "d1"


def test_a_report_that_was_withdrawn_leaves_nothing_to_say():
    reports = (NumberedReport(news=2, report=a_report(status="D")),)

    assert isinstance(decide(orders=(an_order(),), reports=reports), Withhold)


def test_the_pacs_is_asked_before_anybody_speaks():
    policy = replace(ON_IMAGES, has_pacs=True)

    assert decide(policy, images=(), orders=(an_order(studies=(STUDY,)),)) == AskPacs()


def test_pushed_images_settle_before_they_go():
    snapshot = a_snapshot(reports=(), orders=(an_order(),))

    decision = publishable(snapshot, ON_IMAGES, now_ms=59_999)

    assert decision == Wait(code=WaitFor.SETTLING, until_ms=60_000)


def test_the_rule_of_reports_takes_no_order_for_one():
    assert decide(POLICY, orders=(an_order(),)) == Wait(code=WaitFor.REPORT)
