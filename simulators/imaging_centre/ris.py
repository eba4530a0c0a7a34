"""A centre's RIS: sends the validated report of an examination to the gateway.

The message is `ORU^R01` 2.5 as the French volet "Transmission d'un document CDA-R2 en HL7v2" lays
it out, framed for MLLP and sent here without the help of any HL7 library.
"""

import asyncio
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from simulators.imaging_centre.cda import build_report
from simulators.synthetic.examination import Examination
from simulators.synthetic.identity import (
    CENTRE,
    RADIOLOGIST,
    REFERRER,
    Patient,
    Professional,
)
from simulators.synthetic.uids import uid_of

ANSWER_BYTES_MAX = 64 * 1024
_START, _END = b"\x0b", b"\x1c\r"  # the MLLP frame, HL7 2.5 appendix C §4.3
_KIND = "18748-4^CR d'imagerie médicale^LN"
_PROFESSIONALS, _STRUCTURES = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2"

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


class NotAcknowledged(Exception):
    """The gateway did not answer, or answered something else than `AA`."""


@dataclass(frozen=True, slots=True)
class Report:
    """A message ready to be sent."""

    control_id: str
    text: str


def build_message(examination: Examination, *, sent_at: datetime) -> Report:
    """The `ORU^R01` of a new report on the examination; every segment ends in CR."""
    # 20 characters at most (MSH-10, HL7 2.5 §2.15.9.10); the same report is the same message.
    told = f"{examination.study_uid}/{examination.accession}/{examination.patient.ins}"
    control_id = uuid5(NAMESPACE_OID, told).hex[:20]
    cda = build_report(examination, uid_of("report", told))
    document = f"^TEXT^XML^Base64^{b64encode(cda).decode('ascii')}"
    order = _escape(examination.order)
    segments = [
        f"MSH|^~\\&|RIS_SIM|{_escape(CENTRE.name)}|GATEWAY|{_escape(CENTRE.name)}|"
        f"{sent_at:%Y%m%d%H%M%S}||ORU^R01^ORU_R01|{control_id}|P|2.5|||||FRA|UNICODE UTF-8|||"
        "2.1^CISIS_CDA_HL7_V2",
        _pid(examination.patient),
        f"PV1|1|O|RADIO1||||||||||||||||{order}^^^AUT-AFFECTATION&{CENTRE.number}&M^VN^^"
        f"{examination.started_at:%Y%m%d}",
        "ORC|NW|",
        f"OBR|1|{order}|{order}|{_KIND}||||||||||||{_doctor(REFERRER)}||{order}|||||||F|||||||"
        f"{RADIOLOGIST.number}&{RADIOLOGIST.family}&{RADIOLOGIST.given}",
        f"OBX|1|ED|{_KIND}||{document}||||||F|",
        f"PRT||UC||SB^^participation|{_sender()}|||{_escape(CENTRE.name)}^^^^^ASIP-SANTE-ST&"
        f"{_STRUCTURES}&ISO^FINEG^^^{CENTRE.number}",
        *(
            f"OBX|{number}|CE|{code}^{label}^MetaDMPMSS||{answer}^^expandedYes-NoIndicator||||||F|"
            for number, (code, label, answer) in enumerate(_FLAGS, start=2)
        ),
    ]
    return Report(control_id, "".join(f"{segment}\r" for segment in segments))


async def send_report(report: Report, host: str, port: int, *, within_s: float = 30.0) -> None:
    """Send a report on a connection of its own and wait for its acknowledgement.

    Raises:
        NotAcknowledged: nobody answers in time, or the answer is not `AA` for this message.
    """
    try:
        async with asyncio.timeout(within_s):
            answer = await _exchange(report.text.encode(), host, port)
    except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError) as error:
        raise NotAcknowledged("no acknowledgement came") from error
    fields = [segment.split("|") for segment in answer.split("\r")]
    acknowledged = next((field[1:3] for field in fields if field[0] == "MSA"), [])
    if acknowledged != ["AA", report.control_id]:
        raise NotAcknowledged(f"the report was not accepted: {' '.join(acknowledged[:1])}")


async def _exchange(message: bytes, host: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(host, port, limit=ANSWER_BYTES_MAX)
    try:
        writer.write(_START + message + _END)
        await writer.drain()
        framed = await reader.readuntil(_END)
    finally:
        writer.close()
        await writer.wait_closed()
    return framed.removeprefix(_START).removesuffix(_END).decode()


def _pid(patient: Patient) -> str:
    name, given = _escape(patient.birth_name), _escape(patient.given_names[0])
    return (
        f"PID|||{patient.ins}^^^ASIP-SANTE-INS-NIR&{patient.ins_oid}&ISO^INS^^~"
        f"{_escape(patient.local_id)}^^^AUT-AFFECTATION&{patient.local_id_issuer}&ISO^PI||"
        f"{name}^{given}^{_escape(' '.join(patient.given_names))}^^^^L~{name}^^^^^^D||"
        f"{patient.birth_date}|{patient.sex}|||^^^^^^BDL^^{patient.birth_place}||||||||||||C"
        "||||||||"
        "N|VALI"
    )


def _doctor(doctor: Professional) -> str:
    return f"{doctor.number}^{doctor.family}^{doctor.given}^^^DR^^^^D^^^RPPS"


def _sender() -> str:
    return (
        f"{RADIOLOGIST.number}^{RADIOLOGIST.family}^{RADIOLOGIST.given}^^^^^^ASIP-SANTE-PS&"
        f"{_PROFESSIONALS}&ISO^D^^^RPPS"
    )


def _escape(text: str) -> str:
    """The text without the delimiters' own meaning (HL7 2.5 §2.7)."""
    escapes = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
    return "".join(escapes.get(character, character) for character in text)
