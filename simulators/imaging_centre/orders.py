"""Orders of examinations, and words about exams that were ordered: `OMI^O23` and `ORM^O01`."""

from simulators.imaging_centre.hl7 import VALIDATED, Header, build, doctor, escape, pid, visit
from simulators.imaging_centre.mllp import Message
from simulators.synthetic.examination import Examination
from simulators.synthetic.identity import RADIOLOGIST, REFERRER

CHANGED = "Modification Examen Imagerie"
"""What the agency's test set writes into OBX-3 when an exam's content changed."""


def build_omi(
    examination: Examination,
    *,
    header: Header,
    control: str = "NW",
    changed: bool = False,
    status: str = VALIDATED,
    bare: bool = False,
) -> Message:
    """An `OMI^O23` 2.5.1, which names the study (IPC-3).

    Args:
        control: ORC-1.
        changed: it tells that what the study holds has changed.
        status: PID-32.
        bare: ORC names no order, as in the agency's test set: only IPC tells the exam.
    """
    accession = escape(examination.accession)
    segments = [
        pid(examination.patient, status=status),
        visit(examination),
        f"ORC|{control}|" if bare else _common_order(examination, control),
        f"TQ1|||||||{examination.started_at:%Y%m%d}||",
        _request(examination),
        *([f"OBX|1|ST|^{CHANGED}||||||||O|"] if changed else []),
        f"IPC|{accession}|{accession}|{examination.study_uid}|{escape(examination.study_id)}|"
        f"{examination.modality}||||PACS",
    ]
    return build(header, "OMI^O23^OMI_O23", "2.5.1", segments)


def build_orm(
    examination: Examination, *, header: Header, control: str = "NW", status: str = VALIDATED
) -> Message:
    """An `ORM^O01` 2.5, which names the study in a segment of IHE's own (ZDS, RAD-4).

    Args:
        control: ORC-1.
        status: PID-32.
    """
    segments = [
        pid(examination.patient, status=status),
        visit(examination),
        _common_order(examination, control),
        _request(examination),
        f"ZDS|{examination.study_uid}^RIS_SIM^Application^DICOM",
    ]
    return build(header, "ORM^O01^ORM_O01", "2.5", segments)


def _common_order(examination: Examination, control: str) -> str:
    number = _number(examination)
    return f"ORC|{control}|{number}|{number}||SC||||{examination.started_at:%Y%m%d%H%M%S}"


def _request(examination: Examination) -> str:
    """The act, who asked for it (16), its accession number (18) and who is to read it (32)."""
    number, accession = _number(examination), escape(examination.accession)
    act = f"{examination.act.loinc}^{escape(examination.act.label)}^LN"
    return (
        f"OBR|1|{number}|{number}|{act}||||||||||||{doctor(REFERRER)}||{accession}|{accession}|"
        f"{escape(examination.study_id)}||||{examination.modality}||||||||"
        f"{RADIOLOGIST.number}&{escape(RADIOLOGIST.family)}&{escape(RADIOLOGIST.given)}"
    )


def _number(examination: Examination) -> str:
    """The order's number with its authority (EI)."""
    return f"{escape(examination.order)}^^{examination.order_issuer}^ISO"
