"""What the manual lists, events of the log, codes of a study, acts, is what the programs have."""

import ast
from collections.abc import Iterator

from gateway.model.act import ActKind
from gateway.model.agreement import DisagreementCode
from gateway.model.decision import (
    LEAVES_POINTER,
    NoRecordCode,
    SetAsideCode,
    WaitFor,
    WithheldCode,
)
from tests.architecture.repository import ROOT, files
from tests.architecture.statement import table, words

MANUAL = "operations.md"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
BY_ANOTHER_NAME = {"order_received", "patient_told", "report_received", "warned"}
"""Chosen by the kind of the news, or by a library's warning."""
SET_ASIDE = {*SetAsideCode, *DisagreementCode}


def test_each_event_of_the_log_is_explained() -> None:
    explained = table("The log", "Event", document=MANUAL).column("Event")

    assert {event for cell in explained for event in words(cell)} == {
        *logged(),
        *BY_ANOTHER_NAME,
    }


def logged() -> Iterator[str]:
    """Events that the programs log by their names."""
    for path in files(".py", under=("gateway", "indexer")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                    args=[ast.Constant(value=str(event)), *_],
                ) if level in LEVELS:
                    yield event


def test_each_code_of_a_study_is_explained() -> None:
    states = table("Where a study stands", "State", document=MANUAL).column("Code")
    set_aside = table("Set aside: what to do", "Code", document=MANUAL).column("Code")

    assert {code for cell in states for code in words(cell)} == {
        *WaitFor,
        *WithheldCode,
        *NoRecordCode,
    }
    assert {code for cell in set_aside for code in words(cell)} == SET_ASIDE


def test_each_act_of_a_person_is_explained() -> None:
    acts = table("Set aside: what to do", "Act", document=MANUAL).column("Act")

    named = {address.rpartition("/")[2] for cell in acts for address in words(cell)}
    assert named == {act.value.replace("_", "-") for act in ActKind}


def test_the_codes_that_leave_a_pointer_out_are_named() -> None:
    text = " ".join((ROOT / "docs" / MANUAL).read_text().split())
    named = text.partition("but for the codes ")[2].partition(", which say nothing against it")[0]

    assert {*words(named)} == LEAVES_POINTER
