"""A notification in which a number stands where a sequence should: its sender's fault, not ours."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.presentation import build_context

from gateway.dimse.negotiation import INSTANCE_AVAILABILITY, PROCEDURE_STEP, STORAGE_COMMITMENT
from gateway.intake.commitment import PUSH_MODEL_INSTANCE
from simulators.imaging_centre.dimse import DicomAddress, associate
from simulators.imaging_centre.steps import build_beginning
from simulators.synthetic.examination import make_examination
from tests.support.dicom_doors import dicom_doors

STEP = "1.2.250.1.999.5.1"
EXAMINATION = make_examination(17, 2, "CT")


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One that each of the services would take, but for a number in place of this sequence."""

    sop_class: str
    keyword: str
    operation: str = "send_n_create"
    status: int = 0x0106

    def build(self) -> Dataset:
        ds = build_beginning(EXAMINATION, "CT1")
        ds.StudyInstanceUID = EXAMINATION.study_uid
        ds.TransactionUID = "1.2.3"
        ds.add_new(self.keyword, "US", 5)
        return ds

    def send(self, to: DicomAddress) -> Dataset:
        context = build_context(self.sop_class, ExplicitVRLittleEndian)
        association = associate("CT1", to, [context])
        name = UID(PUSH_MODEL_INSTANCE if self.operation == "send_n_action" else STEP)
        action = (1,) if self.operation == "send_n_action" else ()
        try:
            send = getattr(association, self.operation)
            answer, _ = send(self.build(), *action, UID(self.sop_class), name)
        finally:
            association.release()
        assert isinstance(answer, Dataset)
        return answer


@pytest.mark.parametrize(
    "notification",
    [
        Notification(sop_class=INSTANCE_AVAILABILITY, keyword="ReferencedSeriesSequence"),
        Notification(sop_class=PROCEDURE_STEP, keyword="ScheduledStepAttributesSequence"),
        Notification(
            sop_class=PROCEDURE_STEP, keyword="PerformedSeriesSequence", operation="send_n_set"
        ),
        Notification(
            sop_class=STORAGE_COMMITMENT,
            keyword="ReferencedSOPSequence",
            operation="send_n_action",
            status=0x0115,
        ),
    ],
    ids=lambda one: one.keyword,
)
async def test_it_is_refused_as_a_bad_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, notification: Notification
) -> None:
    async with dicom_doors(tmp_path) as doors:
        answer = await asyncio.to_thread(notification.send, doors.address)

    assert answer.Status == notification.status
    assert notification.keyword in answer.ErrorComment
    assert "handler_failed" not in [one.message for one in caplog.records]
