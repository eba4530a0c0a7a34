"""A validated imaging report as the gateway needs it: whose it is, what it reports, who may see it.

The report's own text stays in the centre; nothing of it is kept here.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from indexer.contract.document import Code, Identifier, Organisation, Person
from indexer.contract.identifiers import Ins, Uid

VALIDATED = frozenset({"F", "C"})
"""OBX-11: final, or a correction of a final one (HL7 table 0085)."""

WITHDRAWN = "D"
"""OBX-11: the document is deleted."""


class Visibility(StrEnum):
    """Who must not see a document (TRE_A07, 1.2.250.1.213.1.1.4.13)."""

    HIDDEN_FROM_PROFESSIONALS = "MASQUE_PS"
    HIDDEN_FROM_PATIENT = "INVISIBLE_PATIENT"
    HIDDEN_FROM_GUARDIANS = "INVISIBLE_REPRESENTANTS_LEGAUX"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedPatient:
    """The patient as one part of a message names them: its PID segment or its CDA."""

    ins: Ins | None
    """None where the part names no INS, or one that is malformed."""
    local_ids: tuple[Identifier, ...] = ()
    birth_name: str = ""
    first_given_name: str = ""
    given_names: str = ""
    """All given names of birth, separated by blanks."""
    used_names: tuple[str, ...] = ()
    """Names in use, as DICOM person names (PS3.5 §6.2)."""
    birth_date: str = ""
    sex: str = ""
    birth_place: str = ""
    """Official geographic code (COG) of the place of birth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedStudy:
    """One study that a report is about, with the acts done in it."""

    study: Uid
    acts: tuple[Code, ...] = ()
    regions: tuple[Code, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One message about one report. A report that changes comes again, in another message."""

    document_id: str
    """The CDA's id: root, or root^extension."""
    set_id: str
    """What all versions of the report share; the document id where the CDA names none."""
    version: int
    replaces: tuple[str, ...] = ()
    written_at: datetime | None
    """effectiveTime of the CDA; None where it names none."""
    status: str
    """OBX-11 of the document, as sent."""
    identity_status: str
    """PID-32; `VALI` where the identity is validated."""
    announced: ReportedPatient
    """The patient of the PID segment."""
    patient: ReportedPatient
    """The patient of the CDA's recordTarget."""
    visibility: frozenset[Visibility] = frozenset()
    unknown_flags: tuple[str, ...] = ()
    """Flags of value Y whose meaning is not known here."""
    for_dmp: bool = True
    """False where the sender asks that nothing goes to the DMP (DESTDMP N)."""
    accessions: tuple[Identifier, ...] = ()
    orders: tuple[Identifier, ...] = ()
    studies: tuple[ReportedStudy, ...] = ()
    author: Person
    legal_authenticator: Person | None = None
    organisation: Organisation
    """The structure in whose name the report is signed."""
    facility: Code
    practice_setting: Code

    @property
    def validated(self) -> bool:
        """A radiologist has put their name to it."""
        return self.status in VALIDATED

    def about(self, study: Uid) -> ReportedStudy | None:
        """What the report tells of this study, if it names it."""
        return next((told for told in self.studies if told.study == study), None)
