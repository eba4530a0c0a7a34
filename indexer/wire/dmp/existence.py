"""Whether a patient has a record, and who asks may open it: the DMP's TD0.2.

HL7 V3's query PRPA_IN201307UV02 and its answer PRPA_IN201308UV02, as the example messages of GIE
SESAM-Vitale have them (DMP_LPS, v02.05.00).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import uuid4

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid
from indexer.contract.record import RecordState
from indexer.wire.hl7_values import write_moment
from indexer.wire.proof.vocabulary import HL7, XSI
from indexer.wire.xml import Element

QUERY_ACTION: Final = f"{HL7}:PRPA_IN201307UV02"
ANSWER_ACTION: Final = f"{HL7}:PRPA_IN201308UV02"
ID_LENGTH_MAX: Final = 128

# The type of a value has no prefix: a strict reader looks for it in the default namespace, of which
# lxml's stubs know nothing.
_NAMESPACES: Final[dict[str, str]] = {None: HL7, "xsi": XSI}  # type: ignore[dict-item]
INTERACTIONS: Final = "2.16.840.1.113883.1.6"
DMP_DEVICE: Final = "1.2.250.1.213.4.1.1.1"
REASONS: Final = "1.2.250.1.213.1.1.4.11"
TEST_OF_EXISTENCE: Final = "TEST_EXST"
_KEYWORDS: Final = "1.2.250.1.213.4.1.2.6.1"
_AUTHORISATIONS: Final = "1.2.250.1.213.4.1.2.6.2"
_TREATING_DOCTOR: Final = "1.2.250.1.213.4.1.2.6.3"


class Authorisation(StrEnum):
    """How a record stands to who asks (1.2.250.1.213.4.1.2.6.2)."""

    VALID = "VALIDE"
    FORBIDDEN = "INTERDIT"
    """They are shut out, opposed or refused; to declare oneself does not help."""
    NONE = "INEXISTANTE"
    """They may declare themselves (TD0.3). This word is ours: the DMP's was not found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldId:
    """An id of HL7 V3."""

    root: str
    extension: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistenceQuery:
    """What is asked, and by what names the answer refers to it."""

    patient: Ins
    message: HeldId
    query: HeldId
    sender: HeldId


@dataclass(frozen=True, slots=True, kw_only=True)
class Existence:
    """What is answered: absent, closed or open."""

    state: RecordState
    authorisation: Authorisation
    treating_doctor: bool = False


def read_existence_query(body: Element) -> ExistenceQuery:
    """The query that a message asks.

    Raises:
        InvalidValue: it is none, or is not a test of existence.
    """
    if body.tag != hl7("PRPA_IN201307UV02"):
        raise InvalidValue("the body is no PRPA_IN201307UV02")
    if _find(body, "controlActProcess/reasonCode").get("code") != TEST_OF_EXISTENCE:
        raise InvalidValue(f"the reasonCode is not {TEST_OF_EXISTENCE}")
    asked = "controlActProcess/queryByParameter"
    named = _id(body, f"{asked}/parameterList/patientIdentifier/value")
    return ExistenceQuery(
        patient=Ins(value=named.extension, oid=Oid(named.root)),
        message=_id(body, "id"),
        query=_id(body, f"{asked}/queryId"),
        sender=_id(body, "sender/device/id"),
    )


def existence_answer(query: ExistenceQuery, found: Existence, *, now: datetime) -> Element:
    """The answer, which tells nothing of the patient but that there is a record."""
    answer = _message(now, query)
    if found.state is not RecordState.ABSENT:
        _attention(answer, "AUTORISATION", _KEYWORDS, "CV", {
            "code": found.authorisation, "codeSystem": _AUTHORISATIONS,
        })  # fmt: skip
        _attention(answer, "STATUT_MT", _TREATING_DOCTOR, "BL", {
            "value": "true" if found.treating_doctor else "false",
        })  # fmt: skip
    _acknowledge(answer, "AA", query)
    act = _act(answer)
    if found.state is not RecordState.ABSENT:
        _subject(act, query.patient, closed=found.state is RecordState.CLOSED)
    _answer_query(act, "NF" if found.state is RecordState.ABSENT else "OK", query)
    return answer


