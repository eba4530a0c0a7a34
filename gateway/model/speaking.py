"""Who speaks for a study: the reports in force, or, where a centre publishes on images, its order.

Either way what speaks has the form of a report, with the patient as the master patient index has
corrected them since.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.model.agreement import (
    Disagreement,
    DisagreementCode,
    identity_agrees,
    same_identifier,
    share,
)
from gateway.model.chain import LONG_AGO, effective_reports, has_unclear_withdrawal
from gateway.model.decision import (
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
from gateway.model.identity import all_ids, corrected, last_word
from gateway.model.image import ImageDescription
from gateway.model.order import CANCELLED, Order
from gateway.model.report import WITHDRAWN, Report, ReportedPatient, ReportedStudy
from gateway.model.study import NumberedReport, NumberedWord, StudySnapshot
from indexer.contract.document import Identifier


def speaking(snapshot: StudySnapshot, policy: PublicationPolicy) -> list[Report] | Decision:
    """The reports that hold for the study, the one that governs last; or why there is none."""
    if not snapshot.reports:
        if policy.publish_on is PublishOn.REPORT:
            return Wait(code=WaitFor.REPORT)
        return _from_order(snapshot, policy)
    effective = effective_reports(snapshot.reports)
    silence = _silence(snapshot, effective)
    if silence is not None:
        return silence
    return reports_in_force(snapshot)


def reports_in_force(snapshot: StudySnapshot) -> list[Report]:
    """The validated reports that name the study, none of them replaced; the last written last."""
    validated = [one.report for one in effective_reports(snapshot.reports) if one.report.validated]
    naming = [report for report in validated if report.about(snapshot.study) is not None]
    return [_corrected(report, snapshot) for report in naming]


def in_force(snapshot: StudySnapshot, policy: PublicationPolicy) -> list[Report]:
    """What images of the study have to fit, whether its pointer may go or not."""
    if snapshot.reports:
        return reports_in_force(snapshot)
    told = speaking(snapshot, policy)
    return told if isinstance(told, list) else []


def identity_disagreement(
    snapshot: StudySnapshot, naming: Iterable[Report], images: Sequence[ImageDescription]
) -> Disagreement | None:
    """What of the images does not fit one of the reports that hold for their study."""
    # A report that was withdrawn still tells which exams the study holds.
    told = [one.report for one in effective_reports(snapshot.reports)]
    about = [report for report in told if report.about(snapshot.study) is not None]
    listed = [accession for report in about for accession in report.accessions]
    for report in naming:
        confirmed = snapshot.confirmed_as(report.patient)
        found = identity_agrees(report, images, listed=listed, confirmed=confirmed)
        if found is not None:
            return found
    return None


def pointer_disagreement(
    snapshot: StudySnapshot, published_as: Identifier, image: ImageDescription
) -> Disagreement | None:
    """What of an image does not fit the pointer that is out, where no report here speaks for it.

    Args:
        published_as: the local id under which the pointer names the patient.
    """
    ids = (published_as, *all_ids((published_as,), snapshot.words))
    if share((image.patient.local_id,), ids):
        return None
    return Disagreement(
        code=DisagreementCode.PATIENT_DIFFERS,
        reason="the images' patient id is not the one under which the pointer was published",
    )


def _silence(snapshot: StudySnapshot, effective: list[NumberedReport]) -> Decision | None:
    """Why no report speaks for the study, if none does."""
    if not effective:
        return SetAside(
            code=SetAsideCode.REPORTS_CIRCULAR,
            reason="the reports replace each other: send the one that holds again",
        )
    validated = [one.report for one in effective if one.report.validated]
    if not validated:
        if all(one.report.status == WITHDRAWN for one in effective):
            return Withhold(
                code=WithheldCode.REPORT_WITHDRAWN,
                reason="the report was withdrawn, and no other speaks of the study",
            )
        return Wait(code=WaitFor.VALIDATION)
    if has_unclear_withdrawal(snapshot.reports, effective):
        return SetAside(
            code=SetAsideCode.WITHDRAWAL_UNCLEAR,
            reason="a report was withdrawn (OBX-11 D) under an id that none came under: "
            "withdraw it under its own, or send what holds as its replacement",
        )
    if all(report.about(snapshot.study) is None for report in validated):
        return Withhold(
            code=WithheldCode.REPORT_GONE,
            reason="the report was replaced by one that no longer names this study",
        )
    return None


def _corrected(report: Report, snapshot: StudySnapshot) -> Report:
    told_at = report.written_at or LONG_AGO
    status = report.identity_status
    patient, status = corrected(report.patient, status, told_at, snapshot.words)
    announced, _ = corrected(report.announced, status, told_at, snapshot.words)
    return replace(report, patient=patient, announced=announced, identity_status=status)


def _from_order(snapshot: StudySnapshot, policy: PublicationPolicy) -> list[Report] | Decision:
    images = snapshot.descriptions
    if not images:
        return Wait(code=WaitFor.IMAGES)
    orders = [one for one in snapshot.orders if _is_for(one, images, snapshot.words)]
    standing = [one for one in orders if one.control not in CANCELLED]
    if orders and not standing:
        return Withhold(code=WithheldCode.ORDER_CANCELLED, reason="the exam's order was cancelled")
    order = max(standing, key=_order_rank, default=None)
    patient, status = _patient(snapshot, images, order)
    if patient is None:
        return Wait(code=WaitFor.IDENTITY)
    return [_statement(snapshot, policy, order, patient, status)]


def _is_for(
    order: Order, images: Iterable[ImageDescription], words: Sequence[NumberedWord]
) -> bool:
    """Its patient is that of the images; its accession or its study already named it."""
    told = {image.patient.local_id for image in images}
    ordered = all_ids(order.patient.local_ids, words)
    return share(told, ordered)


def _order_rank(order: Order) -> tuple[datetime, str]:
    return order.ordered_at or LONG_AGO, order.placer.value


def _patient(
    snapshot: StudySnapshot, images: list[ImageDescription], order: Order | None
) -> tuple[ReportedPatient | None, str]:
    if order is not None:
        told_at = order.ordered_at or order.said_at or LONG_AGO
        return corrected(order.patient, order.identity_status, told_at, snapshot.words)
    ids = tuple(dict.fromkeys(image.patient.local_id for image in images))
    word = last_word(ids, snapshot.words)
    if word is None:
        return None, ""
    # Nobody told of the patient before: the word is the first, whatever its time.
    return corrected(word.patient, word.identity_status, None, snapshot.words)


def _statement(
    snapshot: StudySnapshot,
    policy: PublicationPolicy,
    order: Order | None,
    patient: ReportedPatient,
    status: str,
) -> Report:
    """What a report would tell, from the order and the centre's settings."""
    defaults = policy.defaults
    if defaults is None:
        raise ValueError("to publish on images, a policy needs the centre's defaults")
    of_images = {image.accession for image in snapshot.descriptions if image.accession.value}
    placer = order.placer if order is not None else Identifier(value="")
    return Report(
        document_id="",
        set_id="",
        version=1,
        written_at=order.ordered_at if order is not None else None,
        status="F",
        identity_status=status,
        announced=patient,
        patient=patient,
        accessions=_accessions(order, of_images),
        orders=(placer,) if placer.value else (),
        studies=(
            ReportedStudy(
                study=snapshot.study,
                acts=order.acts if order is not None else (),
                regions=(order.regions if order is not None else ()) or defaults.regions,
            ),
        ),
        author=(order.author if order is not None else None) or defaults.author,
        organisation=defaults.organisation,
        facility=defaults.facility,
        practice_setting=defaults.practice_setting,
    )


def _accessions(order: Order | None, of_images: set[Identifier]) -> tuple[Identifier, ...]:
    """Those of the images, with the authorities that the order names; the order's where none."""
    ordered = order.accessions if order is not None else ()
    told = [
        next((other for other in ordered if same_identifier(one, other)), one)
        for one in sorted(of_images, key=lambda one: (one.value, one.authority))
    ]
    return tuple(dict.fromkeys(told)) or ordered
