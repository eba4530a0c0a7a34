"""When may the pointer to a study go? One pure rule over what is known of the study.

The French rule: the patient has a qualified INS, the images are there, the report is validated,
and report and images agree. A person's word comes before all that.
"""

from gateway.model.act import Act, ActKind
from gateway.model.agreement import exam_agrees
from gateway.model.content import describe_pointer
from gateway.model.decision import (
    AskPacs,
    Decision,
    PublicationPolicy,
    PublishOn,
    SetAside,
    SetAsideCode,
    Wait,
    WaitFor,
    WithheldCode,
    Withhold,
)
from gateway.model.report import Report
from gateway.model.speaking import identity_disagreement, in_force, speaking
from gateway.model.study import StudySnapshot
from indexer.contract.identifiers import Ins

IDENTITY_VALIDATED = "VALI"


def publishable(snapshot: StudySnapshot, policy: PublicationPolicy, *, now_ms: int) -> Decision:
    """What is to be done about the study, from all that is known of it at `now_ms`."""
    told = _told_by_a_person(snapshot)
    if told is not None:
        return told
    naming = speaking(snapshot, policy)
    if not isinstance(naming, list):
        by_report = policy.publish_on is PublishOn.REPORT and not snapshot.was_decided
        if snapshot.reports or by_report:
            return naming
        # What was taken over from another gateway has no report here, yet its images may go.
        return (
            _images_not_there(snapshot, policy, now_ms) or _found_when_fetched(snapshot) or naming
        )
    return (
        _objection(naming, policy)
        or _images_not_there(snapshot, policy, now_ms)
        or _disagreement(snapshot, naming)
        or describe_pointer(snapshot, naming)
    )


def ins_of(snapshot: StudySnapshot, policy: PublicationPolicy) -> Ins | None:
    """The INS of whom the study is of; None while none is validated, or two reports differ."""
    naming = in_force(snapshot, policy)
    known = {one.patient.ins for one in naming if one.identity_status == IDENTITY_VALIDATED}
    if len(known) != 1 or any(one.patient.ins not in known for one in naming):
        return None
    ins = known.pop()
    return ins if ins is not None and ins.oid in policy.ins_oids else None


def _told_by_a_person(snapshot: StudySnapshot) -> Decision | None:
    if snapshot.is_blocked:
        return Withhold(
            code=WithheldCode.WITHDRAWN_BY_PERSON,
            reason=f"taken back by a person: {_last(snapshot, ActKind.WITHDRAW).reason}",
        )
    if snapshot.is_dropped:
        act = _last(snapshot, ActKind.DROP)
        if act.matched_to is not None:
            return Withhold(
                code=WithheldCode.MATCHED,
                reason=f"a person matched its reports to study {act.matched_to}: {act.reason}",
            )
        return Withhold(
            code=WithheldCode.DROPPED, reason=f"left unpublished by a person: {act.reason}"
        )
    return None


def _last(snapshot: StudySnapshot, kind: ActKind) -> Act:
    return next(one.act for one in reversed(snapshot.acts) if one.act.kind is kind)


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
    if snapshot.is_told_deleted:
        return Withhold(
            code=WithheldCode.EXAM_DELETED, reason="the RIS told that the exam was deleted"
        )
    pushed_only = [image for image in snapshot.pushed if not image.pacs]
    if pushed_only and snapshot.last_pushed_at_ms is not None:
        settled_at_ms = snapshot.last_pushed_at_ms + policy.settle_ms
        if now_ms < settled_at_ms:
            return Wait(code=WaitFor.SETTLING, until_ms=settled_at_ms)
    if snapshot.standing_images:
        return None
    if snapshot.images:
        return Withhold(
            code=WithheldCode.IMAGES_REJECTED, reason="all images of the study were rejected"
        )
    if snapshot.seeks_images and not snapshot.reports:
        return Wait(
            code=WaitFor.IMAGES_NOT_FOUND,
            reason="no PACS holds its images, and none was sent here: bring them in from the "
            "gateway that published it, or withdraw it",
        )
    if snapshot.was_decided and not snapshot.seeks_images:
        return Withhold(
            code=WithheldCode.IMAGES_GONE, reason="the PACS no longer holds an image of the study"
        )
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
    """Every report must fit every image, whoever told of it, and be on an exam that is there."""
    images = snapshot.told
    found = identity_disagreement(snapshot, naming, images)
    for report in naming:
        found = found or exam_agrees(report, images)
    if found is not None:
        return SetAside(code=found.code, reason=found.reason)
    if snapshot.patient_changed_by > snapshot.settled_by:
        return SetAside(
            code=SetAsideCode.PATIENT_CHANGED,
            reason="an image came again under another patient after the report: "
            "check the study, then send its report in a new message",
        )
    return _found_when_fetched(snapshot)


def _found_when_fetched(snapshot: StudySnapshot) -> Decision | None:
    found = snapshot.unsettled
    if found is None:
        return None
    return SetAside(
        code=found.code,
        reason=f"{found.reason} (found when its images were fetched): "
        "check the study, then send its report in a new message",
    )
