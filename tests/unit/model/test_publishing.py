from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.agreement import Disagreement, DisagreementCode
from gateway.model.decision import (
    AskPacs,
    Publish,
    SetAside,
    Wait,
    WaitFor,
    Withhold,
)
from gateway.model.publishing import publishable
from gateway.model.report import Visibility
from gateway.model.study import NumberedDisagreement, NumberedReport
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins, Oid, Uid
from tests.support.studies import (
    INS,
    OTHER_INS,
    POLICY,
    STUDY,
    WITH_PACS,
    WRITTEN_AT,
    a_known_image,
    a_patient,
    a_report,
    a_snapshot,
    an_image,
)

LATER_MS = 60_000
SOMEONE = Identifier(value="LOC901")
DOSE_REPORT = Uid("1.2.840.10008.5.1.4.1.1.88.67")


def decide(snapshot, policy=POLICY, now_ms=LATER_MS):
    return publishable(snapshot, policy, now_ms=now_ms)


def with_reports(*reports):
    return tuple(NumberedReport(news=n, report=one) for n, one in enumerate(reports, start=2))


def test_a_study_with_its_validated_report_is_published():
    decision = decide(a_snapshot())

    assert isinstance(decision, Publish)
    assert decision.content.study == STUDY
    assert decision.content.ins == INS
    assert decision.left_out == 0


def test_images_without_a_report_just_wait():
    assert decide(a_snapshot(reports=())) == Wait(code=WaitFor.REPORT)


@pytest.mark.parametrize("status", ["P", "R", "S", "I", "X", ""])
def test_a_report_that_is_not_validated_publishes_nothing(status):
    snapshot = a_snapshot(reports=with_reports(a_report(status=status)))

    assert decide(snapshot) == Wait(code=WaitFor.VALIDATION)


def test_a_corrected_report_is_a_validated_one():
    assert isinstance(decide(a_snapshot(reports=with_reports(a_report(status="C")))), Publish)


def test_pushed_images_settle_before_they_go():
    assert decide(a_snapshot(), now_ms=59_999) == Wait(code=WaitFor.SETTLING, until_ms=60_000)
    assert isinstance(decide(a_snapshot(), now_ms=60_000), Publish)


def test_images_that_the_pacs_answered_for_do_not_settle():
    snapshot = a_snapshot(
        images=(a_known_image(pacs="PACS"),), last_pushed_at_ms=None, pacs_asked_after=2
    )

    assert isinstance(decide(snapshot, WITH_PACS, now_ms=0), Publish)


def test_the_pacs_is_asked_once_per_report_or_announcement():
    assert decide(a_snapshot(), WITH_PACS) == AskPacs()
    assert isinstance(decide(a_snapshot(pacs_asked_after=2), WITH_PACS), Publish)
    assert decide(a_snapshot(pacs_asked_after=2, ask_pacs_after=3), WITH_PACS) == AskPacs()


def test_a_report_waits_for_its_images_and_is_then_set_aside():
    snapshot = a_snapshot(images=(), last_pushed_at_ms=None, waiting_since_ms=1000)

    assert decide(snapshot, now_ms=3_600_999) == Wait(code=WaitFor.IMAGES, until_ms=3_601_000)
    late = decide(snapshot, now_ms=3_601_000)
    assert isinstance(late, SetAside)
    assert late.code == "images_missing"


@pytest.mark.parametrize(
    "told, code",
    [
        ({"identity_status": "PROV"}, "identity_not_validated"),
        ({"identity_status": ""}, "identity_not_validated"),
        ({"patient": a_patient(ins=None)}, "ins_missing"),
        (
            {"patient": a_patient(ins=Ins(value=INS.value, oid=Oid("1.2.250.1.213.1.4.8")))},
            "ins_not_accepted",
        ),
        ({"unknown_flags": ("MASQUE_TOUS",)}, "flag_unknown"),
        ({"accessions": ()}, "accession_differs"),
        ({"patient": a_patient(local_ids=())}, "patient_differs"),
        ({"announced": a_patient(ins=None)}, "report_inconsistent"),
    ],
)
def test_a_report_that_cannot_be_published_now_is_set_aside(told, code):
    decision = decide(a_snapshot(reports=with_reports(a_report(**told))))

    assert isinstance(decision, SetAside)
    assert decision.code == code


def test_a_later_report_resolves_what_was_set_aside():
    wrong = a_report(identity_status="PROV")
    right = a_report()

    assert isinstance(decide(a_snapshot(reports=with_reports(wrong, right))), Publish)


