"""Do a report and the images speak of the same patient and the same exam?

Asked when a pointer is about to be published, and again when images are pulled from the PACS: a
pointer to another person's body would be worse than none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.model.image import ImageDescription, ImagePatient
from gateway.model.report import Report, ReportedPatient
from indexer.contract.document import Identifier


class DisagreementCode(StrEnum):
    """What does not fit; the operator sees the code at `/api/set-aside`."""

    REPORT_INCONSISTENT = "report_inconsistent"
    PATIENT_DIFFERS = "patient_differs"
    ACCESSION_DIFFERS = "accession_differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Why report and images are not put together; the reason holds no patient data."""

    code: DisagreementCode
    reason: str


def identity_agrees(
    report: Report,
    images: Iterable[ImageDescription],
    *,
    listed: Iterable[Identifier] = (),
    confirmed: frozenset[ImagePatient] = frozenset(),
) -> Disagreement | None:
    """None when the report's PID, its CDA and all images agree, else the first that does not.

    Args:
        listed: accession numbers of the other reports on the study, which may hold several exams.
        confirmed: patients of images of which a person said that they are the reported one.
    """
    told = list(images)
    reason = _parts_differ(report.announced, report.patient)
    if reason:
        return Disagreement(code=DisagreementCode.REPORT_INCONSISTENT, reason=reason)
    reason = _patient_differs(report.patient, {image.patient for image in told} - confirmed)
    if reason:
        return Disagreement(code=DisagreementCode.PATIENT_DIFFERS, reason=reason)
    known = (*report.accessions, *listed)
    if not all(share((accession,), known) for accession in accessions_of(told)):
        return Disagreement(
            code=DisagreementCode.ACCESSION_DIFFERS,
            reason="the images' accession number is not one that a report lists",
        )
    return None


def exam_agrees(report: Report, images: Iterable[ImageDescription]) -> Disagreement | None:
    """None when the report is on an exam of which there are images, as far as they tell."""
    told = accessions_of(images)
    if not told or share(told, report.accessions):
        return None
    return Disagreement(
        code=DisagreementCode.ACCESSION_DIFFERS,
        reason="a report lists no accession number that the images have",
    )


def same_person(one: ReportedPatient, other: ReportedPatient) -> bool:
    """They have the same INS, or a local id in common."""
    same_ins = one.ins is not None and one.ins == other.ins
    return same_ins or share(one.local_ids, other.local_ids)


def _parts_differ(pid: ReportedPatient, cda: ReportedPatient) -> str:
    if pid.ins != cda.ins:
        return "the INS of the message's PID-3 is not that of its CDA"
    if pid.local_ids and cda.local_ids and not share(pid.local_ids, cda.local_ids):
        return "the local patient id of the message's PID-3 is not that of its CDA"
    if contradict_dates(pid.birth_date, cda.birth_date):
        return "the birth date of the message's PID is not that of its CDA"
    if contradict_sexes(pid.sex, cda.sex):
        return "the sex of the message's PID is not that of its CDA"
    return ""


def _patient_differs(reported: ReportedPatient, patients: set[ImagePatient]) -> str:
    local_ids = {patient.local_id.value for patient in patients}
    if len(local_ids) > 1:
        return "the images name more than one patient id"
    if "" in local_ids:
        return "the images name no patient id"
    for patient in patients:
        if not share((patient.local_id,), reported.local_ids):
            return "the images' patient id is not the local id that the report names"
        if contradict_dates(patient.birth_date, reported.birth_date):
            return "the images' birth date is not the one that the report names"
        if contradict_sexes(patient.sex, reported.sex):
            return "the images' sex is not the one that the report names"
    return ""


def accessions_of(images: Iterable[ImageDescription]) -> set[Identifier]:
    """The accession numbers of those images that have one."""
    return {image.accession for image in images if image.accession.value}


def share(some: Iterable[Identifier], others: Iterable[Identifier]) -> bool:
    """One identifier is in both; authorities are compared where both name one."""
    known = list(others)
    return any(same_identifier(one, other) for one in some for other in known)


def same_identifier(one: Identifier, other: Identifier) -> bool:
    """One value, and no two authorities: they are compared where both are named."""
    if one.authority and other.authority and one.authority != other.authority:
        return False
    return one.value == other.value


def contradict_dates(one: str, other: str) -> bool:
    """Both are whole dates (YYYYMMDD) and they differ."""
    whole = len(one) == 8 and len(other) == 8
    return whole and one != other


def contradict_sexes(one: str, other: str) -> bool:
    """Both are certain (M or F) and they differ."""
    return {one, other} == {"M", "F"}
