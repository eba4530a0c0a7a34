"""All that the gateway was told of one study, as one value.

The facts are kept as sets of rows, so the value does not depend on the order in which news came,
nor on how often it was repeated. Where a later word replaces an earlier one (a corrected image, a
new version of a report), the number of the news decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.model.image import ImageDescription, KnownImage
from gateway.model.report import Report, Visibility
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedReport:
    """A report with the number of the news that first brought it."""

    news: int
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySnapshot:
    """What is known of a study at one moment. News is numbered from 1 within the study."""

    study: Uid
    news: int
    images: tuple[KnownImage, ...] = ()
    """Sorted by series and instance."""
    reports: tuple[NumberedReport, ...] = ()
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

    @property
    def descriptions(self) -> list[ImageDescription]:
        """What is known of each image."""
        return [image.description for image in self.images]

    @property
    def pushed(self) -> list[KnownImage]:
        """The images whose bytes lie here."""
        return [image for image in self.images if image.stored is not None]


def effective_reports(reports: Iterable[NumberedReport]) -> list[NumberedReport]:
    """The latest word of each report, oldest news first; what a later version replaces is left out.

    A report is replaced by the one that names it as its parent (RPLC), or by a higher version in
    its set. A set in which two reports bear the same version is no set: senders exist that give
    all of theirs one setId, and one of two reports on a study must not hide the other.
    """
    told = sorted(reports, key=lambda numbered: numbered.news)
    latest = {numbered.report.document_id: numbered for numbered in told}
    parents = {
        parent
        for numbered in latest.values()
        for parent in numbered.report.replaces
        if parent != numbered.report.document_id
    }
    sets: dict[str, list[int]] = {}
    for numbered in latest.values():
        sets.setdefault(numbered.report.set_id, []).append(numbered.report.version)

    def is_outdone(report: Report) -> bool:
        versions = sets[report.set_id]
        return len(versions) == len(set(versions)) and report.version < max(versions)

    kept = [
        numbered
        for numbered in latest.values()
        if numbered.report.document_id not in parents and not is_outdone(numbered.report)
    ]
    return sorted(kept, key=lambda numbered: numbered.news)


def strictest_visibility(reports: Iterable[NumberedReport]) -> frozenset[Visibility]:
    """Whoever one report hides the study from does not see it."""
    hidden: frozenset[Visibility] = frozenset()
    for numbered in reports:
        hidden |= numbered.report.visibility
    return hidden
