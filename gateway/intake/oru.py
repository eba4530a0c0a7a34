"""Reads a validated report from the message that brings it: ORU^R01 with a CDA in its OBX.

The message says whose report it is, whether it is final and who must not see it; which study it is
about stands in the CDA alone (OBR-2, OBR-3 and OBR-18 name no accession that could be relied on).
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from gateway.errors import InvalidRequest
from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Message, Segment
from gateway.intake.cda import read_cda
from gateway.intake.values import (
    INS_OIDS,
    VALUE_LENGTH_MAX,
    birth_date,
    distinct,
    flag_name,
    ins_or_none,
    oid_or_empty,
    person_name,
    sex_letter,
)
from gateway.model.report import WITHDRAWN, Report, ReportedPatient, Visibility
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins

VERSIONS: Final = frozenset({"2.5", "2.5.1"})
"""The French profile is 2.5; 2.5.1 changes nothing that is read here."""

FLAG_SYSTEM: Final = "METADMPMSS"
VISIBILITY_FLAGS: Final = {
    "MASQUE_PS": Visibility.HIDDEN_FROM_PROFESSIONALS,
    "INVISIBLE_PATIENT": Visibility.HIDDEN_FROM_PATIENT,
    "INVISIBLE_REP_LEGAUX": Visibility.HIDDEN_FROM_GUARDIANS,
    # The index's own word for it, and the misspelling of the profile's first edition.
    "INVISIBLE_REPRESENTANTS_LEGAUX": Visibility.HIDDEN_FROM_GUARDIANS,
    "INVISIBLE_REPRENSANTS_LEGAUX": Visibility.HIDDEN_FROM_GUARDIANS,
}
DMP_FLAG: Final = "DESTDMP"
HARMLESS_FLAGS: Final = frozenset(
    "CONNEXION_SECRETE MODIF_CONF_CODE MODIF_CONFIDENTIALITYCODE DESTMSSANTEPS DESTMSSANTEPAT"
    " ACK_RECEPTION ACK_LECTURE_MSS".split()
)
"""They ask for mail and receipts, or repeat that a visibility changed: nothing for a pointer."""
HARMLESS_PREFIX: Final = "CORPSMAIL_"

RESULT_STATUSES: Final = frozenset("CDFINOPRSUWX")  # OBX-11, HL7 table 0085
CANCEL: Final = "CA"  # ORC-1, HL7 table 0119

_LOCAL_ID_TYPES = frozenset({"PI", "MR", ""})  # HL7 table 0203
_PRESENT = {"Y": True, "N": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flags:
    visibility: frozenset[Visibility]
    unknown: tuple[str, ...]
    for_dmp: bool


def read_oru(message: Message, *, time_zone: ZoneInfo) -> Report:
    """The report that the message brings.

    Args:
        time_zone: of the times in the CDA that name no offset.

    Raises:
        RefusedMessage: its type, version or content cannot be taken.
    """
    _check_header(message)
    announced = _patient(message)
    place, document = _document(message)
    status = _status(message, document, place)
    flags = _flags(message)
    try:
        cda = read_cda(_content(document, place), time_zone=time_zone)
    except RefusedMessage:
        raise
    except InvalidRequest as error:
        raise RefusedMessage(
            str(error), code=ErrorCode.DATA_TYPE, location=f"OBX^{place}^5"
        ) from None
    return Report(
        document_id=cda.document_id,
        set_id=cda.set_id,
        version=cda.version,
        replaces=cda.replaces,
        written_at=cda.written_at,
        status=status,
        identity_status=_identity_status(message.segments("PID")[0]),
        announced=announced,
        patient=cda.patient,
        visibility=flags.visibility | cda.visibility,
        unknown_flags=tuple(sorted({*flags.unknown, *cda.unknown_visibilities})),
        for_dmp=flags.for_dmp,
        accessions=cda.accessions,
        orders=cda.orders,
        studies=cda.studies,
        author=cda.author,
        legal_authenticator=cda.legal_authenticator,
        organisation=cda.organisation,
        facility=cda.facility,
        practice_setting=cda.practice_setting,
    )


def _check_header(message: Message) -> None:
    msh = message.msh
    if msh.text(9) != "ORU":
        raise RefusedMessage(
            "only reports are taken: MSH-9 ORU^R01",
            code=ErrorCode.UNSUPPORTED_MESSAGE_TYPE,
            location="MSH^1^9^1^1",
        )
    if msh.text(9, 2) != "R01":
        raise RefusedMessage(
            "only the event R01 is taken: MSH-9 ORU^R01",
            code=ErrorCode.UNSUPPORTED_EVENT,
            location="MSH^1^9^1^2",
        )
    if msh.text(12) not in VERSIONS:
        raise RefusedMessage(
            "only HL7 2.5 is taken", code=ErrorCode.UNSUPPORTED_VERSION, location="MSH^1^12"
        )
    if not msh.text(10):
        raise _missing("the message has no control id", "MSH^1^10")
    # A training message would publish a pointer for everyone to see.
    if msh.text(11) != "P":
        raise RefusedMessage(
            "only production messages are taken: MSH-11 P",
            code=ErrorCode.UNSUPPORTED_PROCESSING_ID,
            location="MSH^1^11",
        )


def _patient(message: Message) -> ReportedPatient:
    """The patient of the one PID segment: a message about two people is about none for certain."""
    segments = message.segments("PID")
    if len(segments) != 1:
        raise RefusedMessage(
            "the message must have one PID segment",
            code=ErrorCode.SEGMENT_SEQUENCE,
            location="PID^1" if not segments else "PID^2",
        )
    [pid] = segments
    birth = _name_of_type(pid, "L") or _name_of_type(pid, "B") or _name_of_type(pid, "")
    used = _name_of_type(pid, "D")
    first_given = _value(pid, 5, 2, repetition=birth) if birth else ""
    ins, local_ids = _patient_ids(pid)
    try:
        born = birth_date(_value(pid, 7))
    except ValueError:
        raise RefusedMessage(
            "the birth date is no date", code=ErrorCode.DATA_TYPE, location="PID^1^7"
        ) from None
    return ReportedPatient(
        ins=ins,
        local_ids=local_ids,
        birth_name=_value(pid, 5, repetition=birth) if birth else "",
        first_given_name=first_given,
        given_names=(_value(pid, 5, 3, repetition=birth) if birth else "") or first_given,
        used_names=_used_name(pid, used, first_given) if used else (),
        birth_date=born,
        sex=sex_letter(_value(pid, 8)),
        birth_place=_birth_place(pid),
    )


def _name_of_type(pid: Segment, type_code: str) -> int:
    """The repetition of PID-5 that is a name of this type (HL7 table 0200), or 0."""
    numbers = range(1, pid.repetitions(5) + 1)
    return next((one for one in numbers if _value(pid, 5, 7, repetition=one) == type_code), 0)


def _used_name(pid: Segment, repetition: int, first_given: str) -> tuple[str, ...]:
    family = _value(pid, 5, repetition=repetition)
    given = _value(pid, 5, 2, repetition=repetition) or first_given
    return (person_name(family, given),) if family else ()


def _patient_ids(pid: Segment) -> tuple[Ins | None, tuple[Identifier, ...]]:
    """The INS and the local ids of PID-3, known by their authority, else by their type."""
    national: Ins | None = None
    local: list[Identifier] = []
    for repetition in range(1, pid.repetitions(3) + 1):
        value = _value(pid, 3, repetition=repetition)
        authority = _authority(pid, repetition)
        type_code = _value(pid, 3, 5, repetition=repetition)
        if authority in INS_OIDS or type_code == "INS":
            national = national or ins_or_none(value, authority)
        elif value and type_code in _LOCAL_ID_TYPES:
            local.append(Identifier(value=value, authority=authority))
    return national, tuple(distinct(local, "local patient ids"))


def _authority(pid: Segment, repetition: int) -> str:
    """The OID of PID-3.4: its universal id, or its name where a sender writes the OID there."""
    parts = (_value(pid, 3, 4, part, repetition=repetition) for part in (2, 1))
    return next(filter(None, map(oid_or_empty, parts)), "")


def _birth_place(pid: Segment) -> str:
    """PID-11.9 of the address of birth: an official geographic code (COG)."""
    for repetition in range(1, pid.repetitions(11) + 1):
        if _value(pid, 11, 7, repetition=repetition) == "BDL":
            return _value(pid, 11, 9, repetition=repetition)
    return ""


def _identity_status(pid: Segment) -> str:
    """PID-32 (HL7 table 0445 with its French codes). Other words, such as that of a homonym, may
    stand beside the one that counts."""
    statuses = [_value(pid, 32, repetition=one) for one in range(1, pid.repetitions(32) + 1)]
    return "VALI" if "VALI" in statuses else next(iter(statuses), "")


def _document(message: Message) -> tuple[int, Segment]:
    """The one OBX that holds a document, and its place among the OBX, from 1."""
    numbered = enumerate(message.segments("OBX"), start=1)
    documents = [(place, obx) for place, obx in numbered if _value(obx, 2) == "ED"]
    if not documents:
        raise _missing("the message has no CDA: no OBX of value type ED", "OBX^1^5")
    if len(documents) > 1:
        raise RefusedMessage(
            "the message has more than one document: send one report in each",
            code=ErrorCode.SEGMENT_SEQUENCE,
            location=f"OBX^{documents[1][0]}",
        )
    return documents[0]


def _content(document: Segment, place: int) -> bytes:
    """The CDA of an OBX-5 `^TEXT^XML^Base64^…`."""
    location = f"OBX^{place}^5"
    form = tuple(_value(document, 5, part).upper() for part in (2, 3, 4))
    if document.repetitions(5) > 1 or form != ("TEXT", "XML", "BASE64"):
        raise RefusedMessage(
            "the document must be one CDA, as ^TEXT^XML^Base64^ and its data",
            code=ErrorCode.DATA_TYPE,
            location=location,
        )
    # Some senders break base64 into lines, which reach us as blanks.
    data = "".join(document.text(5, 5).split())
    if not data:
        raise _missing("the message has no CDA: OBX-5.5 is empty", f"{location}^1^5")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedMessage(
            "the CDA is not valid base64", code=ErrorCode.DATA_TYPE, location=f"{location}^1^5"
        ) from None


def _status(message: Message, document: Segment, place: int) -> str:
    """OBX-11, checked against ORC-1, which must not say that a final report is withdrawn."""
    location = f"OBX^{place}^11"
    status = _value(document, 11)
    if not status:
        raise _missing("the document's OBX-11 does not say whether it is final", location)
    if status not in RESULT_STATUSES:
        raise RefusedMessage(
            "the status of OBX-11 is not in HL7 table 0085",
            code=ErrorCode.TABLE_VALUE_NOT_FOUND,
            location=location,
        )
    actions = {_value(orc, 1) for orc in message.segments("ORC")} - {""}
    if actions and (CANCEL in actions) != (status == WITHDRAWN):
        raise RefusedMessage(
            "ORC-1 and OBX-11 disagree on whether the report is withdrawn",
            code=ErrorCode.INTERNAL,
            location=location,
        )
    return status


def _flags(message: Message) -> _Flags:
    """What the OBX beside the document ask for, found by code: order and labels vary."""
    visibility: set[Visibility] = set()
    unknown: list[str] = []
    for_dmp = True
    for place, obx in enumerate(message.segments("OBX"), start=1):
        flag = _value(obx, 3).upper()
        known = flag == DMP_FLAG or flag in VISIBILITY_FLAGS
        if not known and _value(obx, 3, 3).upper() != FLAG_SYSTEM:
            continue  # the document, or a finding of no concern here
        if flag in HARMLESS_FLAGS or flag.startswith(HARMLESS_PREFIX):
            continue
        present = _answer(obx, place)
        if flag == DMP_FLAG:
            for_dmp = for_dmp and present
        elif present and flag in VISIBILITY_FLAGS:
            visibility.add(VISIBILITY_FLAGS[flag])
        elif present:
            unknown.append(flag_name(flag))
    return _Flags(
        visibility=frozenset(visibility), unknown=tuple(distinct(unknown, "flags")), for_dmp=for_dmp
    )


def _answer(obx: Segment, place: int) -> bool:
    """OBX-5: Y or N (HL7 table 0136). Anything else could hide what was meant to be hidden."""
    present = _PRESENT.get(_value(obx, 5).upper())
    if present is None:
        raise RefusedMessage(
            "the flag is neither Y nor N",
            code=ErrorCode.TABLE_VALUE_NOT_FOUND,
            location=f"OBX^{place}^5",
        )
    return present


def _value(
    segment: Segment, field: int, component: int = 1, subcomponent: int = 1, *, repetition: int = 1
) -> str:
    value = segment.text(field, component, subcomponent, repetition=repetition)
    if len(value) > VALUE_LENGTH_MAX:
        raise RefusedMessage(
            f"a value is longer than {VALUE_LENGTH_MAX} characters",
            code=ErrorCode.DATA_TYPE,
            location=f"{segment.name}^1^{field}",
        )
    return " ".join(value.split())


def _missing(reason: str, location: str) -> RefusedMessage:
    return RefusedMessage(reason, code=ErrorCode.REQUIRED_FIELD_MISSING, location=location)
