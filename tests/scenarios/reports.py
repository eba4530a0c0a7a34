"""The reports of a RIS that corrects itself, or errs."""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence

from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.ris import build_message
from tests.support.reports import replaced
from tests.support.world import Study

_DOCUMENT = re.compile(r"(?<=\^TEXT\^XML\^Base64\^)[A-Za-z0-9+/=]+")
_SET_ID = re.compile(r'<setId root="([0-9.]+)"/>')

Changes = Sequence[tuple[str, str]]


def a_report(
    study: Study, *, version: int = 1, message: Changes = (), cda: Changes = ()
) -> Message:
    """A version of the study's report, with a document id of its own in their one set.

    Args:
        message: pairs of what stands in the message and what shall stand there instead.
        cda: the same for its document.
    """
    report = build_message(study.examination, sent_at=study.examination.started_at)
    text = report.text
    control_id = f"{report.control_id[:-2]}{version:02}"
    text = replaced(text, report.control_id, control_id)
    for old, new in message:
        text = replaced(text, old, new)
    [document] = _DOCUMENT.findall(text)
    written = b64decode(document).decode()
    if version > 1:
        [set_id] = _SET_ID.findall(written)
        first, mine = set_id.removesuffix(".0"), f"{set_id}.{version}"
        written = replaced(written, f'<id root="{first}"/>', f'<id root="{mine}"/>')
        numbered = '<versionNumber value="{}"/>'
        written = replaced(written, numbered.format(1), numbered.format(version))
    for old, new in cda:
        written = replaced(written, old, new)
    return Message(control_id, text.replace(document, b64encode(written.encode()).decode()))


def flagged(code: str, answer: str, *, before: str = "N") -> tuple[str, str]:
    """The change that gives a flag of the message another answer."""
    label = {
        "MASQUE_PS": "Masqué aux PS",
        "INVISIBLE_PATIENT": "Invisible au patient",
        "DESTDMP": "Destinataire DMP",
    }[code]
    asked = f"{code}^{label}^MetaDMPMSS||"
    return f"{asked}{before}", f"{asked}{answer}"
