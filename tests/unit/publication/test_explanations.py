"""Everything that waits for a person tells them why, and what to do, in both languages."""

from itertools import chain

import pytest

from gateway.model.act import ActKind
from gateway.model.agreement import DisagreementCode
from gateway.model.decision import NoRecordCode, SetAsideCode, WaitFor, WithheldCode
from gateway.model.event import Event
from gateway.publication.explanations import EVENTS, EXPLANATIONS, REASONS, told_of

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


def test_each_reason_why_a_study_stands_where_it_does_is_told_in_both_languages():
    assert set(REASONS) == {*CODES, *WaitFor, *WithheldCode, *NoRecordCode}
    assert all(text.fr.endswith(".") and text.en.endswith(".") for text in REASONS.values())


@pytest.mark.parametrize(
    "event, code, french",
    [
        (Event.WAITING, WaitFor.REPORT, "L'examen attend. Aucun compte rendu n'est encore arrivé."),
        (
            Event.SET_ASIDE,
            DisagreementCode.PATIENT_DIFFERS,
            "L'examen attend une personne. "
            "Les images et le compte rendu désignent des patients différents.",
        ),
        (Event.PUBLISHED, "", "Le pointeur est dans le DMP."),
        (Event.INSTANCES_REJECTED, "113001", "Des images ont été rejetées."),
    ],
)
def test_a_history_tells_the_reason_of_a_decision(event, code, french):
    assert told_of(event, code).fr == french
