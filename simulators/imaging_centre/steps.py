"""A modality's performed procedure steps (MPPS, PS3.4 annex F): begun, then ended."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context

from simulators.imaging_centre.dimse import SUCCESS, DicomAddress, Unanswered, associate
from simulators.imaging_centre.modality import MadeInstance
from simulators.synthetic.examination import Examination
from simulators.synthetic.uids import uid_of

PERFORMED_STEP: Final = "1.2.840.10008.3.1.2.3.3"
COMPLETED, DISCONTINUED = "COMPLETED", "DISCONTINUED"
_LASTED = timedelta(minutes=20)


class StepRefused(Exception):
    """The gateway answered a step with another status than success."""

    def __init__(self, status: int | None) -> None:
        super().__init__("no status" if status is None else f"status {status:04X}")
        self.status = status


def begin_step(examination: Examination, to: DicomAddress, *, ae_title: str = "MODALITE") -> str:
    """Tell that the examination has begun (N-CREATE); the UID of its step.

    Raises:
        Unanswered: the peer is not there or does not want us.
        StepRefused: it does not take the step.
    """
    uid = uid_of(examination.study_uid, "step")
    association = associate(ae_title, to, [build_context(PERFORMED_STEP)])
    try:
        answer, _ = association.send_n_create(
            build_beginning(examination, ae_title), PERFORMED_STEP, uid
        )
    except (RuntimeError, ValueError) as error:
        raise Unanswered("the step could not be told") from error
    finally:
        association.release()
    _check(answer)
    return uid


def end_step(
    step_uid: str,
    examination: Examination,
    made: Sequence[MadeInstance],
    to: DicomAddress,
    *,
    status: str = COMPLETED,
    ae_title: str = "MODALITE",
) -> None:
    """Tell that the examination is over, and what was made (N-SET).

    Raises:
        Unanswered: the peer is not there or does not want us.
        StepRefused: it does not take it.
    """
    association = associate(ae_title, to, [build_context(PERFORMED_STEP)])
    try:
        answer, _ = association.send_n_set(
            build_end(examination, made, status), PERFORMED_STEP, step_uid
        )
    except (RuntimeError, ValueError) as error:
        raise Unanswered("the step could not be told") from error
    finally:
        association.release()
    _check(answer)


def build_beginning(examination: Examination, ae_title: str) -> Dataset:
    """The attributes of an N-CREATE (PS3.4 table F.7.2-1)."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    scheduled = Dataset()
    scheduled.StudyInstanceUID = examination.study_uid
    scheduled.AccessionNumber = examination.accession
    scheduled.RequestedProcedureID = examination.accession
    scheduled.RequestedProcedureDescription = examination.description
    scheduled.ScheduledProcedureStepID = examination.study_id
    scheduled.ScheduledProcedureStepDescription = examination.description
    scheduled.ReferencedStudySequence = []
    scheduled.ScheduledProtocolCodeSequence = []
    ds.ScheduledStepAttributesSequence = [scheduled]
    patient = examination.patient
    ds.PatientName, ds.PatientID = patient.dicom_name, patient.local_id
    ds.PatientBirthDate, ds.PatientSex = patient.birth_date, patient.sex
    ds.ReferencedPatientSequence = []
    ds.PerformedProcedureStepID = examination.study_id
    ds.PerformedStationAETitle = ae_title
    ds.PerformedStationName = ds.PerformedLocation = ""
    began = examination.started_at
    ds.PerformedProcedureStepStartDate = f"{began:%Y%m%d}"
    ds.PerformedProcedureStepStartTime = f"{began:%H%M%S}"
    ds.PerformedProcedureStepStatus = "IN PROGRESS"
    ds.PerformedProcedureStepDescription = examination.description
    ds.PerformedProcedureTypeDescription = ""
    ds.PerformedProcedureStepEndDate = ds.PerformedProcedureStepEndTime = ""
    ds.ProcedureCodeSequence = []
    ds.PerformedProtocolCodeSequence = []
    ds.PerformedSeriesSequence = []
    ds.Modality = examination.modality
    ds.StudyID = examination.study_id
    return ds


def build_end(examination: Examination, made: Sequence[MadeInstance], status: str) -> Dataset:
    """The attributes of the last N-SET (PS3.4 table F.7.2-2)."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ended = examination.started_at + _LASTED
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate = f"{ended:%Y%m%d}"
    ds.PerformedProcedureStepEndTime = f"{ended:%H%M%S}"
    by_series: dict[str, list[Dataset]] = {}
    for instance in made:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class
        item.ReferencedSOPInstanceUID = instance.uid
        by_series.setdefault(instance.series, []).append(item)
    ds.PerformedSeriesSequence = [
        _series(series_uid, items, examination) for series_uid, items in by_series.items()
    ]
    return ds


def _series(uid: str, instances: list[Dataset], examination: Examination) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid
    item.ProtocolName = examination.description
    item.PerformingPhysicianName = item.OperatorsName = item.RetrieveAETitle = ""
    item.SeriesDescription = examination.description
    item.ReferencedImageSequence = instances
    item.ReferencedNonImageCompositeSOPInstanceSequence = []
    return item


def _check(answer: Dataset) -> None:
    status = answer.get("Status")
    if status != SUCCESS:
        raise StepRefused(status)
