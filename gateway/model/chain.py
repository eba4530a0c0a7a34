"""Which of the reports on a study are in force: those that none replaces or withdraws.

Reports are told apart, and follow each other, by their document ids alone. A setId says nothing:
senders exist that give all their reports one. When a report came says nothing either, for messages
overtake each other.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.model.report import WITHDRAWN, Report, Visibility
from gateway.model.study import NumberedReport

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def effective_reports(reports: Sequence[NumberedReport]) -> list[NumberedReport]:
    """The last word of each report, the one written last at the end; replaced ones are left out.

    A report that was once replaced (RPLC) stays so, even where its heir is withdrawn.
    """
    words: dict[str, list[NumberedReport]] = {}
    for numbered in sorted(reports, key=_within_document):
        words.setdefault(numbered.report.document_id, []).append(numbered)
    parents = {
        parent
        for numbered in reports
        for parent in numbered.report.replaces
        if parent != numbered.report.document_id
    }
    kept = [_last_word(said) for document_id, said in words.items() if document_id not in parents]
    return sorted(kept, key=_across_documents)


def has_unclear_withdrawal(
    reports: Iterable[NumberedReport], effective: Sequence[NumberedReport]
) -> bool:
    """Whether one of those in force withdraws a report of which it is not known which it is.

    It is known where the withdrawal names a parent, or bears the id of a report that came.
    """
    spoken = {one.report.document_id for one in reports if one.report.status != WITHDRAWN}
    return any(
        one.report.status == WITHDRAWN
        and not one.report.replaces
        and one.report.document_id not in spoken
        for one in effective
    )


def strictest_visibility(reports: Iterable[Report]) -> frozenset[Visibility]:
    """Whoever one report hides the study from does not see it."""
    hidden: frozenset[Visibility] = frozenset()
    for report in reports:
        hidden |= report.visibility
    return hidden


def _last_word(said: Sequence[NumberedReport]) -> NumberedReport:
    """Of the words on one report, in their order, the last that follows every withdrawal; the last
    withdrawal where none does.
    """
    withdrawals = [one for one in said if one.report.status == WITHDRAWN]
    standing = [
        one
        for one in said
        if one.report.status != WITHDRAWN and all(_follows(one, other) for other in withdrawals)
    ]
    return (standing or withdrawals)[-1]


def _follows(word: NumberedReport, withdrawal: NumberedReport) -> bool:
    """A withdrawal takes the document back, whichever version of it lies in the message."""
    if word.said_at is not None and withdrawal.said_at is not None:
        return word.said_at > withdrawal.said_at
    return _written(word) > _written(withdrawal)


def _written(numbered: NumberedReport) -> tuple[int, datetime]:
    return numbered.report.version, numbered.report.written_at or LONG_AGO


def _within_document(numbered: NumberedReport) -> tuple[int, datetime, datetime, int]:
    """Order of the words of one report, its withdrawals aside."""
    return (*_written(numbered), numbered.said_at or LONG_AGO, numbered.news)


def _across_documents(numbered: NumberedReport) -> tuple[datetime, int, str]:
    report = numbered.report
    return report.written_at or LONG_AGO, report.version, report.document_id
