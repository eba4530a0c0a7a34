"""The reports of a RIS that corrects itself, or errs."""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence

from simulators.imaging_centre.document import first_version, next_version
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.ris import build_oru
from tests.support.reports import replaced
from tests.support.world import Study

_DOCUMENT = re.compile(r"(?<=\^TEXT\^XML\^Base64\^)[A-Za-z0-9+/=]+")

Changes = Sequence[tuple[str, str]]


def a_report(
    study: Study, *, version: int = 1, message: Changes = (), cda: Changes = ()
) -> Message:
    """A version of the study's report, which replaces the version before it.

    Args:
        message: pairs of what stands in the message and what shall stand there instead.
        cda: the same for its document.
    """
    document = first_version(study.examination)
    for _earlier in range(1, version):
        document = next_version(document)
    report = build_oru(document, header=Header(sent_at=document.written_at))
    text = report.text
    for old, new in message:
        text = replaced(text, old, new)
    [encoded] = _DOCUMENT.findall(text)
    written = b64decode(encoded).decode()
    for old, new in cda:
        written = replaced(written, old, new)
    again = b64encode(written.encode()).decode()
    return Message(report.control_id, text.replace(encoded, again))


def flagged(code: str, answer: str, *, before: str = "N") -> tuple[str, str]:
    """The change that gives a flag of the message another answer."""
    label = {
        "MASQUE_PS": "Masqué aux PS",
        "INVISIBLE_PATIENT": "Invisible au patient",
        "DESTDMP": "Destinataire DMP",
    }[code]
    asked = f"{code}^{label}^MetaDMPMSS||"
    return f"{asked}{before}", f"{asked}{answer}"


def with_status(status: str, *, before: str = "F") -> tuple[str, str]:
    """The change that gives the document another result status (OBX-11) than final."""
    return f"||||||{before}|\rPRT", f"||||||{status}|\rPRT"
