"""The asking side of `existence`: the DMP's TD0.2, and what its answer says of a record.

Only what tells whether there is a record is read. Whether who asks may consult it (AUTORISATION) is
another question: a record takes documents from who may not read it.
"""

from datetime import datetime
from typing import Final
from uuid import uuid4

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid
from indexer.contract.record import RecordState
from indexer.wire.dmp.existence import (
    DMP_DEVICE,
    INTERACTIONS,
    REASONS,
    TEST_OF_EXISTENCE,
    add,
    hl7,
)
from indexer.wire.hl7_values import write_moment
from indexer.wire.proof.vocabulary import HL7
from indexer.wire.xml import Element

_QUERY: Final = "PRPA_IN201307UV02"
_ANSWER: Final = "PRPA_IN201308UV02"
_NAMESPACES: Final = {"hl7": HL7}
_CLOSED: Final = "terminated"


def existence_query(patient: Ins, *, sender: Oid, software: str, now: datetime) -> Element:
    """The body that asks whether a patient has a record.

    Args:
        sender: of the device that asks; its messages are named below it.
        now: aware.
    """
    query = etree.Element(hl7(_QUERY), nsmap=_NAMESPACES, ITSVersion="XML_1.0")
    add(query, "id", root=sender, extension=str(uuid4()))
    add(query, "creationTime", value=write_moment(now))
    add(query, "interactionId", root=INTERACTIONS, extension=_QUERY)
    add(query, "processingCode", code="P")
    add(query, "processingModeCode", code="T")
    add(query, "acceptAckCode", code="AL")
    _device(query, "receiver", "RCV", Oid(DMP_DEVICE), "DMP")
    _device(query, "sender", "SND", sender, software)
    act = add(query, "controlActProcess", classCode="CACT", moodCode="EVN")
    add(act, "reasonCode", code=TEST_OF_EXISTENCE, codeSystem=REASONS)
    asked = add(act, "queryByParameter")
    add(asked, "queryId", root=sender, extension=str(uuid4()))
    add(asked, "statusCode", code="new")
    identifier = add(add(asked, "parameterList"), "patientIdentifier")
    add(identifier, "value", root=patient.oid, extension=patient.value)
    add(identifier, "semanticsText").text = "Patient.id"
    return query


def read_existence_answer(body: Element) -> RecordState:
    """Whether there is a record: open, closed or absent.

    Raises:
        InvalidValue: it is no such answer, or tells of a failure.
    """
    if body.tag != hl7(_ANSWER) or _told(body, "hl7:acknowledgement", "typeCode") != "AA":
        raise InvalidValue("the body is no answer to a test of existence that was taken")
    match _told(body, "hl7:controlActProcess/hl7:queryAck/hl7:queryResponseCode", "code"):
        case "NF":
            return RecordState.ABSENT
        case "OK":
            status = _told(body, ".//hl7:subject1/hl7:patient/hl7:statusCode", "code")
            return RecordState.CLOSED if status == _CLOSED else RecordState.OPEN
        case _:
            raise InvalidValue("the answer does not say whether there is a record")


def _device(query: Element, tag: str, kind: str, oid: Oid, software: str) -> None:
    party = add(query, tag, typeCode=kind)
    device = add(party, "device", classCode="DEV", determinerCode="INSTANCE")
    add(device, "id", root=oid)
    add(device, "softwareName").text = software


def _told(body: Element, path: str, attribute: str) -> str:
    found = body.find(path, _NAMESPACES)
    return "" if found is None else found.get(attribute, "").strip()
