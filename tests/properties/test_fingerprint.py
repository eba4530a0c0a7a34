from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.decision import Publish
from gateway.model.patient import PatientWord
from gateway.model.publishing import publishable
from gateway.model.report import Visibility
from gateway.model.study import NumberedReport, NumberedWord
from tests.support.studies import (
    LOCAL_ID,
    POLICY,
    WRITTEN_AT,
    a_known_image,
    a_patient,
    a_report,
    a_snapshot,
)


def content_of(snapshot):
    decision = publishable(snapshot, POLICY, now_ms=60_000)
    assert isinstance(decision, Publish)
    return decision.content


@given(st.permutations([a_known_image(n, study_description=f"d{n}") for n in range(1, 6)]))
def test_the_order_in_which_images_came_does_not_make_a_revision(images):
    in_order = sorted(images, key=lambda image: image.description.instance)

    shuffled = content_of(a_snapshot(images=tuple(images)))

    assert shuffled.fingerprint() == content_of(a_snapshot(images=tuple(in_order))).fingerprint()


def test_where_an_image_lies_does_not_make_a_revision():
    here = content_of(a_snapshot(images=(a_known_image(),)))
    there = content_of(a_snapshot(images=(a_known_image(pacs="PACS"),), last_pushed_at_ms=None))

    assert here.fingerprint() == there.fingerprint()


def test_the_message_that_brought_a_report_does_not_make_a_revision():
    again = a_snapshot(reports=(NumberedReport(news=9, report=a_report()),))

    assert content_of(again).fingerprint() == content_of(a_snapshot()).fingerprint()


def test_what_is_told_of_the_patient_and_not_shown_does_not_make_a_revision():
    merge = PatientWord(
        event="A40",
        told_at=WRITTEN_AT + timedelta(days=1),
        identity_status="VALI",
        patient=a_patient(given_names="CAMILLE LOU ANNE"),
        merged=(replace(LOCAL_ID, value="never seen"),),
    )
    merged = a_snapshot(words=(NumberedWord(number=1, heard_at=WRITTEN_AT, word=merge),))

    assert content_of(merged).fingerprint() == content_of(a_snapshot()).fingerprint()


@given(
    st.sampled_from(
        [
            {"study_description": "autre"},
            {"report_id": "autre"},
            {"visibility": frozenset({Visibility.HIDDEN_FROM_PATIENT})},
            {"accessions": ()},
            {"orders": ()},
            {"series": ()},
            {"study_date": "20260103"},
        ]
    )
)
def test_whatever_is_published_otherwise_makes_a_revision(change):
    content = content_of(a_snapshot())

    assert replace(content, **change).fingerprint() != content.fingerprint()
