"""What a person decided about a study, where the gateway could not, or must not, by itself."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.image import ImagePatient
from gateway.model.report import ReportedPatient
from indexer.contract.identifiers import Uid


class ActKind(StrEnum):
    """What a person can do; each asks a reason."""

    RETRY = "retry"
    """Look again, as if all news had just come."""
    DROP = "drop"
    """Leave it unpublished, until a later report or order speaks of it."""
    MATCH = "match"
    """The reports on another study are about this one."""
    CONFIRM_PATIENT = "confirm_patient"
    """The images' local patient is the one that the report names."""
    WITHDRAW = "withdraw"
    """Take the pointer back at once, refuse its images, and publish nothing."""
    LIFT = "lift"
    """End what `WITHDRAW` began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of one person on one study."""

    kind: ActKind
    reason: str
    by: str
    """Who did it, as the operator's session names them."""
    reported_as: Uid | None = None
    """MATCH: the study that the reports name."""
    matched_to: Uid | None = None
    """DROP: the study to which the reports were matched, where that is why nothing is left."""
    patient: ImagePatient | None = None
    """CONFIRM_PATIENT: the images' patient, to the letter; another one is not confirmed."""
    reported: tuple[ReportedPatient, ...] = ()
    """CONFIRM_PATIENT: whom the reports named then; as nobody else is the patient confirmed."""