def test_an_image_under_another_patient_after_the_report_sets_the_study_aside():
    changed = decide(a_snapshot(patient_changed_by=3, news=3))
    before = decide(a_snapshot(patient_changed_by=1))

    assert isinstance(changed, SetAside)
    assert changed.code == "patient_changed"
    assert isinstance(before, Publish)


def test_what_is_not_for_the_dmp_is_withheld_unless_the_centre_decides_otherwise():
    snapshot = a_snapshot(reports=with_reports(a_report(for_dmp=False)))

    withheld = decide(snapshot)
    assert isinstance(withheld, Withhold)
    assert withheld.code == "not_for_dmp"
    assert isinstance(decide(snapshot, replace(POLICY, honour_destdmp=False)), Publish)


def test_instances_that_no_manifest_may_list_are_left_out_and_counted():
    snapshot = a_snapshot(images=(a_known_image(1), a_known_image(2, sop_class=DOSE_REPORT)))

    decision = decide(snapshot)

    assert isinstance(decision, Publish)
    assert [one.number for one in decision.content.series[0].instances] == ["1"]
    assert decision.left_out == 1


def test_a_study_of_nothing_admissible_is_withheld():
    decision = decide(a_snapshot(images=(a_known_image(sop_class=DOSE_REPORT),)))

    assert isinstance(decision, Withhold)
    assert decision.code == "nothing_admissible"


def test_the_strictest_visibility_of_all_reports_wins():
    first = a_report(visibility=frozenset({Visibility.HIDDEN_FROM_PATIENT}))
    second = a_report(
        document_id="d2",
        set_id="s2",
        visibility=frozenset({Visibility.HIDDEN_FROM_PROFESSIONALS}),
    )

    decision = decide(a_snapshot(reports=with_reports(first, second)))

    assert isinstance(decision, Publish)
    assert decision.content.visibility == {"INVISIBLE_PATIENT", "MASQUE_PS"}


def test_an_older_version_that_comes_late_does_not_govern():
    new = a_report(document_id="d2", version=2, orders=())
    old = a_report(document_id="d1", version=1)

    decision = decide(a_snapshot(reports=with_reports(new, old)))

    assert isinstance(decision, Publish)
    assert decision.content.orders == ()


def test_a_report_that_another_replaces_says_nothing_more():
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    old = a_report(document_id="d1", set_id="d1", visibility=hidden)
    new = a_report(document_id="d2", set_id="d2", replaces=("d1",))

    decision = decide(a_snapshot(reports=with_reports(old, new)))

    assert isinstance(decision, Publish)
    assert decision.content.visibility == frozenset()


def test_a_report_withdrawn_to_not_validated_publishes_no_more():
    final, preliminary = a_report(), a_report(status="P")

    assert decide(a_snapshot(reports=with_reports(final, preliminary))) == Wait(
        code=WaitFor.VALIDATION
    )


def test_reports_that_share_a_set_without_being_its_versions_are_all_heard():
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    first = a_report(document_id="d1", visibility=hidden)
    second = a_report(document_id="d2")

    decision = decide(a_snapshot(reports=with_reports(first, second)))

    assert isinstance(decision, Publish)
    assert decision.content.report_id == "d2"
    assert decision.content.visibility == hidden


def test_a_later_written_version_governs_whenever_it_comes():
    written = WRITTEN_AT + timedelta(days=1)
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    second = a_report(version=2, written_at=written, visibility=hidden)
    first = a_report()

    for told in ((first, second), (second, first)):
        decision = decide(a_snapshot(reports=with_reports(*told)))

        assert isinstance(decision, Publish)
        assert decision.content.visibility == hidden


def test_two_reports_say_the_same_in_either_order():
    one = a_report(document_id="d1", set_id="s1", orders=())
    other = a_report(document_id="d2", set_id="s2", written_at=WRITTEN_AT + timedelta(hours=1))

    first, second = (
        decide(a_snapshot(reports=with_reports(*told))) for told in ((one, other), (other, one))
    )

    assert isinstance(first, Publish)
    assert isinstance(second, Publish)
    assert first.content.fingerprint() == second.content.fingerprint()


