"""When may the pointer to a study go? One pure rule over what is known of the study.

The French rule: the patient has a qualified INS, the images are there, the report is validated,
and report and images agree.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.agreement import identity_agrees
from gateway.model.image import ImageDescription
from gateway.model.pointer import PointerContent, listed_series
from gateway.model.report import Report
from gateway.model.sop_classes import KEY_OBJECTS, admissible
from gateway.model.study import (
    NumberedReport,
    StudySnapshot,
    effective_reports,
    has_unclear_withdrawal,
    strictest_visibility,
)
from indexer.contract.document import Identifier

IDENTITY_VALIDATED = "VALI"


class WaitFor(StrEnum):
    """What a study that cannot go yet waits for."""

    REPORT = "report"
    VALIDATION = "report_validation"
    SETTLING = "settling"
    IMAGES = "images"
    PACS = "pacs"


class SetAsideCode(StrEnum):
    """Why a person must look; `DisagreementCode` has the rest."""

    IDENTITY_NOT_VALIDATED = "identity_not_validated"
    INS_MISSING = "ins_missing"
    INS_NOT_ACCEPTED = "ins_not_accepted"
    FLAG_UNKNOWN = "flag_unknown"
    REPORTS_DIFFER = "reports_differ"
    REPORTS_CIRCULAR = "reports_circular"
    REPORT_GONE = "report_gone"
    WITHDRAWAL_UNCLEAR = "withdrawal_unclear"
    IMAGES_MISSING = "images_missing"
    PATIENT_CHANGED = "patient_changed"
    PUBLISHED_FOR_ANOTHER = "published_for_another"
    PACS_ANSWER_UNREADABLE = "pacs_answer_unreadable"
    CANNOT_BE_DESCRIBED = "cannot_be_described"
    SUBMISSION_REJECTED = "submission_rejected"


class WithheldCode(StrEnum):
    """Why nothing is published although nothing is wrong."""

    NOT_FOR_DMP = "not_for_dmp"
    NOTHING_ADMISSIBLE = "nothing_admissible"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationPolicy:
    """What a centre has settled. Times are in milliseconds."""

    ins_oids: frozenset[str]
    has_pacs: bool
    settle_ms: int
    images_wait_ms: int
    honour_destdmp: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """The pointer may go."""

    content: PointerContent
    left_out: int
    """Instances of the study that a manifest must not list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Not yet. `until_ms` is when to look again without news; None: only news can help."""

    code: WaitFor
    until_ms: int | None = None
    reason: str = ""
    """For operators, where the code does not tell all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPacs:
    """The PACS has to say what it holds before anything can be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Never published as it is, never dropped: a person, or a later message, resolves it."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withhold:
    """Nothing is to be published, and nobody needs to look."""

    code: WithheldCode
    reason: str


Decision = Publish | Wait | AskPacs | SetAside | Withhold


def publishable(snapshot: StudySnapshot, policy: PublicationPolicy, *, now_ms: int) -> Decision:
    """What is to be done about the study, from all that is known of it at `now_ms`."""
    if not snapshot.reports:
        return Wait(code=WaitFor.REPORT)
    effective = effective_reports(snapshot.reports)
    unsettled = _unsettled(snapshot, effective)
    if unsettled is not None:
        return unsettled
    naming = [one.report for one in effective if one.report.validated]
    naming = [report for report in naming if report.about(snapshot.study) is not None]
    return (
        _objection(naming, policy)
        or _images_not_there(snapshot, policy, now_ms)
        or _disagreement(snapshot, naming)
        or _publish(snapshot, naming)
    )


def _unsettled(snapshot: StudySnapshot, effective: list[NumberedReport]) -> Decision | None:
    """Why no report speaks for the study, if none does."""
    if not effective:
        return SetAside(
            code=SetAsideCode.REPORTS_CIRCULAR,
            reason="the reports replace each other: send the one that holds again",
        )
    validated = [one.report for one in effective if one.report.validated]
    if not validated:
        return Wait(code=WaitFor.VALIDATION)
    if has_unclear_withdrawal(snapshot.reports, effective):
        return SetAside(
            code=SetAsideCode.WITHDRAWAL_UNCLEAR,
            reason="a report was withdrawn (OBX-11 D) under an id that none came under: "
            "withdraw it under its own, or send what holds as its replacement",
        )
    if all(report.about(snapshot.study) is None for report in validated):
        return SetAside(
            code=SetAsideCode.REPORT_GONE,
            reason="the report was replaced by one that no longer names this study",
        )
    return None


def _objection(naming: list[Report], policy: PublicationPolicy) -> Decision | None:
    """What speaks against publishing, from the reports alone; the last of them governs."""
    report = naming[-1]
    if policy.honour_destdmp and not all(one.for_dmp for one in naming):
        return Withhold(
            code=WithheldCode.NOT_FOR_DMP,
            reason="a report's sender asks that nothing goes to the DMP (DESTDMP N)",
        )
    if report.identity_status != IDENTITY_VALIDATED:
        return SetAside(
            code=SetAsideCode.IDENTITY_NOT_VALIDATED,
            reason="the identity is not validated (PID-32 is not VALI): "
            "validate it in the RIS and send the report again",
        )
    if report.patient.ins is None:
        return SetAside(
            code=SetAsideCode.INS_MISSING,
            reason="the CDA names no well-formed INS: qualify it and send the report again",
        )
    if report.patient.ins.oid not in policy.ins_oids:
        return SetAside(
            code=SetAsideCode.INS_NOT_ACCEPTED,
            reason="the INS is of an authority that GATEWAY_INS_OIDS does not list",
        )
    if any(other.patient.ins != report.patient.ins for other in naming):
        return SetAside(
            code=SetAsideCode.REPORTS_DIFFER,
            reason="two reports on the study name different patients: "
            "withdraw the wrong one, or replace it",
        )
    unknown = sorted({flag for one in naming for flag in one.unknown_flags})
    if unknown:
        return SetAside(
            code=SetAsideCode.FLAG_UNKNOWN,
            reason="a report sets a visibility flag that is not known here: " + ", ".join(unknown),
        )
    return None


def _images_not_there(
    snapshot: StudySnapshot, policy: PublicationPolicy, now_ms: int
) -> Decision | None:
    if policy.has_pacs and snapshot.pacs_asked_after < snapshot.ask_pacs_after:
        return AskPacs()
    pushed_only = [image for image in snapshot.pushed if not image.pacs]
    if pushed_only and snapshot.last_pushed_at_ms is not None:
        settled_at_ms = snapshot.last_pushed_at_ms + policy.settle_ms
        if now_ms < settled_at_ms:
            return Wait(code=WaitFor.SETTLING, until_ms=settled_at_ms)
    if snapshot.images:
        return None
    since_ms = now_ms if snapshot.waiting_since_ms is None else snapshot.waiting_since_ms
    given_up_at_ms = since_ms + policy.images_wait_ms
    if now_ms < given_up_at_ms:
        return Wait(code=WaitFor.IMAGES, until_ms=given_up_at_ms)
    return SetAside(
        code=SetAsideCode.IMAGES_MISSING,
        reason="no image of the study was found within GATEWAY_IMAGES_WAIT_S: "
        "check that the PACS holds it, then send the report again",
    )


def _disagreement(snapshot: StudySnapshot, naming: list[Report]) -> Decision | None:
    """Every report must fit every image, whoever told of it."""
    for report in naming:
        found = identity_agrees(report, snapshot.told)
        if found is not None:
            return SetAside(code=found.code, reason=found.reason)
    reported_by = max(numbered.news for numbered in snapshot.reports)
    if snapshot.patient_changed_by > reported_by:
        return SetAside(
            code=SetAsideCode.PATIENT_CHANGED,
            reason="an image came again under another patient after the report: "
            "check the study, then send its report in a new message",
        )
    if snapshot.disagreement is not None and snapshot.disagreement.news > reported_by:
        return SetAside(
            code=snapshot.disagreement.found.code,
            reason=f"{snapshot.disagreement.found.reason} (found when its images were fetched): "
            "check the study, then send its report in a new message",
        )
    return None


def _publish(snapshot: StudySnapshot, naming: list[Report]) -> Decision:
    report = naming[-1]
    listed = [
        image for image in snapshot.descriptions if admissible(image.sop_class, image.title_code)
    ]
    shown = [image for image in listed if image.sop_class != KEY_OBJECTS]
    told = report.about(snapshot.study)
    # The last two were settled before: `_objection` wants an INS, and a report names its studies.
    if not shown or told is None or report.patient.ins is None:
        return Withhold(
            code=WithheldCode.NOTHING_ADMISSIBLE,
            reason="no instance of the study is of a class that imaging documents may list",
        )
    study = _study_level(shown)
    content = PointerContent(
        study=snapshot.study,
        ins=report.patient.ins,
        patient=report.patient,
        local_id=_local_id(report, study),
        study_date=study.study_date,
        study_time=study.study_time,
        study_description=study.study_description,
        study_id=study.study_id,
        referring_physician=study.referring_physician,
        accessions=report.accessions,
        orders=report.orders,
        series=listed_series(listed),
        acts=told.acts,
        regions=told.regions,
        visibility=strictest_visibility(naming),
        started_at=told.started_at,
        ended_at=told.ended_at,
        report_id=report.document_id,
        author=report.author,
        legal_authenticator=report.legal_authenticator,
        organisation=report.organisation,
        facility=report.facility,
        practice_setting=report.practice_setting,
    )
    return Publish(content=content, left_out=len(snapshot.images) - len(listed))


def _study_level(images: list[ImageDescription]) -> ImageDescription:
    """The image that speaks for the study: the first in UID order, so that arrival has no say."""
    return min(images, key=lambda image: (image.series, image.instance))


def _local_id(report: Report, image: ImageDescription) -> Identifier:
    """The local id with its authority, which the report names more often than the images do."""
    told = image.patient.local_id
    return next((one for one in report.patient.local_ids if one.value == told.value), told)
