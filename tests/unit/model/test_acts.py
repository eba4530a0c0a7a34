"""What people decide comes before all rules, and never makes an INS qualified."""

from dataclasses import replace

import pytest

from gateway.model.act import Act, ActKind
from gateway.model.agreement import Disagreement, DisagreementCode
from gateway.model.decision import Publish, SetAside, Withhold
from gateway.model.image import ImagePatient
from gateway.model.publishing import publishable
from gateway.model.study import NumberedAct, NumberedDisagreement, NumberedReport
from indexer.contract.document import Identifier
from tests.support.studies import (
    OTHER_INS,
    POLICY,
    a_known_image,
    a_patient,
    a_report,
    a_snapshot,
    an_image,
)

SOMEBODY = replace(an_image().patient, local_id=Identifier(value="LOC901"))
SOMEONE_ELSE = Identifier(value="LOC777")
OF_SOMEBODY = replace(a_known_image(), header=replace(an_image(), patient=SOMEBODY))


def acts(*kinds: ActKind, **told):
    return tuple(
        NumberedAct(news=number, act=Act(kind=kind, reason="told", by="operator", **told))
        for number, kind in enumerate(kinds, start=3)
    )


def decide(**told):
    return publishable(a_snapshot(**told), POLICY, now_ms=60_000)


def test_what_a_person_took_back_is_withheld_until_it_is_lifted():
    blocked = decide(acts=acts(ActKind.WITHDRAW))

    assert isinstance(blocked, Withhold)
    assert blocked.code == "withdrawn_by_person"
    assert isinstance(decide(acts=acts(ActKind.WITHDRAW, ActKind.LIFT)), Publish)


def test_no_report_publishes_what_a_person_took_back():
    reports = (NumberedReport(news=9, report=a_report()),)

    decision = decide(acts=acts(ActKind.WITHDRAW), reports=reports, spoken_by=9)

    assert isinstance(decision, Withhold)


def test_what_a_person_dropped_comes_back_by_a_later_message_or_their_own_word():
    dropped = decide(acts=acts(ActKind.DROP), spoken_by=2)

    assert isinstance(dropped, Withhold)
    assert dropped.code == "dropped"
    assert isinstance(decide(acts=acts(ActKind.DROP), spoken_by=4), Publish)
    assert isinstance(decide(acts=acts(ActKind.DROP, ActKind.RETRY), spoken_by=2), Publish)


def test_what_was_dropped_stays_so_when_a_withdrawal_is_lifted():
    decision = decide(acts=acts(ActKind.DROP, ActKind.WITHDRAW, ActKind.LIFT), spoken_by=2)

    assert isinstance(decision, Withhold)
    assert decision.code == "dropped"


def confirming(patient: ImagePatient):
    """A person said that the images' patient is the one whom the report of the time names."""
    return acts(ActKind.CONFIRM_PATIENT, patient=patient, reported=(a_patient(),))


@pytest.mark.parametrize(
    "told, expected",
    [
        ({"birth_name": "CORRIGE"}, Publish),
        ({"ins": OTHER_INS}, Publish),  # the local patient has got another number
        ({"local_ids": (SOMEONE_ELSE,)}, Publish),  # the number has got another local patient
        ({"ins": OTHER_INS, "local_ids": (SOMEONE_ELSE,)}, SetAside),
    ],
)
def test_a_confirmed_patient_is_not_confirmed_as_somebody_else(told, expected):
    patient = a_patient(**told)
    reports = (NumberedReport(news=9, report=a_report(patient=patient, announced=patient)),)

    decision = decide(images=(OF_SOMEBODY,), acts=confirming(SOMEBODY), reports=reports)

    assert isinstance(decision, expected)


def test_a_confirmed_patient_is_the_reported_one():
    confirmed = confirming(SOMEBODY)

    assert isinstance(decide(images=(OF_SOMEBODY,)), SetAside)
    assert isinstance(decide(images=(OF_SOMEBODY,), acts=confirmed), Publish)


def test_another_patient_than_the_confirmed_one_is_not():
    confirmed = confirming(replace(SOMEBODY, birth_date="19500101"))

    decision = decide(images=(OF_SOMEBODY,), acts=confirmed)

    assert isinstance(decision, SetAside)
    assert decision.code == "patient_differs"


def test_a_confirmed_patient_makes_no_ins_qualified():
    reports = (NumberedReport(news=2, report=a_report(identity_status="PROV")),)

    decision = decide(images=(OF_SOMEBODY,), acts=confirming(SOMEBODY), reports=reports)

    assert isinstance(decision, SetAside)
    assert decision.code == "identity_not_validated"


def test_a_person_who_says_that_it_is_mended_settles_what_was_found_before():
    found = Disagreement(code=DisagreementCode.PATIENT_DIFFERS, reason="told")
    told = {"disagreement": NumberedDisagreement(news=3, found=found), "patient_changed_by": 3}

    assert isinstance(decide(**told), SetAside)
    assert isinstance(decide(**told, acts=acts(ActKind.LIFT, ActKind.RETRY)), Publish)