@pytest.mark.parametrize(
    "told, code",
    [
        ({"unknown_flags": ("MASQUE_TOUS",)}, "flag_unknown"),
        ({"patient": a_patient(ins=OTHER_INS), "announced": a_patient(ins=OTHER_INS)},
         "reports_differ"),
        ({"accessions": ()}, "accession_differs"),
        ({"for_dmp": False}, "not_for_dmp"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("objecting_is_last", [True, False])
def test_every_report_on_the_study_may_object(told, code, objecting_is_last):
    objecting = a_report(document_id="d1", set_id="s1", **told)
    other = a_report(document_id="d2", set_id="s2")
    reports = (other, objecting) if objecting_is_last else (objecting, other)

    decision = decide(a_snapshot(reports=with_reports(*reports)))

    assert isinstance(decision, SetAside | Withhold)
    assert decision.code == code


def test_reports_that_replace_each_other_are_set_aside():
    one = a_report(document_id="d1", set_id="s1", replaces=("d2",))
    other = a_report(document_id="d2", set_id="s2", replaces=("d1",))

    decision = decide(a_snapshot(reports=with_reports(one, other)))

    assert isinstance(decision, SetAside)
    assert decision.code == "reports_circular"


def test_a_withdrawal_under_an_unknown_id_beside_a_report_is_set_aside():
    final = a_report(document_id="d1")
    withdrawal = a_report(document_id="d2", status="D")

    decision = decide(a_snapshot(reports=with_reports(final, withdrawal)))

    assert isinstance(decision, SetAside)
    assert decision.code == "withdrawal_unclear"


@pytest.mark.parametrize("parents", [("d2",), ("d1", "d2")])
def test_an_unclear_withdrawal_is_settled_by_a_report_that_replaces_it(parents):
    final = a_report(document_id="d1")
    withdrawal = a_report(document_id="d2", status="D")
    replacement = a_report(document_id="d3", replaces=parents)

    reports = with_reports(final, withdrawal, replacement)

    assert isinstance(decide(a_snapshot(reports=reports)), Publish)


def test_a_withdrawn_report_does_not_silence_another_on_the_study():
    first = a_report(document_id="d1", set_id="s1")
    withdrawn = a_report(document_id="d1", set_id="s1", status="D")
    second = a_report(document_id="d2", set_id="s2")

    assert isinstance(decide(a_snapshot(reports=with_reports(first, withdrawn, second))), Publish)


def test_a_study_that_the_report_no_longer_names_is_withheld():
    old = a_report(document_id="d1", set_id="s")
    new = a_report(document_id="d2", set_id="s", replaces=("d1",), studies=())

    decision = decide(a_snapshot(reports=with_reports(old, new)))

    assert isinstance(decision, Withhold)
    assert decision.code == "report_gone"


def test_a_study_that_one_report_no_longer_names_stays_by_another_with_its_visibility_alone():
    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    masked = frozenset({Visibility.HIDDEN_FROM_PROFESSIONALS})
    old = a_report(document_id="d1", visibility=hidden)
    new = a_report(document_id="d2", visibility=hidden, replaces=("d1",), studies=())
    other = a_report(document_id="d3", visibility=masked)

    decision = decide(a_snapshot(reports=with_reports(old, other, new)))

    assert isinstance(decision, Publish)
    assert decision.content.visibility == masked


def test_what_the_pacs_tells_does_not_hide_what_the_header_tells():
    someone = replace(an_image(), patient=replace(an_image().patient, local_id=SOMEONE))
    image = replace(a_known_image(), header=someone, answer=an_image(), pacs="PACS")

    decision = decide(a_snapshot(images=(image,)))

    assert isinstance(decision, SetAside)
    assert decision.code == "patient_differs"


def test_an_answer_that_tells_less_than_the_header_takes_nothing_away():
    header = an_image(frames=30, study_id="S1")
    image = replace(a_known_image(), header=header, answer=an_image(), pacs="PACS")

    decision = decide(a_snapshot(images=(image,)))

    assert isinstance(decision, Publish)
    assert decision.content.series[0].instances[0].frames == 30
    assert decision.content.study_id == "S1"


def test_images_that_did_not_fit_when_fetched_are_settled_by_a_later_report_only():
    found = Disagreement(code=DisagreementCode.PATIENT_DIFFERS, reason="told")
    after = a_snapshot(news=3, disagreement=NumberedDisagreement(news=3, found=found))
    before = a_snapshot(disagreement=NumberedDisagreement(news=1, found=found))

    decision = decide(after)

    assert isinstance(decision, SetAside)
    assert decision.code == "patient_differs"
    assert isinstance(decide(before), Publish)
