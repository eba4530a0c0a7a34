"""Why something may be done on a record, or not."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """The one reason that decides, in a word that holds no patient data."""

    HOLDER = "holder"
    REPRESENTATIVE = "representative"
    TREATING_DOCTOR = "treating-doctor"
    CARE_TEAM = "care-team"
    CONSENT = "consent"
    EMERGENCY = "emergency"
    AUTHOR = "author"
    """It is the caller's own document, or their structure's."""
    DUTY = "duty"
    """Who treats a patient has the record know of it (CSP L.1111-15)."""
    OPEN_ACCESS = "open-access"
    """Nobody is asked who they are."""

    OTHER_PATIENT = "other-patient"
    """What they showed is for another patient's record."""
    ABSENT = "absent"
    CLOSED = "closed"
    HOLDER_REFUSES = "holder-refuses"
    AUTHENTICATION = "authentication"
    """The way in which they proved who they are does not go so far."""
    PURPOSE = "purpose"
    """It is not done in an emergency."""
    REASON_MISSING = "reason-missing"
    EXCLUDED = "emergency-excluded"
    BLOCKED = "blocked"
    OPPOSED = "opposed"
    NOT_AUTHORISED = "not-authorised"
    NOT_HABILITATED = "not-habilitated"
    """Their profession has no right to this category of documents."""
    NOT_THEIRS = "not-theirs"
    NOT_HOLDER = "not-holder"
    MASKED = "masked"
    HIDDEN_FROM_PATIENT = "hidden-from-patient"
    HIDDEN_FROM_REPRESENTATIVES = "hidden-from-representatives"


PERMITTING: Final = frozenset(
    {
        Reason.HOLDER,
        Reason.REPRESENTATIVE,
        Reason.TREATING_DOCTOR,
        Reason.CARE_TEAM,
        Reason.CONSENT,
        Reason.EMERGENCY,
        Reason.AUTHOR,
        Reason.DUTY,
        Reason.OPEN_ACCESS,
    }
)
TOLD: Final = {
    Reason.OTHER_PATIENT: "the proof is for another patient",
    Reason.AUTHENTICATION: "not by this way of authentication",
    Reason.PURPOSE: "not in an emergency",
    Reason.REASON_MISSING: "an emergency must have a reason",
    Reason.EXCLUDED: "the patient excludes this emergency access",
    Reason.BLOCKED: "the patient has blocked who asks",
    Reason.OPPOSED: "the patient opposes",
    Reason.NOT_AUTHORISED: "declare first that the patient was informed and does not oppose",
    Reason.NOT_HABILITATED: "the profession has no right to this category of documents",
    Reason.NOT_THEIRS: "the document is neither theirs nor their structure's",
    Reason.NOT_HOLDER: "only the holder may",
}
"""What is told to who is refused; what is hidden is told by nothing."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes of one question."""

    reason: Reason
    hidden: bool = False
    """It must look as if there were no such document."""

    @property
    def permitted(self) -> bool:
        return self.reason in PERMITTING
