"""Reads what the master patient index says of patients: ADT^A01, A04, A08, A31, A40 and A47
(HL7 2.5 §3.3, IHE ITI-30 and ITI-31, RAD-12)."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Message, Segments
from gateway.intake.fields import missing, only, time_or_none
from gateway.intake.pid import identity_status, patient_ids, read_patient
from gateway.intake.values import ENTRIES_MAX
from gateway.model.patient import PatientWord
from gateway.model.report import ReportedPatient
from indexer.contract.document import Identifier

MERGE: Final = "A40"
CHANGE_OF_IDS: Final = "A47"


def read_patient_words(message: Message, *, time_zone: ZoneInfo) -> list[PatientWord]:
    """What is said of each patient, in the order of the message; only a merge is about several.

    Args:
        time_zone: of the times that name no offset.

    Raises:
        InvalidRequest: its content cannot be taken.
    """
    event = message.msh.text(9, 2)
    told_at = next((time_or_none(evn, 2, time_zone) for evn in message.segments("EVN")), None)
    if event != MERGE:
        only(message, "PID")
    groups = message.groups("PID")
    if not 0 < len(groups) <= ENTRIES_MAX:
        raise RefusedMessage(
            f"a merge is about 1 to {ENTRIES_MAX} patients: PID and MRG for each",
            code=ErrorCode.SEGMENT_SEQUENCE,
            location="PID^1",
        )
    return [_word(event, told_at, group) for group in groups]


def _word(event: str, told_at: datetime | None, group: Segments) -> PatientWord:
    pid = group.first
    patient = read_patient(pid)
    if not patient.local_ids:
        raise missing("PID-3 has no local patient id: type PI, MR or none", pid.at(3))
    return PatientWord(
        event=event,
        told_at=told_at,
        identity_status=identity_status(pid),
        patient=patient,
        merged=_merged(group, patient) if event in (MERGE, CHANGE_OF_IDS) else (),
    )


def _merged(group: Segments, patient: ReportedPatient) -> tuple[Identifier, ...]:
    """The local ids of MRG-1 that are no longer the patient's; what stays may be repeated there.

    Raises:
        RefusedMessage: there is none. Where only the INS changes, other events tell it.
    """
    segments = group.segments("MRG")
    if len(segments) != 1:
        raise RefusedMessage(
            "each patient needs one MRG segment",
            code=ErrorCode.SEGMENT_SEQUENCE,
            location=(segments or [group.first])[-1].at(),
        )
    _, local_ids = patient_ids(segments[0], 1)
    merged = tuple(one for one in local_ids if not _among(one, patient.local_ids))
    if not merged:
        raise missing("MRG-1 has no local id but those of PID-3", segments[0].at(1))
    return merged


def _among(one: Identifier, known: tuple[Identifier, ...]) -> bool:
    """An authority that is left out may be any."""
    return any(
        one.value == other.value
        and (one.authority == other.authority or "" in (one.authority, other.authority))
        for other in known
    )
