"""What a decision leans on: a record as its holder wants it, and how it stands to who asks."""

from dataclasses import dataclass
from enum import StrEnum

from indexer.contract.access import Purpose
from indexer.contract.identifiers import Ins
from indexer.contract.record import RecordState


class Mask(StrEnum):
    """From whom a document is hidden (confidentialityCode, of TRE_A07 in value set JDV_J08)."""

    FROM_PROFESSIONALS = "MASQUE_PS"
    """But its author and the treating doctor whom the patient named."""
    FROM_PATIENT = "INVISIBLE_PATIENT"
    """And from representatives: until somebody has told the patient in person."""
    FROM_REPRESENTATIVES = "INVISIBLE_REPRESENTANTS_LEGAUX"
    """A minor's own secret; professionals see it in a secret connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a record stands to one professional. Times are milliseconds since 1970, UTC."""

    declared: bool = False
    """They take part in the care, informed the patient, and the patient did not oppose (TD0.3)."""
    granted: bool = False
    """The patient allowed it by name, which is the explicit consent of a non-member."""
    granted_until_ms: int | None = None
    """When that ends; None: not until it is taken back."""
    blocked: bool = False
    """The patient shut them out."""

    def consents(self, now_ms: int) -> bool:
        """Whether the patient's own permission holds now."""
        return self.granted and (self.granted_until_ms is None or now_ms < self.granted_until_ms)


STRANGER = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A patient's record: its state, what its holder chose, and its standing to who asks."""

    patient: Ins
    state: RecordState = RecordState.OPEN
    """Open, absent or closed: that the holder refuses documents is told apart."""
    refuses_documents: bool = False
    """No document is taken."""
    opposed: bool = False
    """The patient opposes being read: only those whom they allowed by name go on."""
    excluded: frozenset[Purpose] = frozenset()
    """Emergencies in which nobody may read it."""
    masked_in_emergency: bool = False
    """In an emergency documents are shown, too, that are hidden from professionals."""
    treating_doctor: str = ""
    """National number of the *médecin traitant DMP*; empty where none is named."""
    standing: Standing = STRANGER
