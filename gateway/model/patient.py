"""What the centre's master patient index says of a patient: identified, corrected, merged.

The word comes by ADT; it tells which INS goes with a local id, and which local ids are one person.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.model.report import ReportedPatient
from indexer.contract.document import Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientWord:
    """One ADT message about one patient. Its local ids and those of `merged` are one person's."""

    event: str
    """Trigger event: A01, A04, A08, A31, A40 or A47."""
    told_at: datetime | None
    """EVN-2, aware; None where the message leaves it out."""
    identity_status: str
    """PID-32; `VALI` where the identity is validated."""
    patient: ReportedPatient
    """As PID names them; at least one local id. After a merge it is the one that survives."""
    merged: tuple[Identifier, ...] = ()
    """MRG-1: local ids that were merged into the patient's (A40), or that its own replace (A47)."""
