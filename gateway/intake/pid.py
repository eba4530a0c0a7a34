"""Reads whom a message is about: PID, and the ids of PID-3 and MRG-1."""

from typing import Final

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Segment
from gateway.intake.fields import value
from gateway.intake.values import (
    INS_OIDS,
    birth_date,
    distinct,
    ins_or_none,
    oid_or_empty,
    person_name,
    sex_letter,
)
from gateway.model.report import ReportedPatient
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins

DOUBTS: Final = frozenset("ANOM COLP COLV DESA DOUT FICT INVA PROV USUR VIDE".split())
"""Words of PID-32 by which nobody is known for certain (HL7 table 0445, IHE PAM for France): not
qualified, provisional, invalid, deactivated, anonymous, of two people, usurped, doubtful, made
up."""

_LOCAL_ID_TYPES: Final = frozenset({"PI", "MR", ""})  # HL7 table 0203


def read_patient(pid: Segment) -> ReportedPatient:
    """The patient as the segment names them.

    Raises:
        RefusedMessage: a value is too long, the date of birth is none, or there are two INS.
    """
    birth = _name_of_type(pid, "L") or _name_of_type(pid, "B") or _name_of_type(pid, "")
    used = _name_of_type(pid, "D")
    first_given = value(pid, 5, 2, repetition=birth) if birth else ""
    nationals, local_ids = patient_ids(pid, 3)
    if len({one.oid for one in nationals}) < len(nationals):
        raise RefusedMessage(
            "PID-3 has two INS of one authority: which is the patient's?",
            code=ErrorCode.DATA_TYPE,
            location=pid.at(3),
        )
    try:
        born = birth_date(value(pid, 7))
    except ValueError:
        raise RefusedMessage(
            "the birth date is no date", code=ErrorCode.DATA_TYPE, location=pid.at(7)
        ) from None
    return ReportedPatient(
        ins=nationals[0] if nationals else None,
        local_ids=local_ids,
        birth_name=value(pid, 5, repetition=birth) if birth else "",
        first_given_name=first_given,
        given_names=(value(pid, 5, 3, repetition=birth) if birth else "") or first_given,
        used_names=_used_name(pid, used, first_given) if used else (),
        birth_date=born,
        sex=sex_letter(value(pid, 8)),
        birth_place=_birth_place(pid),
    )


def identity_status(pid: Segment) -> str:
    """PID-32: `VALI`, if nothing beside it speaks against the identity as a homonym, say, does not;
    else the first word that does, or the first."""
    statuses = [value(pid, 32, repetition=one) for one in range(1, pid.repetitions(32) + 1)]
    against = [one for one in statuses if one in DOUBTS]
    if "VALI" in statuses and not against:
        return "VALI"
    return next(iter(against or statuses), "")


def patient_ids(segment: Segment, field: int) -> tuple[list[Ins], tuple[Identifier, ...]]:
    """The well-formed INS and the local ids of a field of CX, known by their authority, else by
    their type.

    Raises:
        InvalidRequest: there are too many, or one is too long.
    """
    national: list[Ins | None] = []
    local: list[Identifier] = []
    for repetition in range(1, segment.repetitions(field) + 1):
        number = value(segment, field, repetition=repetition)
        authority = _authority(segment, field, repetition)
        type_code = value(segment, field, 5, repetition=repetition)
        if authority in INS_OIDS or type_code == "INS":
            national.append(ins_or_none(number, authority))
        elif number and type_code in _LOCAL_ID_TYPES:
            local.append(Identifier(value=number, authority=authority))
    well_formed = distinct(filter(None, national), "INS")
    return well_formed, tuple(distinct(local, "local patient ids"))


def _authority(segment: Segment, field: int, repetition: int) -> str:
    """The OID of the fourth component: its universal id, or its name where a sender writes the
    OID there."""
    parts = (value(segment, field, 4, part, repetition=repetition) for part in (2, 1))
    return next(filter(None, map(oid_or_empty, parts)), "")


def _name_of_type(pid: Segment, type_code: str) -> int:
    """The repetition of PID-5 that is a name of this type (HL7 table 0200), or 0."""
    numbers = range(1, pid.repetitions(5) + 1)
    return next((one for one in numbers if value(pid, 5, 7, repetition=one) == type_code), 0)


def _used_name(pid: Segment, repetition: int, first_given: str) -> tuple[str, ...]:
    family = value(pid, 5, repetition=repetition)
    given = value(pid, 5, 2, repetition=repetition) or first_given
    return (person_name(family, given),) if family else ()


def _birth_place(pid: Segment) -> str:
    """PID-11.9 of the address of birth: an official geographic code (COG)."""
    for repetition in range(1, pid.repetitions(11) + 1):
        if value(pid, 11, 7, repetition=repetition) == "BDL":
            return value(pid, 11, 9, repetition=repetition)
    return ""
