"""News of a study, whichever door it came in by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.model.act import Act
from gateway.model.image import ImageDescription, StoredObject
from gateway.model.order import Order
from gateway.model.patient import PatientWord
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
    """Something about what the PACS holds of a study is new: it has to be asked (IAN, MPPS…)."""

    study: Uid
    by: Literal["ian", "import", "mpps", "sweep", "webhook"] = "ian"
    """What told it, for the study's history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancesRejected:
    """A rejection note (IOCM, RAD-66): these instances of the study must not be shown any more.

    The note outlives them: it holds for what comes after it, too.
    """

    study: Uid
    note: Uid
    """SOP Instance UID of the note."""
    code: str
    """Its title (CID 7011): 113001, 113037, 113038 or 113039."""
    instances: tuple[Uid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReceived:
    """The RIS sent a report that names at least one study."""

    message_digest: str
    """SHA-256 of the message, in hex: the same bytes again are no other word."""
    report: Report
    said_at: datetime | None = None
    """MSH-7, aware; None where it holds no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReceived:
    """The RIS sent an order, or a word about an exam that was ordered."""

    message_digest: str
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientTold:
    """The master patient index sent a word about a patient."""

    message_digest: str
    word: PatientWord


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonActed:
    """A person decided something about a study."""

    study: Uid
    act: Act


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
