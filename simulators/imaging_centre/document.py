"""Which report a message carries: its acts, its versions, and whom its document is hidden from."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from simulators.synthetic.examination import Examination
from simulators.synthetic.identity import (
    CENTRE,
    RADIOLOGIST,
    Organisation,
    Patient,
    Professional,
)
from simulators.synthetic.uids import uid_of

_WRITTEN_AFTER = timedelta(minutes=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One version of a report, as its CDA tells it."""

    document_id: str
    """An OID; the DMP takes no document id that has an extension."""
    set_id: str
    """What all versions share. Senders exist that give all their reports the same."""
    version: int = 1
    replaces: str = ""
    """Document id of the version that this one takes the place of (RPLC)."""
    examinations: tuple[Examination, ...]
    """At least one, all of one patient. Two of one study are two acts in it."""
    joint_act: bool = False
    """One act names all studies, in place of an act for each."""
    written_at: datetime
    hidden: tuple[str, ...] = ()
    """Confidentiality codes beside N, of TRE_A07 (1.2.250.1.213.1.1.4.13)."""
    structured: bool = False
    """CDA level 3: sections in place of a PDF."""
    author: Professional = RADIOLOGIST
    organisation: Organisation = CENTRE

    @property
    def examination(self) -> Examination:
        """The first of its examinations."""
        return self.examinations[0]

    @property
    def patient(self) -> Patient:
        """Whom it is about."""
        return self.examination.patient


def first_version(*examinations: Examination, number: int = 1) -> Document:
    """A new report on the examinations; the same ones always give the same.

    Args:
        number: tells the reports on the same examinations apart.
    """
    first = examinations[0]
    told = f"{first.study_uid}/{first.accession}/{first.patient.ins}"
    document_id = uid_of("report", told if number == 1 else f"{told}/{number}")
    return Document(
        document_id=document_id,
        set_id=f"{document_id}.0",
        examinations=examinations,
        written_at=first.started_at + _WRITTEN_AFTER,
    )


def next_version(document: Document, *examinations: Examination) -> Document:
    """What replaces the document, a day later.

    Args:
        examinations: what it is on, if that is no longer the same.
    """
    return replace(
        document,
        document_id=uid_of("report", document.document_id, "next"),
        version=document.version + 1,
        replaces=document.document_id,
        examinations=examinations or document.examinations,
        written_at=document.written_at + timedelta(days=1),
    )
