"""All that the gateway was told of one study, as one value.

The facts are kept as sets of rows, so the value does not depend on the order in which news came,
nor on how often it was repeated. Where a later word replaces an earlier one, the version and time
of a report decide, and of an image the number of the news that brought it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.model.agreement import Disagreement
from gateway.model.image import ImageDescription, KnownImage
from gateway.model.report import WITHDRAWN, Report, Visibility
from indexer.contract.identifiers import Uid

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedReport:
    """A report with the number of the news that last said so."""

    news: int
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedDisagreement:
    """What did not fit when images were fetched, with the number of that news."""

    news: int
    found: Disagreement


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySnapshot:
    """What is known of a study at one moment. News is numbered from 1 within the study."""

    study: Uid
    news: int
    images: tuple[KnownImage, ...] = ()
    """Sorted by series and instance."""
    reports: tuple[NumberedReport, ...] = ()
    """Those that name the study, and those that replace one which did."""
    last_pushed_at_ms: int | None = None
    """When the last instance was pushed here."""
    waiting_since_ms: int | None = None
    """When the report first had no images to go with; None while it is not waiting for any."""
    ask_pacs_after: int = 0
    """Number of the last news on which the PACS has to be asked."""
    pacs_asked_after: int = -1
    """Number of the last news that was known when the PACS gave its last answer; -1: never."""
    patient_changed_by: int = 0
    """Number of the last news that put another patient into an image; 0: none did."""
    disagreement: NumberedDisagreement | None = None
    """The last thing that did not fit when images were fetched."""

    @property
    def told(self) -> list[ImageDescription]:
        """Everything that is told of the images, by their headers and by the PACS."""
        return [description for image in self.images for description in image.told]

    @property
    def descriptions(self) -> list[ImageDescription]:
        """What is known of each image."""
        return [image.description for image in self.images]

    @property
    def pushed(self) -> list[KnownImage]:
        """The images whose bytes lie here."""
        return [image for image in self.images if image.stored is not None]


def effective_reports(reports: Iterable[NumberedReport]) -> list[NumberedReport]:
    """The last word of each report, the one written last at the end; replaced ones are left out.

    When a report was written decides, not when it came: messages overtake each other. A report is
    replaced by the one that names it as its parent (RPLC), or by a higher version in its set. Of
    two reports that bear the same version in one set neither is an older form of a third: senders
    exist that give all their reports one setId.
    """
    latest: dict[str, NumberedReport] = {}
    for numbered in sorted(reports, key=_within_document):
        latest[numbered.report.document_id] = numbered
    parents = {
        parent
        for numbered in latest.values()
        for parent in numbered.report.replaces
        if parent != numbered.report.document_id
    }
    versions: dict[str, list[int]] = {}
    for numbered in latest.values():
        versions.setdefault(numbered.report.set_id, []).append(numbered.report.version)

    def is_outdone(report: Report) -> bool:
        of_its_set = versions[report.set_id]
        return of_its_set.count(report.version) == 1 and report.version < max(of_its_set)

    kept = [
        numbered
        for numbered in latest.values()
        if numbered.report.document_id not in parents and not is_outdone(numbered.report)
    ]
    return sorted(kept, key=_across_documents)


def has_unclear_withdrawal(
    reports: Iterable[NumberedReport], effective: Sequence[NumberedReport]
) -> bool:
    """Whether one of those in force withdraws a report of which it is not known which it is.

    It is known where the withdrawal names a parent, and where what it outdid bore its id or was a
    lower version in its set.
    """
    outdone = [numbered.report for numbered in reports if numbered not in effective]
    withdrawals = [one.report for one in effective if one.report.status == WITHDRAWN]
    return any(
        not withdrawal.replaces and not any(_withdraws(withdrawal, other) for other in outdone)
        for withdrawal in withdrawals
    )


def strictest_visibility(reports: Iterable[Report]) -> frozenset[Visibility]:
    """Whoever one report hides the study from does not see it."""
    hidden: frozenset[Visibility] = frozenset()
    for report in reports:
        hidden |= report.visibility
    return hidden


def _withdraws(withdrawal: Report, other: Report) -> bool:
    if other.document_id == withdrawal.document_id:
        return True
    return other.set_id == withdrawal.set_id and other.version < withdrawal.version


def _within_document(numbered: NumberedReport) -> tuple[int, datetime, int]:
    report = numbered.report
    return report.version, report.written_at or _LONG_AGO, numbered.news


def _across_documents(numbered: NumberedReport) -> tuple[datetime, int, str]:
    report = numbered.report
    return report.written_at or _LONG_AGO, report.version, report.document_id
