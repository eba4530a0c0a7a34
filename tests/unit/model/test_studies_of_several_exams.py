"""One study may hold several exams: accession numbers and orders, each with its report."""

from dataclasses import replace

import pytest

from gateway.model.decision import Publish, SetAside
from gateway.model.publishing import publishable
from gateway.model.report import Report
from gateway.model.study import NumberedReport
from indexer.contract.document import Identifier
from tests.support.studies import ACCESSION, POLICY, a_known_image, a_report, a_snapshot

ANOTHER_ACCESSION = Identifier(value="ACC2", authority=ACCESSION.authority)
ANOTHER_ORDER = Identifier(value="ORD2", authority="1.2.250.1.999.6")
OF_ONE = (a_known_image(1),)
OF_TWO = (*OF_ONE, a_known_image(2, accession=ANOTHER_ACCESSION))


def decide(images, *reports: Report):
    numbered = [NumberedReport(news=n, report=one) for n, one in enumerate(reports, start=2)]
    return publishable(
        a_snapshot(images=images, reports=tuple(numbered)), POLICY, now_ms=POLICY.settle_ms
    )


@pytest.mark.parametrize("turned", [False, True])
def test_a_study_of_two_exams_may_have_a_report_on_each(turned):
    first = a_report(document_id="d1")
    second = a_report(document_id="d2", accessions=(ANOTHER_ACCESSION,), orders=(ANOTHER_ORDER,))
    reports = [second, first] if turned else [first, second]

    decision = decide(OF_TWO, *reports)

    assert isinstance(decision, Publish)
    assert decision.content.accessions == (ANOTHER_ACCESSION, ACCESSION)
    assert decision.content.orders == (ANOTHER_ORDER, *first.orders)


def test_a_study_of_two_exams_stays_while_one_of_its_two_reports_does():
    first = a_report(document_id="d1")
    withdrawn = a_report(document_id="d2", accessions=(ANOTHER_ACCESSION,), status="D")
    spoken = replace(withdrawn, status="F")

    decision = decide(OF_TWO, first, spoken, withdrawn)

    assert isinstance(decision, Publish)


def test_a_report_on_an_exam_of_which_there_is_no_image_objects():
    other = a_report(document_id="d2", accessions=(ANOTHER_ACCESSION,))

    decision = decide(OF_ONE, a_report(document_id="d1"), other)

    assert isinstance(decision, SetAside)
    assert decision.code == "accession_differs"
