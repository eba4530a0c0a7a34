"""A centre's RIS: the messages that bring a report, replace it, or take it back.

`ORU^R01` 2.5 and `MDM^T02`, `T10` and `T04` 2.6, as the French volet "Transmission d'un document
CDA-R2 en HL7v2" lays them out.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final

from simulators.imaging_centre.cda import build_report
from simulators.imaging_centre.document import Document, first_version
from simulators.imaging_centre.hl7 import (
    VALIDATED,
    Header,
    build,
    doctor,
    escape,
    pid,
    sender,
    visit,
)
from simulators.imaging_centre.mllp import Message
from simulators.synthetic.examination import Examination
from simulators.synthetic.identity import REFERRER, Patient

_KIND = "18748-4^CR d'imagerie médicale^LN"
_PROFILE = "2.1^CISIS_CDA_HL7_V2"
_STRUCTURES = "1.2.250.1.71.4.2.2"
_OPERATOR = "OP1^TESTEUR^ANNE^^^^^^RIS&1.2.250.1.154&ISO^U^^^RI"

# Where the document goes and who sees it; the values are those of a usual report, which the
# patient reads once a doctor has announced it.
_FLAGS = (
    ("MASQUE_PS", "Masqué aux PS", "N"),
    ("INVISIBLE_PATIENT", "Invisible au patient", "Y"),
    ("INVISIBLE_REP_LEGAUX", "Invisible aux représentants légaux", "N"),
    ("CONNEXION_SECRETE", "Connexion secrète", "N"),
    ("MODIF_CONF_CODE", "Modification de la confidentialité", "N"),
    ("DESTDMP", "Destinataire DMP", "Y"),
    ("DESTMSSANTEPS", "Destinataire messagerie PS", "N"),
    ("DESTMSSANTEPAT", "Destinataire messagerie patient", "N"),
    ("ACK_RECEPTION", "Accusé de réception", "N"),
    ("ACK_LECTURE_MSS", "Accusé de lecture", "N"),
)
FLAG_CODES: Final = frozenset(code for code, _label, _answer in _FLAGS)
OTHER_SPELLINGS: Final = {
    "INVISIBLE_REPRESENTANTS_LEGAUX": "INVISIBLE_REP_LEGAUX",
    "INVISIBLE_REPRENSANTS_LEGAUX": "INVISIBLE_REP_LEGAUX",
    "MODIF_CONFIDENTIALITYCODE": "MODIF_CONF_CODE",
}
"""What some senders write, by what the volet writes."""

USUAL: Final[Mapping[str, str]] = {}


class Action(Enum):
    """What a message does with its document: ORC-1, OBX-11, and the event of an MDM."""

    NEW = ("NW", "F", "T02")
    REPLACE = ("RO", "C", "T10")
    DELETE = ("CA", "D", "T04")


def build_message(examination: Examination, *, sent_at: datetime) -> Message:
    """The `ORU^R01` of a new report on the examination."""
    return build_oru(first_version(examination), header=Header(sent_at=sent_at))


def build_oru(
    document: Document,
    *,
    header: Header,
    action: Action | None = None,
    flags: Mapping[str, str] = USUAL,
    announced: Patient | None = None,
    status: str = VALIDATED,
    request: str = "",
) -> Message:
    """The `ORU^R01` that brings, replaces or takes back the document.

    Args:
        action: what the document itself says unless it is named.
        flags: answers that are not the usual ones, `Y` or `N`, by the code as it is spelt.
        announced: the patient of PID, where the document's is another.
        status: PID-32.
        request: OBR-2, OBR-3 and OBR-18, where a sender writes no number of the order there.
    """
    examination = document.examination
    order, doctor_ = escape(request or examination.order), document.author
    control, result, _event = _action(document, action).value
    segments = [
        pid(announced or document.patient, status=status),
        visit(examination),
        f"ORC|{control}|",
        f"OBR|1|{order}|{order}|{_KIND}||||||||||||{doctor(REFERRER)}||{order}|||||||F|||||||"
        f"{doctor_.number}&{escape(doctor_.family)}&{escape(doctor_.given)}",
        f"OBX|1|ED|{_KIND}||^TEXT^XML^Base64^{_encoded(document)}||||||{result}|",
        _participation(document),
        *_flag_segments("CE", flags),
    ]
    return build(header, "ORU^R01^ORU_R01", "2.5", segments, profile=_PROFILE)


def build_mdm(
    document: Document,
    *,
    header: Header,
    action: Action | None = None,
    flags: Mapping[str, str] = USUAL,
    announced: Patient | None = None,
    status: str = VALIDATED,
) -> Message:
    """The `MDM` that does with the document what `build_oru` does, by an event for each."""
    written = f"{document.written_at:%Y%m%d%H%M%S}"
    control, result, event = _action(document, action).value
    segments = [
        f"EVN||{written}|||{_OPERATOR}|{written}",
        pid(announced or document.patient, status=status),
        visit(document.examination),
        f"ORC|{control}|",
        f"OBR|1|||{_KIND}|",
        f"TXA|1|18748-4|TEXT|{written[:12]}||||||||{document.document_id}|{document.replaces}"
        f"||||AU|||||{document.author.number}",
        f"OBX|1|ED|{_KIND}||^text^XML^Base64^{_encoded(document)}||||||{result}|",
        _participation(document),
        *_flag_segments("CWE", flags),
    ]
    return build(header, f"MDM^{event}^MDM_T02", "2.6", segments, profile=_PROFILE)


def _action(document: Document, action: Action | None) -> Action:
    return action or (Action.REPLACE if document.replaces else Action.NEW)


def _encoded(document: Document) -> str:
    return b64encode(build_report(document)).decode("ascii")


def _participation(document: Document) -> str:
    organisation = document.organisation
    return (
        f"PRT||UC||SB^^participation|{sender(document.author)}|||{escape(organisation.name)}^^^^^"
        f"ASIP-SANTE-ST&{_STRUCTURES}&ISO^FINEG^^^{organisation.number}"
    )


def _flag_segments(value_type: str, flags: Mapping[str, str]) -> list[str]:
    """One OBX per flag, in the order of the volet; a spelling of one's own stands in its place."""
    spelt = {OTHER_SPELLINGS.get(code, code): code for code in flags}
    if not spelt.keys() <= FLAG_CODES:
        raise ValueError("no such flag")
    rows = [
        (spelt.get(code, code), label, flags.get(spelt.get(code, code), usual))
        for code, label, usual in _FLAGS
    ]
    return [
        f"OBX|{number}|{value_type}|{code}^{label}^MetaDMPMSS||{answer}^^expandedYes-NoIndicator"
        "||||||F|"
        for number, (code, label, answer) in enumerate(rows, start=2)
    ]
