"""What cannot be published now is kept, shown to a person with its reason, and resolved by news."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from simulators.imaging_centre.mllp import Message
from simulators.synthetic.identity import Patient, make_patient
from tests.scenarios.reports import a_report
from tests.support.world import SEED, Study, World, a_world

STRANGER = make_patient(SEED, 90_001)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that soon gives up waiting for images."""
    settings = {"GATEWAY_IMAGES_WAIT_S": "0.3"}
    with a_world(tmp_path_factory.mktemp("impatient"), settings=settings) as world:
        yield world


async def set_aside(world: World, study: Study) -> list[dict[str, Any]]:
    """What a person is shown of the study."""
    listed = (await world.get("/api/set-aside?limit=1000"))["set_aside"]
    return [entry for entry in listed if entry["study_uid"] == study.uid]


async def is_shown_and_not_published(world: World, study: Study, code: str) -> None:
    """A person sees the study and why; the index has nothing of either patient."""
    await world.stands(study, "set_aside", code)
    [entry] = await set_aside(world, study)
    assert {"study_uid", "code", "reason", "since", "why", "what_to_do"} <= entry.keys()
    assert entry["code"] == code
    assert len(entry["reason"]) > 20
    assert datetime.fromisoformat(entry["since"]) <= datetime.now(UTC)
    patient = study.examination.patient
    assert all(said not in entry["reason"] for said in secrets(patient))
    assert await world.entries(patient) == []
    assert await world.entries(STRANGER) == []


def secrets(patient: Patient) -> set[str]:
    return {patient.ins, patient.local_id, patient.birth_name, patient.birth_date}


async def is_published_at_last(world: World, study: Study, revision: int = 1) -> None:
    """Nobody is asked any more, and a viewer finds and fetches the study."""
    await world.published(study, revision)
    assert await set_aside(world, study) == []
    assert await world.fetch(study) == study.digests


def on_another_accession(study: Study) -> Message:
    accession = study.examination.accession
    return a_report(study, cda=[(f'"{accession}"', f'"{accession}-X"')])


def on_another_patient(study: Study) -> Message:
    patient = study.examination.patient
    changes = [(patient.ins, STRANGER.ins), (patient.local_id, STRANGER.local_id)]
    return a_report(study, message=changes, cda=changes)


def on_an_identity_that_is_not_validated(study: Study) -> Message:
    return a_report(study, message=[("|VALI\r", "|PROV\r")])


def on_another_patient_in_its_cda(study: Study) -> Message:
    return a_report(study, cda=[(study.examination.patient.ins, STRANGER.ins)])


def without_a_national_number(study: Study) -> Message:
    change = (study.examination.patient.ins, "1234")
    return a_report(study, message=[change], cda=[change])


def with_a_flag_that_nobody_knows(study: Study) -> Message:
    known = "ACK_LECTURE_MSS^Accusé de lecture^MetaDMPMSS||N"
    return a_report(study, message=[(known, "MASQUE_A_TOUS^Nouveau^MetaDMPMSS||Y")])


@dataclass(frozen=True)
class Fault:
    """A report that does not go with its images, and the code that tells so."""

    code: str
    report: Callable[[Study], Message]


FAULTS = [
    Fault("accession_differs", on_another_accession),
    Fault("patient_differs", on_another_patient),
    Fault("identity_not_validated", on_an_identity_that_is_not_validated),
    Fault("report_inconsistent", on_another_patient_in_its_cda),
    Fault("ins_missing", without_a_national_number),
    Fault("flag_unknown", with_a_flag_that_nobody_knows),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.report.__name__)
async def test_a_report_at_fault_is_shown_until_a_better_one_comes(
    world: World, fault: Fault
) -> None:
    study = world.a_study()
    await world.push(study)

    await world.report(fault.report(study))
    await is_shown_and_not_published(world, study, fault.code)
    await world.report(a_report(study, version=2))

    await is_published_at_last(world, study)


async def test_images_at_fault_are_shown_until_the_right_ones_come(world: World) -> None:
    study = world.a_study()
    wrong = replace(study.examination, accession=f"{study.examination.accession}-X")
    await world.push(world.images_of(wrong, "wrong"))

    await world.report(study)
    await is_shown_and_not_published(world, study, "accession_differs")
    await world.push(study)

    await is_published_at_last(world, study)


async def test_images_of_the_pacs_at_fault_are_shown_until_the_pacs_has_mended_them(
    world: World,
) -> None:
    study = world.a_study()
    wrong = replace(study.examination, patient=STRANGER)
    await world.archive(world.images_of(wrong, "wrong"))

    await world.report(study)
    await is_shown_and_not_published(world, study, "patient_differs")
    world.told.clear()
    await world.archive(study)

    await is_published_at_last(world, study)


async def test_a_report_whose_images_do_not_come_is_shown_until_they_do(world: World) -> None:
    two_images = world.a_study()
    study = replace(two_images, files=two_images.files[:1])  # which cannot settle in part

    await world.report(study)
    await is_shown_and_not_published(world, study, "images_missing")
    await world.push(study)

    await is_published_at_last(world, study)


async def test_a_report_that_is_sent_again_has_the_pacs_asked_again(world: World) -> None:
    """The PACS holds the study by now and did not say so: what the reason asks for must help."""
    study = world.a_study()
    await world.report(study)
    await is_shown_and_not_published(world, study, "images_missing")

    world.keep(study)
    await world.report(study)

    await is_published_at_last(world, study)
