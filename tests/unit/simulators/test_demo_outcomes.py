"""What the demo counts as held, and what it writes for scripts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.demo.story import Case, Outcome, Whereabouts
from simulators.demo.telling import write_json
from simulators.synthetic.examination import make_examination

EXAMINATION = make_examination(1, 1, "CT")
CASE = Case(examination=EXAMINATION, reported=EXAMINATION, files=(), images=Whereabouts.PACS)
GOOD = Outcome(
    case=CASE,
    instances=10,
    published=True,
    findable_ms=12,
    bytes_fetched=345,
    digests_equal=True,
)
ASIDE = Outcome(case=replace(CASE, set_aside_as="patient_differs"), instances=10, set_aside=True)


def test_a_study_that_came_back_the_same_held() -> None:
    assert GOOD.held


@pytest.mark.parametrize(
    "change",
    [
        {"published": False},
        {"digests_equal": False},
        {"digests_equal": None},
        {"faults": ("took more than 60 s",)},
    ],
)
def test_a_study_that_did_not_come_back_the_same_did_not_hold(change) -> None:
    assert not replace(GOOD, **change).held


def test_a_disagreement_that_was_set_aside_held() -> None:
    assert ASIDE.held


@pytest.mark.parametrize(
    "change", [{"set_aside": False}, {"published": True}, {"faults": ("another code",)}]
)
def test_a_disagreement_that_was_published_or_lost_did_not_hold(change) -> None:
    assert not replace(ASIDE, **change).held


def test_scripts_find_the_keys_that_they_rely_on(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"

    write_json(file, [GOOD, ASIDE], {"gateway": "http://127.0.0.1:1"}, ok=True)

    told = json.loads(file.read_text())
    assert told["ok"] is True
    assert told["urls"] == {"gateway": "http://127.0.0.1:1"}
    assert told["studies"] == [
        {
            "study_uid": EXAMINATION.study_uid,
            "ins": EXAMINATION.patient.ins,
            "oid": EXAMINATION.patient.ins_oid,
            "modality": "CT",
            "instances": 10,
            "published": True,
            "set_aside": False,
            "findable_ms": 12,
            "bytes_fetched": 345,
            "digests_equal": True,
        },
        {
            "study_uid": EXAMINATION.study_uid,
            "ins": EXAMINATION.patient.ins,
            "oid": EXAMINATION.patient.ins_oid,
            "modality": "CT",
            "instances": 10,
            "published": False,
            "set_aside": True,
            "findable_ms": None,
            "bytes_fetched": 0,
            "digests_equal": None,
        },
    ]
