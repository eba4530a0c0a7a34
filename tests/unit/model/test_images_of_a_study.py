"""Which images of a study count: rejected, deleted, or of no class that may be listed."""

from dataclasses import replace

import pytest

from gateway.model.decision import (
    Publish,
    Withhold,
)
from gateway.model.publishing import publishable
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid
from tests.support.studies import (
    POLICY,
    STUDY,
    WITH_PACS,
    a_known_image,
    a_snapshot,
    an_image,
    an_order,
)

LATER_MS = 60_000
SOMEONE = Identifier(value="LOC901")
DOSE_REPORT = Uid("1.2.840.10008.5.1.4.1.1.88.67")


def decide(snapshot, policy=POLICY, now_ms=LATER_MS):
    return publishable(snapshot, policy, now_ms=now_ms)


def test_a_rejection_note_is_no_image_of_the_study():
    note = a_known_image(2, sop_class=Uid(KEY_OBJECTS), title_code="113001", modality="KO")
    selection = a_known_image(3, sop_class=Uid(KEY_OBJECTS), title_code="113000", modality="KO")

    decision = decide(a_snapshot(images=(a_known_image(1), note, selection)))

    assert isinstance(decision, Publish)
    assert [one.number for one in decision.content.series[0].instances] == ["1", "3"]


def test_rejected_images_are_neither_listed_nor_compared():
    wrong = replace(an_image(2), patient=replace(an_image(2).patient, local_id=SOMEONE))
    rejected = replace(a_known_image(2), header=wrong, rejected="113038")

    decision = decide(a_snapshot(images=(a_known_image(1), rejected)))

    assert isinstance(decision, Publish)
    assert [one.number for one in decision.content.series[0].instances] == ["1"]


def test_a_study_whose_images_are_all_rejected_is_withheld():
    images = (replace(a_known_image(1), rejected="113001"),)

    decision = decide(a_snapshot(images=images, was_decided=True))

    assert isinstance(decision, Withhold)
    assert decision.code == "images_rejected"


def test_a_study_that_was_published_and_whose_images_are_gone_is_withheld_at_once():
    snapshot = a_snapshot(images=(), last_pushed_at_ms=None, was_decided=True, pacs_asked_after=2)

    decision = decide(snapshot, WITH_PACS)

    assert isinstance(decision, Withhold)
    assert decision.code == "images_gone"


@pytest.mark.parametrize("pacs, expected", [("", Withhold), ("PACS", Publish)])
def test_an_exam_that_the_ris_deleted_is_withheld_unless_a_pacs_holds_it(pacs, expected):
    order = an_order(control="CA", exam_changed=True, studies=(STUDY,))
    images = (a_known_image(1, pacs=pacs),)

    decision = decide(a_snapshot(images=images, orders=(order,), pacs_asked_after=2))

    assert isinstance(decision, expected)


def test_a_study_of_key_objects_alone_is_withheld():
    selection = a_known_image(1, sop_class=Uid(KEY_OBJECTS), modality="KO")

    assert isinstance(decide(a_snapshot(images=(selection,))), Withhold)
