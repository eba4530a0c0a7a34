"""Modality Performed Procedure Steps (PS3.4 Annex F): their states, and what they announce."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.presentation import build_context

from gateway.errors import StorageUnavailable
from gateway.intake import procedure_steps
from gateway.intake.assembler import Assembler
from gateway.intake.procedure_steps import KEPT_MS
from simulators.imaging_centre.dimse import associate
from simulators.imaging_centre.modality import MadeInstance
from simulators.imaging_centre.steps import (
    COMPLETED,
    DISCONTINUED,
    PERFORMED_STEP,
    build_beginning,
    build_end,
)
from simulators.synthetic.examination import make_examination
from tests.support.dicom_doors import DicomDoors, dicom_doors

EXAMINATION = make_examination(17, 2, "CT")
STUDY = EXAMINATION.study_uid
STEP = "1.2.250.1.999.5.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
SCHEDULED, STARTED = "ScheduledStepAttributesSequence", "PerformedProcedureStepStartDate"
MADE = [MadeInstance("1.2.250.1.999.5.2", CT, "", "1.2.250.1.999.5.3")]

Mend = Callable[[Dataset], object]


async def begin(doors: DicomDoors, mend: Mend = lambda _ds: None, *, step: str = STEP) -> Dataset:
    """What an N-CREATE is answered."""
    ds = build_beginning(EXAMINATION, "CT1")
    mend(ds)
    return await asyncio.to_thread(_ask, doors, "send_n_create", ds, step)


async def go_on(doors: DicomDoors, ds: Dataset, *, step: str = STEP) -> Dataset:
    """What an N-SET is answered."""
    return await asyncio.to_thread(_ask, doors, "send_n_set", ds, step)


async def end(doors: DicomDoors, status: str = COMPLETED, mend: Mend = lambda _ds: None) -> Dataset:
    """What the last N-SET is answered."""
    ds = build_end(EXAMINATION, MADE, status)
    mend(ds)
    return await go_on(doors, ds)


def _ask(doors: DicomDoors, operation: str, ds: Dataset, step: str) -> Dataset:
    association = associate("CT1", doors.address, [build_context(PERFORMED_STEP)])
    try:
        answer, _ = getattr(association, operation)(ds, UID(PERFORMED_STEP), UID(step))
    finally:
        association.release()
    assert isinstance(answer, Dataset)
    return answer


@pytest.mark.parametrize("status", [COMPLETED, DISCONTINUED])
async def test_a_step_that_ends_announces_its_study(tmp_path: Path, status: str) -> None:
    async with dicom_doors(tmp_path) as doors:
        begun = await begin(doors)
        before = await doors.told_of(STUDY)
        ended = await end(doors, status)
        after = await doors.told_of(STUDY)

    assert (begun.Status, ended.Status) == (0, 0)
    assert before is None
    assert after is not None
    assert after.ask_pacs_after == 1


async def test_a_step_of_several_studies_announces_each(tmp_path: Path) -> None:
    def add_another(ds: Dataset) -> None:
        another = Dataset()
        another.StudyInstanceUID = "1.2.250.1.999.5.9"
        ds.ScheduledStepAttributesSequence.append(another)

    async with dicom_doors(tmp_path) as doors:
        await begin(doors, add_another)
        await end(doors)

        assert await doors.told_of(STUDY) is not None
        assert await doors.told_of("1.2.250.1.999.5.9") is not None


async def test_a_step_that_has_ended_stays_as_it_is(tmp_path: Path) -> None:
    async with dicom_doors(tmp_path) as doors:
        await begin(doors)
        await end(doors)

        again = await end(doors, DISCONTINUED)

    assert again.Status == 0x0110
    assert again.ErrorID == 0xA710
    assert again.ErrorComment == "the procedure step has ended and stays as it is"


async def test_a_step_outlives_the_gateway_that_heard_of_it(tmp_path: Path) -> None:
    async with dicom_doors(tmp_path) as doors:
        await begin(doors)
    async with dicom_doors(tmp_path) as doors:
        ended = await end(doors)
    async with dicom_doors(tmp_path) as doors:
        again = await end(doors)

    assert ended.Status == 0
    assert again.ErrorID == 0xA710


async def test_what_an_end_needs_may_be_told_before_it(tmp_path: Path) -> None:
    whole, status = build_end(EXAMINATION, MADE, "IN PROGRESS"), Dataset()
    status.PerformedProcedureStepStatus = COMPLETED
    async with dicom_doors(tmp_path) as doors:
        await begin(doors)

        told = await go_on(doors, whole)
        ended = await go_on(doors, status)

    assert (told.Status, ended.Status) == (0, 0)


async def test_a_step_is_told_once(tmp_path: Path) -> None:
    async with dicom_doors(tmp_path) as doors:
        await begin(doors)

        again = await begin(doors)

    assert again.Status == 0x0111


async def test_a_step_that_nobody_began_does_not_end(tmp_path: Path) -> None:
    async with dicom_doors(tmp_path) as doors:
        ended = await end(doors)

        assert ended.Status == 0x0112
        assert await doors.told_of(STUDY) is None


def without(keyword: str) -> Mend:
    return lambda ds: delattr(ds, keyword)


def with_(**values: Any) -> Mend:
    def mend(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return mend


@pytest.mark.parametrize(
    "mend, status, comment",
    [
        (without("PerformedStationAETitle"), 0x0120, "PerformedStationAETitle is absent"),
        (without(SCHEDULED), 0x0120, f"{SCHEDULED} is absent"),
        (with_(Modality=""), 0x0121, "Modality is empty"),
        (with_(**{SCHEDULED: []}), 0x0121, f"{SCHEDULED} is empty"),
        (with_(**{SCHEDULED: [Dataset()]}), 0x0120, "StudyInstanceUID is absent"),
        (with_(PerformedProcedureStepStatus=COMPLETED), 0x0106, "a step begins IN PROGRESS"),
        (with_(**{STARTED: "20261399"}), 0x0106, f"{STARTED} is none"),
    ],
)
async def test_a_beginning_that_lacks_something_is_refused(
    tmp_path: Path, mend: Mend, status: int, comment: str
) -> None:
    async with dicom_doors(tmp_path) as doors:
        answer = await begin(doors, mend)

        assert (answer.Status, answer.ErrorComment) == (status, comment)
        assert await doors.count("procedure_steps") == 0


@pytest.mark.parametrize(
    "mend, status",
    [
        (without("PerformedProcedureStepEndDate"), 0x0120),
        (without("PerformedSeriesSequence"), 0x0120),
        (with_(PerformedSeriesSequence=[Dataset()]), 0x0120),
        (with_(PerformedProcedureStepEndTime="noon"), 0x0106),
        (with_(PerformedProcedureStepStatus="DONE"), 0x0106),
    ],
)
async def test_an_end_that_lacks_something_is_refused_and_may_be_told_again(
    tmp_path: Path, mend: Mend, status: int
) -> None:
    async with dicom_doors(tmp_path) as doors:
        await begin(doors)

        refused = await end(doors, mend=mend)
        mended = await end(doors)

    assert (refused.Status, mended.Status) == (status, 0)


async def test_an_end_whose_study_could_not_be_announced_may_be_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: Assembler, _news: object) -> None:
        raise StorageUnavailable("the disk is full")

    async with dicom_doors(tmp_path) as doors:
        await begin(doors)
        with monkeypatch.context() as patch:
            patch.setattr(Assembler, "study_announced", fail)
            failed = await end(doors)
        repeated = await end(doors)

    assert (failed.Status, repeated.Status) == (0x0213, 0)


async def test_old_steps_are_forgotten_and_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure_steps, "STEPS_MAX", 1)
    async with dicom_doors(tmp_path) as doors:
        first = await begin(doors)
        full = await begin(doors, step="1.2.3")
        doors.wait(KEPT_MS / 1000 + 1)
        later = await begin(doors, step="1.2.3")

        assert (first.Status, full.Status, later.Status) == (0, 0x0213, 0)
        assert await doors.count("procedure_steps") == 1
