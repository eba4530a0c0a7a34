"""What a pointer to a study says, from the reports that hold for it and its standing images."""

from dataclasses import replace

from gateway.model.agreement import accessions_of, share
from gateway.model.chain import strictest_visibility
from gateway.model.decision import Publish, WithheldCode, Withhold
from gateway.model.image import ImageDescription
from gateway.model.pointer import PointerContent, listed_series
from gateway.model.report import Report
from gateway.model.sop_classes import KEY_OBJECTS, admissible
from gateway.model.study import StudySnapshot
from indexer.contract.document import Identifier


def describe_pointer(snapshot: StudySnapshot, naming: list[Report]) -> Publish | Withhold:
    """The pointer, or why nothing of the study can be shown.

    Args:
        naming: the reports that hold for the study and agree with its images, the one that
            governs last; it names an INS.
    """
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
    study, exams = _study_level(shown), _by_exam(naming, snapshot.told)
    content = PointerContent(
        study=snapshot.study,
        ins=report.patient.ins,
        # Of the patient only what is shown: a merge of other ids publishes nothing.
        patient=replace(report.patient, local_ids=(), given_names=""),
        local_id=_local_id(report, study),
        study_date=study.study_date,
        study_time=study.study_time,
        study_description=study.study_description,
        study_id=study.study_id,
        referring_physician=study.referring_physician,
        accessions=tuple(dict.fromkeys(told for one in exams for told in one.accessions)),
        orders=tuple(dict.fromkeys(told for one in exams for told in one.orders)),
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


def _by_exam(naming: list[Report], images: list[ImageDescription]) -> list[Report]:
    """The report that governs, and those on exams of the study that it does not list."""
    exams = [naming[-1]]
    for report in reversed(naming[:-1]):
        listed = [accession for one in exams for accession in one.accessions]
        unlisted = [one for one in accessions_of(images) if not share((one,), listed)]
        if share(unlisted, report.accessions):
            exams.append(report)
    return exams


def _study_level(images: list[ImageDescription]) -> ImageDescription:
    """The image that speaks for the study: the first in UID order, so that arrival has no say."""
    return min(images, key=lambda image: (image.series, image.instance))


def _local_id(report: Report, image: ImageDescription) -> Identifier:
    """The local id with its authority, which the report names more often than the images do."""
    told = image.patient.local_id
    return next((one for one in report.patient.local_ids if one.value == told.value), told)
