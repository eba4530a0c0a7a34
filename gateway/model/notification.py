"""News of a study, whichever door it came in by."""

from dataclasses import dataclass

from gateway.model.image import ImageDescription, StoredObject
from gateway.model.report import Report
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStored:
    """An instance was pushed to the gateway, which now holds its bytes (C-STORE)."""

    study: Uid
    image: ImageDescription
    stored: StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAnnounced:
    """The PACS holds a whole study (Instance Availability Notification, RAD-49)."""

    study: Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReceived:
    """The RIS sent a report that names at least one study."""

    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsAnswered:
    """What the PACS says it holds of a study now; no image means that it knows none."""

    study: Uid
    pacs: str
    """AE title of the PACS that answered."""
    images: tuple[ImageDescription, ...]
    asked_after: int
    """Number of the last news of the study that was known when the PACS was asked."""


Notification = InstanceStored | StudyAnnounced | ReportReceived | PacsAnswered