def existence_failure(code: str, text: str, query: ExistenceQuery | None = None) -> Element:
    """The answer to what cannot be answered; `text` names nobody."""
    answer = _message(datetime.now(UTC), query)
    acknowledgement = _acknowledge(answer, "AE", query)
    detail = add(acknowledgement, "acknowledgementDetail", typeCode="E")
    add(detail, "code", code=code)
    add(detail, "text").text = text
    _answer_query(_act(answer), "AE", query)
    return answer


def _message(now: datetime, query: ExistenceQuery | None) -> Element:
    answer = etree.Element(hl7("PRPA_IN201308UV02"), nsmap=_NAMESPACES)
    answer.set("ITSVersion", "XML_1.0")
    add(answer, "id", root=str(uuid4()))
    add(answer, "creationTime", value=write_moment(now))
    add(answer, "interactionId", extension="PRPA_IN201308UV02", root=INTERACTIONS)
    add(answer, "processingCode", code="P")
    add(answer, "processingModeCode", code="T")
    add(answer, "acceptAckCode", code="NE")
    asker = query.sender.root if query else ""
    for tag, kind, root in (("receiver", "RCV", asker), ("sender", "SND", DMP_DEVICE)):
        party = add(answer, tag, typeCode=kind)
        device = add(party, "device", classCode="DEV", determinerCode="INSTANCE")
        add(device, "id", **({"root": root} if root else {"nullFlavor": "UNK"}))
    return answer


def _attention(
    answer: Element, keyword: str, system: str, kind: str, value: dict[str, str]
) -> None:
    line = add(answer, "attentionLine")
    add(line, "keyWordText", code=keyword, codeSystem=system)
    add(line, "value", **value).set(f"{{{XSI}}}type", kind)


def _acknowledge(answer: Element, kind: str, query: ExistenceQuery | None) -> Element:
    acknowledgement = add(answer, "acknowledgement", typeCode=kind)
    _refer(add(acknowledgement, "targetMessage"), "id", query.message if query else None)
    return acknowledgement


def _act(answer: Element) -> Element:
    act = add(answer, "controlActProcess", classCode="CACT", moodCode="EVN")
    add(act, "reasonCode", code=TEST_OF_EXISTENCE, codeSystem=REASONS)
    return act


def _answer_query(act: Element, code: str, query: ExistenceQuery | None) -> None:
    acknowledged = add(act, "queryAck")
    _refer(acknowledged, "queryId", query.query if query else None)
    add(acknowledged, "queryResponseCode", code=code)


def _refer(parent: Element, tag: str, held: HeldId | None) -> None:
    """By what name something was asked; unknown where the question was not understood."""
    named = {"nullFlavor": "UNK"}
    if held is not None:
        named = {"extension": held.extension, "root": held.root}
    add(parent, tag, **named)


def _subject(act: Element, patient: Ins, *, closed: bool) -> None:
    subject = add(act, "subject", contextConductionInd="false", typeCode="SUBJ")
    event = add(subject, "registrationEvent", classCode="REG", moodCode="EVN")
    add(event, "statusCode", code="completed")
    held = add(add(event, "subject1", typeCode="SBJ"), "patient", classCode="PAT")
    add(held, "id", extension=patient.value, root=patient.oid)
    add(held, "statusCode", code="terminated" if closed else "active")
    # The schema has a patient be a person with a name, which is nobody's to learn here.
    person = add(held, "patientPerson", classCode="PSN", determinerCode="INSTANCE")
    add(person, "name", nullFlavor="MSK")
    custodian = add(event, "custodian", typeCode="CST")
    add(add(custodian, "assignedEntity", classCode="ASSIGNED"), "id", root=DMP_DEVICE)


def _find(body: Element, path: str) -> Element:
    found = body.find("/".join(map(hl7, path.split("/"))))
    if found is None:
        raise InvalidValue(f"{path} is missing")
    return found


def _id(body: Element, path: str) -> HeldId:
    found = _find(body, path)
    root, extension = found.get("root", ""), found.get("extension", "")
    if not 0 < len(root) <= ID_LENGTH_MAX or len(extension) > ID_LENGTH_MAX:
        raise InvalidValue(f"{path} has no root, or is too long")
    return HeldId(root=root, extension=extension)


def add(parent: Element, tag: str, **attributes: str) -> Element:
    """A new element of HL7 V3 at the end of its parent."""
    return etree.SubElement(parent, hl7(tag), attributes)


def hl7(tag: str) -> str:
    """The name of an element of HL7 V3."""
    return f"{{{HL7}}}{tag}"
