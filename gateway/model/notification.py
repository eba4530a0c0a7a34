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

    message_digest: str
    """SHA-256 of the message, in hex: the same bytes again are no other word."""
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldByPacs:
    """One instance, and the AE title of the PACS that told of it."""

    pacs: str
    image: ImageDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsAnswered:
    """What all the PACS of the centre hold of a study now; nothing held means that none knows it.

    An instance that two of them hold is told once.
    """

    study: Uid
    held: tuple[HeldByPacs, ...]
    asked_after: int
    """Number of the last news of the study that was known when they were asked."""
