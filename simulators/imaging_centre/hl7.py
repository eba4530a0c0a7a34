"""What the messages of a centre share: header, patient and visit, in HL7 v2 as France writes it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from simulators.imaging_centre.mllp import Message
from simulators.synthetic.examination import Examination
from simulators.synthetic.identity import CENTRE, Patient, Professional

VALIDATED = "VALI"
"""PID-32 of an identity that was validated."""
_PROFESSIONALS = "1.2.250.1.71.4.2.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """How a sender begins its messages (MSH)."""

    sent_at: datetime | None
    """None writes the control id in its place, as the agency's test tool does."""
    charset: str = "UNICODE UTF-8"
    application: str = "RIS_SIM"
    facility: str = CENTRE.name


def build(
    header: Header, kind: str, version: str, segments: list[str], *, profile: str = ""
) -> Message:
    """A message of these segments behind its header. The same ones give the same control id.

    Args:
        kind: MSH-9.
        version: MSH-12.
        profile: MSH-21.
    """
    body = "".join(f"{segment}\r" for segment in segments)
    # 20 characters at most (MSH-10, HL7 2.5 §2.15.9.10).
    control_id = uuid5(NAMESPACE_OID, f"{kind}{version}{body}").hex[:20]
    sent_at = f"{header.sent_at:%Y%m%d%H%M%S}" if header.sent_at else control_id
    fields = [
        "MSH|^~\\&",
        *(escape(header.application), escape(header.facility)),
        *("GATEWAY", escape(header.facility)),
        *(sent_at, "", kind, control_id, "P", version),
        *("", "", "", "", "FRA", header.charset, "", "", profile),
    ]
    msh = "|".join(fields).rstrip("|")
    return Message(control_id, f"{msh}\r{body}", header.charset)


def pid(patient: Patient, *, status: str = VALIDATED, with_ins: bool = True) -> str:
    """The patient with local and national number, names, birth and birth place.

    Args:
        status: PID-32.
        with_ins: False leaves the national number out.
    """
    name, given = escape(patient.birth_name), escape(patient.given_names[0])
    national = f"{patient.ins}^^^ASIP-SANTE-INS-NIR&{patient.ins_oid}&ISO^INS^^~"
    return (
        f"PID|||{national if with_ins else ''}{local_id(patient)}||"
        f"{name}^{given}^{escape(' '.join(patient.given_names))}^^^^L~{name}^^^^^^D||"
        f"{patient.birth_date}|{patient.sex}|||^^^^^^BDL^^{patient.birth_place}||||||||||||C"
        f"||||||||N|{status}"
    )


def local_id(patient: Patient) -> str:
    """The centre's own number for the patient, as PID-3 and MRG-1 name it."""
    return f"{escape(patient.local_id)}^^^AUT-AFFECTATION&{patient.local_id_issuer}&ISO^PI"


def visit(examination: Examination) -> str:
    """The patient's visit (PV1) for the examination."""
    return (
        f"PV1|1|O|RADIO1||||||||||||||||{escape(examination.order)}^^^AUT-AFFECTATION&"
        f"{CENTRE.number}&M^VN^^{examination.started_at:%Y%m%d}"
    )


def doctor(who: Professional) -> str:
    """A doctor by national number, as OBR-16 names one."""
    return f"{who.number}^{escape(who.family)}^{escape(who.given)}^^^DR^^^^D^^^RPPS"


def sender(who: Professional) -> str:
    """A doctor by national number with its authority, as PRT-5 names one."""
    return (
        f"{who.number}^{escape(who.family)}^{escape(who.given)}^^^^^^ASIP-SANTE-PS&"
        f"{_PROFESSIONALS}&ISO^D^^^RPPS"
    )


def escape(text: str) -> str:
    """The text without the delimiters' own meaning (HL7 2.5 §2.7)."""
    escapes = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
    return "".join(escapes.get(character, character) for character in text)
