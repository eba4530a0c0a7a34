"""Which reports are in force, whatever the order in which they came."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from gateway.model.chain import effective_reports
from gateway.model.study import NumberedReport
from tests.support.studies import WRITTEN_AT, a_report

SOON = WRITTEN_AT + timedelta(hours=1)
LATER = SOON + timedelta(hours=1)


def in_force(*reports: NumberedReport) -> list[tuple[str, str]]:
    """Document id and status of each, by one order of arrival."""
    numbered = [replace(one, news=number) for number, one in enumerate(reports, start=1)]
    return [(one.report.document_id, one.report.status) for one in effective_reports(numbered)]


def said(document_id: str, at=None, **told) -> NumberedReport:
    return NumberedReport(news=0, report=a_report(document_id=document_id, **told), said_at=at)


@pytest.mark.parametrize(
    "words, expected",
    [
        # one setId for all reports, and one version: each stands for itself
        ([said("d1", set_id="s"), said("d2", set_id="s")], [("d1", "F"), ("d2", "F")]),
        # a higher version of the set replaces nothing unless it says so
        ([said("d1", set_id="s"), said("d2", set_id="s", version=2)], [("d1", "F"), ("d2", "F")]),
        ([said("d1"), said("d2", replaces=("d1",))], [("d2", "F")]),
        # a chain, and the withdrawal of its end: nothing comes back
        (
            [said("d1"), said("d2", replaces=("d1",)), said("d2", status="D", at=SOON)],
            [("d2", "D")],
        ),
        # a withdrawal bears the id of what it withdraws
        ([said("d1"), said("d1", status="D")], [("d1", "D")]),
        ([said("d1", at=WRITTEN_AT), said("d1", status="D", at=SOON)], [("d1", "D")]),
        # said again after its withdrawal, it holds again
        (
            [
                said("d1", at=WRITTEN_AT, for_dmp=False),
                said("d1", status="D", at=SOON),
                said("d1", at=LATER),
            ],
            [("d1", "F")],
        ),
        # whatever the version and the time of the copy that the withdrawal carries
        (
            [
                said("d1", at=WRITTEN_AT, written_at=WRITTEN_AT),
                said("d1", at=SOON, version=2, written_at=SOON),
                said("d1", status="D", at=LATER, written_at=WRITTEN_AT),
            ],
            [("d1", "D")],
        ),
        # said after its withdrawal it holds again, though an earlier version
        (
            [said("d1", status="D", version=2, at=SOON), said("d1", version=1, at=LATER)],
            [("d1", "F")],
        ),
        # each withdrawal is to be outdone
        (
            [said("d1", status="D", at=WRITTEN_AT), said("d1", at=SOON), said("d1", status="D")],
            [("d1", "D")],
        ),
        # where the messages tell no time, a higher version comes after a withdrawal
        ([said("d1", status="D"), said("d1", version=2)], [("d1", "F")]),
        # a withdrawal under an id of its own names its parent
        ([said("d1"), said("d2", status="D", replaces=("d1",))], [("d2", "D")]),
    ],
)
def test_the_order_of_arrival_changes_nothing(words, expected):
    for order in permutations(words):
        assert in_force(*order) == expected


def test_of_two_words_on_one_report_that_tell_no_time_the_last_received_holds():
    first, second = said("d1", status="C"), said("d1", status="F")

    assert in_force(first, second) == [("d1", "F")]
    assert in_force(second, first) == [("d1", "C")]
