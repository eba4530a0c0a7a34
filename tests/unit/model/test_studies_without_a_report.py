"""What was published elsewhere, or by another rule, has no report here, yet its images may go."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.model.decision import AskPacs, Decision, Wait, WaitFor, Withhold
from gateway.model.publishing import publishable
from tests.support.studies import STUDY, WITH_PACS, a_known_image, a_snapshot, an_order

IN_THE_PACS = a_known_image(pacs="PACS")


def decide(**told: Any) -> Decision:
    """About a study whose pointer is out, of which the PACS was asked, unless told otherwise."""
    known: dict[str, Any] = {
        "reports": (),
        "images": (IN_THE_PACS,),
        "was_decided": True,
        "pacs_asked_after": 2,
    }
    return publishable(a_snapshot(**{**known, **told}), WITH_PACS, now_ms=60_000)


def test_its_pointer_stays_while_its_images_do():
    assert decide() == Wait(code=WaitFor.REPORT)


@pytest.mark.parametrize(
    "told, code",
    [
        ({"images": (), "last_pushed_at_ms": None}, "images_gone"),
        ({"images": (replace(IN_THE_PACS, rejected="113001"),)}, "images_rejected"),
        (
            {
                "images": (a_known_image(),),
                "orders": (an_order(control="CA", exam_changed=True, studies=(STUDY,)),),
            },
            "exam_deleted",
        ),
    ],
)
def test_its_pointer_goes_with_its_images(told, code):
    decision = decide(**told)

    assert isinstance(decision, Withhold)
    assert decision.code == code


def test_the_pacs_is_asked_whether_its_images_are_there():
    assert decide(pacs_asked_after=1) == AskPacs()


@pytest.mark.parametrize("told", [{}, {"images": ()}, {"pacs_asked_after": 1}])
def test_a_study_of_which_nothing_is_out_just_waits_for_its_report(told):
    assert decide(**told, was_decided=False) == Wait(code=WaitFor.REPORT)
