"""PACS that do not answer at every level of C-FIND, or in the model that is asked for first."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from pydicom import Dataset

from gateway.errors import PacsAnswerUnreadable, PacsUnavailable
from tests.integration.catalogue.centre import (
    LOCAL_ID,
    STUDY,
    Holdings,
    a_centre,
    a_study,
    an_image,
)
from tests.integration.dimse import pacs as peers


def whole(**values: object) -> Dataset:
    """What an instance is told by where all of a study are listed at once."""
    return an_image(**{"StudyInstanceUID": STUDY, "SeriesInstanceUID": f"{STUDY}.1", **values})


@dataclass
class AtOnce(Holdings):
    """A PACS that lists instances of a study only where no series is named."""

    def answers(self, identifier: Dataset) -> Sequence[Dataset]:
        if identifier.QueryRetrieveLevel == "IMAGE" and "SeriesInstanceUID" in identifier:
            return self.images if not identifier.SeriesInstanceUID else []
        return super().answers(identifier)


@pytest.mark.parametrize("status", [0xA900, 0x0122, 0xC000])
async def test_a_pacs_without_series_level_is_asked_for_all_instances_at_once(
    status: int,
) -> None:
    with a_centre(AtOnce(images=[whole(Modality="MR")])) as centre:
        centre.peers[0].refuses = {"SERIES": status}
        [image] = await centre.images()

    assert (image.series, image.modality) == (f"{STUDY}.1", "MR")
    assert image.patient.local_id.value == LOCAL_ID


async def test_a_pacs_that_lists_nothing_within_a_series_is_asked_for_all_at_once() -> None:
    with a_centre(AtOnce(images=[whole()])) as centre:
        [image] = await centre.images()

    assert (image.series, image.modality) == (f"{STUDY}.1", "CT")  # that of the series level


@pytest.mark.parametrize("levels", [{"SERIES", "IMAGE"}, {"IMAGE"}])
async def test_a_pacs_that_refuses_to_list_instances_is_told_by_its_name(levels: set[str]) -> None:
    with a_centre(Holdings()) as centre:
        centre.peers[0].refuses = dict.fromkeys(levels, 0xA900)

        with pytest.raises(PacsAnswerUnreadable, match=r"^PACS1: .*does not list instances.*A900"):
            await centre.describe()


async def test_a_pacs_that_counts_instances_and_lists_none_is_told_so() -> None:
    holdings = Holdings(studies=[a_study(NumberOfStudyRelatedInstances=3)], images=[])

    with a_centre(holdings) as centre, pytest.raises(PacsAnswerUnreadable, match="lists none"):
        await centre.describe()


async def test_a_study_that_is_only_begun_in_the_pacs_has_nothing_yet() -> None:
    holdings = Holdings(studies=[a_study(NumberOfStudyRelatedInstances=0)], series=[], images=[])

    with a_centre(holdings) as centre:
        assert await centre.images() == []
        centre.peers[0].refuses = {"IMAGE": 0xA900}
        assert await centre.images() == []


@pytest.mark.parametrize("status", [0xA700, 0xC000])
async def test_a_refusal_that_may_pass_is_asked_again(status: int) -> None:
    with a_centre(Holdings()) as centre:
        centre.peers[0].refuses = {"SERIES": status, "IMAGE": status}

        with pytest.raises(PacsUnavailable, match=f"{status:04X}"):
            await centre.describe()


async def test_a_pacs_of_patient_root_alone_is_asked_under_the_patient_id_that_it_tells() -> None:
    with a_centre(Holdings(), models=peers.PATIENT_ROOT) as centre:
        [image] = await centre.images()

    assert image.patient.local_id.value == LOCAL_ID
    assert [asked.PatientID for asked in centre.peers[0].asked] == ["", LOCAL_ID, LOCAL_ID]
