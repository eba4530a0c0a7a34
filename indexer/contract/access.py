"""Who asks for something of a patient's record, and why: what a VIHF tells of its bearer.

The VIHF is the assertion of the CI-SIS (transport volume) that goes with each exchange with the
DMP; its attributes are listed at each field.
"""

from dataclasses import dataclass
from enum import StrEnum

from indexer.contract.document import Code, Organisation, Person
from indexer.contract.identifiers import Ins


class Purpose(StrEnum):
    """Why a record is opened (TRE_R248-ModeAcces)."""

    NORMAL = "normal"
    BREAK_GLASS = "bris_de_glace"
    """An emergency, without a permission of the patient, who is told of it."""
    CENTRE_15 = "centre_15"
    """A doctor who answers the emergency number 15."""


class Authentication(StrEnum):
    """How the bearer proved who they are (Authentification_Mode)."""

    DIRECT = "DIRECTE"
    """By a card or token of their own, straight to the DMP."""
    INDIRECT = "INDIRECTE"
    """By their structure's certificate alone: it may publish, and read nothing."""
    REINFORCED = "INDIRECTE_RENFORCEE"
    """By Pro Santé Connect, which their structure vouches for: it may read too."""


class CallerKind(StrEnum):
    """In what quality somebody acts on a record."""

    PROFESSIONAL = "professional"
    SYSTEM = "system"
    """A program without a person behind it (role AUTOMATE)."""
    PATIENT = "patient"
    """The holder of the record."""
    REPRESENTATIVE = "representative"
    """A legal representative of a minor holder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who acts on one record, as proved by what they showed."""

    kind: CallerKind
    person: Person
    """A professional by national number; of a patient the number is empty."""
    organisation: Organisation
    patient: Ins
    """Whose record is acted on (resource-id); nothing else may be touched."""
    role: Code | None = None
    """Profession, such as 10 of 1.2.250.1.71.1.2.7: a doctor."""
    speciality: Code | None = None
    """Of doctors and pharmacists only."""
    sector: Code | None = None
    """Secteur_Activite, such as SA07 of 1.2.250.1.71.4.2.4."""
    purpose: Purpose = Purpose.NORMAL
    reason: str = ""
    """In the bearer's words; an emergency must have one."""
    authentication: Authentication = Authentication.REINFORCED
    secret: bool = False
    """A secret connection: a minor's documents that the representatives must not see are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """The program by which somebody acts (LPS), as the DMP approved it."""

    name: str
    version: str
    approval: str
    """LPS_ID_HOMOLOGATION_DMP."""
    number: str = ""
    """LPS_ID, which may be left out."""
