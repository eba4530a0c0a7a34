"""Reads the report that an ORU or an MDM brings: the CDA in its OBX, and what is said around it.

The message says whose report it is, whether it is final and who must not see it; which study it is
about stands in the CDA alone (OBR-2, OBR-3 and OBR-18 name no accession that could be relied on).
"""

import base64
import binascii
from enum import Enum
from typing import Final
from zoneinfo import ZoneInfo

from gateway.errors import InvalidRequest
from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Message, Segment
from gateway.intake.cda import CdaReport, read_cda
from gateway.intake.fields import missing, only, value
from gateway.intake.flags import read_flags
from gateway.intake.pid import identity_status, read_patient
from gateway.model.report import WITHDRAWN, Report

RESULT_STATUSES: Final = frozenset("CDFINOPRSUWX")  # OBX-11, HL7 table 0085


class Purpose(Enum):
    """What a message about a report may be for."""

    NEW = "new"
    REPLACE = "replace"
    WITHDRAW = "withdraw"


ANY_PURPOSE: Final = frozenset(Purpose)

_NOT_WITHDRAWN = frozenset({Purpose.NEW, Purpose.REPLACE})
# ORC-1 (HL7 table 0119) and OBX-11; every other word leaves open whether it replaces another.
_BY_ACTION = {
    "": ANY_PURPOSE,
    "NW": frozenset({Purpose.NEW}),
    "RO": frozenset({Purpose.REPLACE}),
    "CA": frozenset({Purpose.WITHDRAW}),
}
_BY_STATUS = {
    "F": frozenset({Purpose.NEW}),
    "C": frozenset({Purpose.REPLACE}),
    WITHDRAWN: frozenset({Purpose.WITHDRAW}),
}


def read_document(
    message: Message, *, purposes: frozenset[Purpose] = ANY_PURPOSE, time_zone: ZoneInfo
) -> Report:
    """The report that the message brings.

    Args:
        purposes: what the event says that the message may be for.
        time_zone: of the times in the CDA that name no offset.

    Raises:
        InvalidRequest: its content cannot be taken, or contradicts itself.
    """
    pid = only(message, "PID")
    announced = read_patient(pid)
    document = the_document(message)
    status = _status(message, document, purposes)
    flags = read_flags(message)
    cda = _cda(document, time_zone)
    return Report(
        document_id=cda.document_id,
        set_id=cda.set_id,
        version=cda.version,
        replaces=cda.replaces,
        written_at=cda.written_at,
        status=status,
        identity_status=identity_status(pid),
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


def the_document(message: Message) -> Segment:
    """The one OBX that holds a document.

    Raises:
        RefusedMessage: there is none, or more than one.
    """
    documents = [obx for obx in message.segments("OBX") if value(obx, 2) == "ED"]
    if not documents:
        raise missing("the message has no CDA: no OBX of value type ED", "OBX^1^5")
    if len(documents) > 1:
        raise RefusedMessage(
            "the message has more than one document: send one report in each",
            code=ErrorCode.SEGMENT_SEQUENCE,
            location=documents[1].at(),
        )
    return documents[0]


def _cda(document: Segment, time_zone: ZoneInfo) -> CdaReport:
    content = _content(document)
    try:
        return read_cda(content, time_zone=time_zone)
    except InvalidRequest as error:
        raise RefusedMessage(
            str(error), code=ErrorCode.DATA_TYPE, location=document.at(5)
        ) from None


def _content(document: Segment) -> bytes:
    """The CDA of an OBX-5 `^TEXT^XML^Base64^…`."""
    form = tuple(value(document, 5, part).upper() for part in (2, 3, 4))
    if document.repetitions(5) > 1 or form != ("TEXT", "XML", "BASE64"):
        raise RefusedMessage(
            "the document must be one CDA, as ^TEXT^XML^Base64^ and its data",
            code=ErrorCode.DATA_TYPE,
            location=document.at(5),
        )
    # Some senders break base64 into lines, which reach us as blanks.
    data = document.text(5, 5).replace(" ", "").replace("\t", "")
    if not data:
        raise missing("the message has no CDA: OBX-5.5 is empty", document.at(5, 1, 5))
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedMessage(
            "the CDA is not valid base64", code=ErrorCode.DATA_TYPE, location=document.at(5, 1, 5)
        ) from None


def _status(message: Message, document: Segment, purposes: frozenset[Purpose]) -> str:
    """OBX-11, which must mean the same as the event and ORC-1: of two words, the wrong one could
    withdraw a report that stands, or let stand one that was withdrawn."""
    for orc in message.segments("ORC"):
        purposes &= _BY_ACTION.get(value(orc, 1), _NOT_WITHDRAWN)
        if not purposes:
            raise _contradiction("ORC-1 contradicts the event", orc.at(1))
    status = value(document, 11)
    if not status:
        raise missing("the document's OBX-11 does not say whether it is final", document.at(11))
    if status not in RESULT_STATUSES:
        raise RefusedMessage(
            "the status of OBX-11 is not in HL7 table 0085",
            code=ErrorCode.TABLE_VALUE_NOT_FOUND,
            location=document.at(11),
        )
    if not purposes & _BY_STATUS.get(status, _NOT_WITHDRAWN):
        raise _contradiction("OBX-11 contradicts ORC-1 or the event", document.at(11))
    return status


def _contradiction(what: str, location: str) -> RefusedMessage:
    return RefusedMessage(
        f"{what}: is the report new (NW, F, T02), a replacement (RO, C, T10) or withdrawn"
        " (CA, D, T04)?",
        code=ErrorCode.INTERNAL,
        location=location,
    )
