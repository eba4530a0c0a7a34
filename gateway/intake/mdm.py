"""Reads a report from MDM^T02, T10 or T04: new, a replacement, or withdrawn (CI-SIS, HL7 2.6).

TXA repeats what the CDA says of itself, and may add which document is replaced.
"""

from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import Message, Segment
from gateway.intake.document import Purpose, read_document
from gateway.intake.fields import missing, only, value
from gateway.intake.values import distinct
from gateway.model.report import Report

PURPOSES: Final = {"T02": Purpose.NEW, "T10": Purpose.REPLACE, "T04": Purpose.WITHDRAW}

AUTHENTICATED: Final = frozenset({"AU", "LA"})  # TXA-17, HL7 table 0271
COMPLETION_STATUSES: Final = frozenset("AU DI DO IN IP LA PA".split())


def read_mdm(message: Message, *, time_zone: ZoneInfo) -> Report:
    """The report that the message brings.

    Args:
        time_zone: of the times in the CDA that name no offset.

    Raises:
        InvalidRequest: its content cannot be taken, or contradicts itself.
    """
    purpose = PURPOSES[message.msh.text(9, 2)]
    report = read_document(message, purposes=frozenset({purpose}), time_zone=time_zone)
    txa = only(message, "TXA")
    _check_document_id(txa, report)
    _check_completion(txa, report)
    told = _document_ids(txa, 13)
    parents = [*report.replaces, *(one for one in told if one != report.document_id)]
    return replace(report, replaces=tuple(distinct(parents, "documents that are replaced")))


def _check_document_id(txa: Segment, report: Report) -> None:
    told = _document_ids(txa, 12)
    if not told:
        raise missing("TXA-12 does not name the document", "TXA^1^12")
    if report.document_id not in told:
        raise _contradiction("TXA-12 is not the id of the CDA", "TXA^1^12")


def _document_ids(txa: Segment, field: int) -> list[str]:
    """The id of a document as a CDA has it, its root or root^extension, in each way that the field
    can be read: the mark between the two also parts components, and an EI ends in its root."""
    first, second, third = (value(txa, field, part) for part in (1, 2, 3))
    if not first:
        return []
    extended = [f"{third}^{first}"] * bool(third) + [f"{first}^{second}"] * bool(second)
    return [first, *extended]


def _check_completion(txa: Segment, report: Report) -> None:
    """TXA-17: a document that nobody has signed is not final, whatever OBX-11 says."""
    completion = value(txa, 17)
    if not completion:
        raise missing("TXA-17 does not say whether the document is signed", "TXA^1^17")
    if completion not in COMPLETION_STATUSES:
        raise RefusedMessage(
            "the status of TXA-17 is not in HL7 table 0271",
            code=ErrorCode.TABLE_VALUE_NOT_FOUND,
            location="TXA^1^17",
        )
    if report.validated and completion not in AUTHENTICATED:
        raise _contradiction("OBX-11 is final, TXA-17 is not", "TXA^1^17")


def _contradiction(what: str, location: str) -> RefusedMessage:
    return RefusedMessage(what, code=ErrorCode.INTERNAL, location=location)
