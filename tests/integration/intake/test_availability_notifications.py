"""Instance Availability Notifications (PS3.4 Annex R) have the PACS asked, whatever they say."""

import asyncio
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom.presentation import build_context

from simulators.imaging_centre.dimse import INSTANCE_AVAILABILITY, associate
from tests.support.dicom_doors import DicomDoors, dicom_doors

STUDY = "1.2.250.1.999.6.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


def a_notification(*availabilities: str) -> Dataset:
    notification = Dataset()
    notification.ReferencedPerformedProcedureStepSequence = []
    notification.StudyInstanceUID = STUDY
    series = Dataset()
    series.SeriesInstanceUID = f"{STUDY}.1"
    series.ReferencedSOPSequence = []
    for number, availability in enumerate(availabilities):
        item = Dataset()
        item.ReferencedSOPClassUID = CT
        item.ReferencedSOPInstanceUID = f"{STUDY}.1.{number}"
        item.InstanceAvailability = availability
        series.ReferencedSOPSequence.append(item)
    notification.ReferencedSeriesSequence = [series]
    return notification


async def notify(doors: DicomDoors, notification: Dataset) -> Dataset:
    def send() -> Dataset:
        association = associate("PACS", doors.address, [build_context(INSTANCE_AVAILABILITY)])
        answer, _ = association.send_n_create(
            notification, UID(INSTANCE_AVAILABILITY), generate_uid()
        )
        association.release()
        return answer

    return await asyncio.to_thread(send)


@pytest.mark.parametrize(
    "availabilities",
    [("ONLINE",), ("ONLINE", "UNAVAILABLE"), ("UNAVAILABLE", "UNAVAILABLE"), ("OFFLINE",), ()],
)
async def test_a_notification_has_the_pacs_asked(
    tmp_path: Path, availabilities: tuple[str, ...]
) -> None:
    async with dicom_doors(tmp_path) as doors:
        answer = await notify(doors, a_notification(*availabilities))
        told = await doors.told_of(STUDY)

    assert answer.Status == 0
    assert told is not None
    assert told.ask_pacs_after == 1


async def test_a_notification_without_availability_is_refused(tmp_path: Path) -> None:
    async with dicom_doors(tmp_path) as doors:
        answer = await notify(doors, a_notification("ONLINE", ""))

        assert answer.Status == 0x0106
        assert await doors.told_of(STUDY) is None
