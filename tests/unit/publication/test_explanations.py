"""Everything that waits for a person tells them why, and what to do, in both languages."""

from itertools import chain

import pytest

from gateway.model.act import ActKind
from gateway.model.agreement import DisagreementCode
from gateway.model.decision import SetAsideCode
from gateway.model.event import Event
from gateway.publication.explanations import EVENTS, EXPLANATIONS

CODES = list(chain(SetAsideCode, DisagreementCode))


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_explained_in_french_and_english(code):
    explanation = EXPLANATIONS[code]

    texts = [explanation.why.fr, explanation.why.en]
    texts += [explanation.what_to_do.fr, explanation.what_to_do.en]
    assert all(text.strip().endswith(".") for text in texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("code", CODES)
def test_whatever_waits_can_be_tried_again_or_dropped(code):
    assert {ActKind.RETRY, ActKind.DROP} <= set(EXPLANATIONS[code].actions)


def test_each_event_of_a_history_is_told_in_french_and_english():
    assert set(EVENTS) == set(Event)
    assert all(text.fr.endswith(".") and text.en.endswith(".") for text in EVENTS.values())


def test_nothing_is_explained_that_cannot_happen():
    assert set(EXPLANATIONS) == set(CODES)
