"""What happens to an exam after its report happens to its pointer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from simulators.imaging_centre.admissions import build_adt
from simulators.imaging_centre.document import Document, first_version, next_version
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.modality import look_at
from simulators.imaging_centre.orders import build_omi
from simulators.imaging_centre.rejection import TITLES
from simulators.imaging_centre.ris import Action, build_mdm, build_oru
from simulators.imaging_centre.steps import COMPLETED, DISCONTINUED
from simulators.synthetic.examination import TIME_ZONE
from simulators.synthetic.identity import Patient, make_patient
from tests.support.entries import Entry
from tests.support.world import SEED, WITHIN_S, Study, World, until

Build = Callable[..., Message]
BUILDERS = pytest.mark.parametrize("build", [build_oru, build_mdm], ids=["oru", "mdm"])

NOON = datetime(2026, 1, 2, 12, tzinfo=TIME_ZONE)
SHOWN = {"INVISIBLE_PATIENT": "N"}


def at(hours: int) -> Header:
    """A message of that many hours after noon."""
    return Header(sent_at=NOON + timedelta(hours=hours))


def another_patient(number: int) -> Patient:
    """Someone whom no study of the world is on."""
    return make_patient(SEED, 80_000 + number)


async def entry_of(world: World, study: Study, patient: Patient | None = None) -> Entry:
    """The current entry for the study."""
    entry = await world.pointer(study, patient)
    assert entry is not None, "the index has no current entry for the study"
    return entry


async def in_the_pacs(world: World, study: Study, document: Document | None = None) -> Document:
    """The study lies in the PACS and is published; its report."""
    document = document or first_version(study.examination)
    await world.archive(study)
    await world.report(build_oru(document, header=at(0)))
    await world.published(study)
    return document


@BUILDERS
async def test_a_replacement_replaces_the_entry_under_a_uid_of_its_own(
    world: World, build: Build
) -> None:
    study = world.a_study()
    first = await in_the_pacs(world, study)
    before = await entry_of(world, study)

    await world.report(build(next_version(first), header=at(1), flags=SHOWN))
    await world.published(study, revision=2)

    after = await entry_of(world, study)
    entries = await world.entries(study.examination.patient)
    assert {one.unique_id: one.status for one in entries} == {
        before.unique_id: "superseded",
        after.unique_id: "current",
    }
    assert after.confidentiality == {"N"}
    assert await world.fetch(study) == study.digests


@BUILDERS
async def test_a_withdrawn_report_takes_its_pointer_back(world: World, build: Build) -> None:
    study = world.a_study()
    document = await in_the_pacs(world, study)

    await world.report(build(document, header=at(1), action=Action.DELETE))
    row = await world.withdrawn(study)

    assert (row["state"], row["code"]) == ("withheld", "report_withdrawn")


async def test_what_was_withdrawn_is_published_anew_by_another_report(world: World) -> None:
    study = world.a_study()
    document = await in_the_pacs(world, study)
    first = await entry_of(world, study)
    await world.report(build_oru(document, header=at(1), action=Action.DELETE))
    row = await world.withdrawn(study)

    await world.report(build_oru(first_version(study.examination, number=2), header=at(2)))
    await world.published(study, revision=row["revision"] + 1)

    assert (await entry_of(world, study)).unique_id != first.unique_id
    assert await world.fetch(study) == study.digests


async def test_a_pointer_stays_while_one_of_two_reports_names_its_study(world: World) -> None:
    study = world.a_study()
    first = await in_the_pacs(world, study)
    second = first_version(study.examination, number=2)
    await world.report(build_oru(second, header=at(1), flags={**SHOWN, "MASQUE_PS": "Y"}))
    await world.published(study, revision=2)
    both = await entry_of(world, study)

    await world.report(build_mdm(first, header=at(2), action=Action.DELETE))
    await world.published(study, revision=3)
    one = await entry_of(world, study)
    await world.report(build_mdm(second, header=at(3), action=Action.DELETE))
    await world.withdrawn(study)

    assert both.confidentiality == {"N", "INVISIBLE_PATIENT", "MASQUE_PS"}
    assert one.confidentiality == {"N", "MASQUE_PS"}


async def test_a_replacement_that_names_another_study_moves_the_pointer(world: World) -> None:
    study = world.a_study()
    other = world.a_study()
    right = world.images_of(
        replace(other.examination, patient=study.examination.patient), "right-patient"
    )
    first = await in_the_pacs(world, study)
    await world.archive(right)

    await world.report(build_oru(next_version(first, right.examination), header=at(1)))
    row = await world.withdrawn(study)
    await world.published(right)

    assert (row["state"], row["code"]) == ("withheld", "report_gone")
    assert await world.fetch(right) == right.digests


@pytest.mark.parametrize(
    "spelling",
    [
        "INVISIBLE_REP_LEGAUX",
        "INVISIBLE_REPRESENTANTS_LEGAUX",
        "INVISIBLE_REPRENSANTS_LEGAUX",
    ],
)
async def test_guardians_are_kept_out_however_it_is_spelt(world: World, spelling: str) -> None:
    study = world.a_study()
    document = first_version(study.examination)
    await world.push(study)

    await world.report(build_mdm(document, header=at(0), flags={spelling: "Y", **SHOWN}))
    await world.published(study)

    entry = await entry_of(world, study)
    assert entry.confidentiality == {"N", "INVISIBLE_REPRESENTANTS_LEGAUX"}


async def test_message_and_document_hide_what_either_of_them_hides(world: World) -> None:
    study = world.a_study()
    document = replace(first_version(study.examination), hidden=("MASQUE_PS",), structured=True)
    await world.push(study)

    await world.report(build_oru(document, header=at(0)))
    await world.published(study)

    assert (await entry_of(world, study)).confidentiality == {
        "N",
        "MASQUE_PS",
        "INVISIBLE_PATIENT",
    }


async def test_a_study_of_several_accession_numbers_is_one_pointer(world: World) -> None:
    study = world.a_study("CR")
    more = replace(study.examination, accession="ACC-B", order="DEM-B")
    face, profile = study.files
    split = world.images_of(more, "second-accession").files[1]
    await world.push(study, [face, split])

    await world.report(build_mdm(first_version(study.examination, more), header=at(0)))
    await world.published(study)

    entry = await entry_of(world, study)
    numbers = {one.accession for one in (study.examination, more)}
    numbers |= {one.order for one in (study.examination, more)}
    assert numbers <= entry.references
    assert len(await world.fetch(study)) == 2
    assert profile != split


async def test_what_the_pacs_deletes_leaves_the_pointer(world: World) -> None:
    study = world.a_study("MG")
    await in_the_pacs(world, study)

    await world.delete(study, study.files[:1])
    await world.published(study, revision=2)
    rest = await world.fetch(study)
    await world.delete(study)
    row = await world.withdrawn(study)
    world.told.clear()
    await world.archive(study)
    await world.published(study, revision=row["revision"] + 1)

    assert rest == replace(study, files=study.files[1:]).digests
    assert (row["state"], row["code"]) == ("withheld", "images_gone")
    assert await world.fetch(study) == study.digests


@pytest.mark.parametrize("code", TITLES)
async def test_rejected_images_leave_the_pointer_and_all_of_them_take_it_back(
    world: World, code: str
) -> None:
    study = world.a_study("MG")
    await in_the_pacs(world, study)

    await world.reject(study, study.files[:1], code=code)
    await world.published(study, revision=2)
    rest = await world.fetch(study)
    await world.reject(study, code=code)
    row = await world.withdrawn(study)

    assert rest == replace(study, files=study.files[1:]).digests
    assert (row["state"], row["code"]) == ("withheld", "images_rejected")


@pytest.mark.parametrize("pushed", [True, False], ids=["pushed", "in the PACS"])
async def test_rejected_images_are_served_no_more_wherever_they_lie(
    world: World, pushed: bool
) -> None:
    study = world.a_study("CT")
    await (world.push(study) if pushed else world.archive(study))
    await world.report(study)
    await world.published(study)

    await world.reject(study, study.files[:3])
    await world.published(study, revision=2)

    assert await world.fetch(study) == replace(study, files=study.files[3:]).digests


async def test_a_rejection_that_overtakes_its_images_is_not_forgotten(world: World) -> None:
    study = world.a_study("MG")

    await world.reject(study, study.files[:1])
    await world.push(study)
    await world.report(study)
    await world.published(study)

    assert await world.fetch(study) == replace(study, files=study.files[1:]).digests


@pytest.mark.parametrize("status", [COMPLETED, DISCONTINUED])
async def test_the_end_of_a_step_has_the_pacs_asked_again(world: World, status: str) -> None:
    study = world.a_study("MG")
    await in_the_pacs(world, replace(study, files=study.files[:1]))
    world.keep(study)

    await world.perform(study, status=status)
    await world.published(study, revision=2)

    assert await world.fetch(study) == study.digests


@pytest.mark.parametrize("stay_s", [None, WITHIN_S], ids=["another association", "the same"])
async def test_a_modality_hears_what_the_gateway_keeps_of_its_study(
    world: World, stay_s: float | None
) -> None:
    study = world.a_study("MG")
    await world.push(study, study.files[1:])
    missing, *held = look_at(study.files)

    outcome = await world.commit(study, stay_s=stay_s)

    assert outcome.kept == {made.uid for made in held}
    assert outcome.failed == {missing.uid: 0x0112}  # no such object instance
    assert outcome.same_association == (stay_s is not None)


async def test_a_changed_exam_is_asked_for_again(world: World) -> None:
    study = world.a_study("MG")
    first = replace(study, files=study.files[:1])
    await in_the_pacs(world, first)
    world.keep(study)

    await world.tell(build_omi(study.examination, header=at(1), changed=True))
    await world.published(study, revision=2)

    assert await world.fetch(study) == study.digests


async def test_a_patient_whose_national_number_is_corrected_takes_the_pointer_along(
    world: World,
) -> None:
    study = world.a_study()
    wrong = study.examination.patient
    right = replace(wrong, ins=another_patient(1).ins)
    await in_the_pacs(world, study)

    await world.tell(build_adt("A31", right, header=at(1), happened_at=NOON))
    await until(lambda: world.pointer(study, right), told=lambda: world.standing(study))

    assert await world.pointer(study) is None


async def test_a_patient_who_is_merged_takes_the_pointer_along(world: World) -> None:
    study = world.a_study()
    merged = study.examination.patient
    survivor = replace(merged, local_id=f"{merged.local_id}-S", ins=another_patient(2).ins)
    await in_the_pacs(world, study)

    word = build_adt("A40", survivor, header=at(1), happened_at=NOON, merged=[merged])
    await world.tell(word)
    await world.correct(study, PatientID=survivor.local_id)

    await world.settled()
    await until(lambda: world.pointer(study, survivor), told=lambda: world.standing(study))

    assert await world.pointer(study) is None
    assert (await world.standing(study))["pointer"] == "published"


async def test_late_and_repeated_messages_change_nothing(world: World) -> None:
    study = world.a_study()
    first = first_version(study.examination)
    second = next_version(first)
    messages = [
        build_oru(first, header=at(0)),
        build_mdm(first, header=at(0)),
        build_mdm(second, header=at(1), flags=SHOWN),
        build_oru(second, header=at(1), flags=SHOWN),
    ]
    await world.push(study)
    await world.report(messages[2])
    await world.published(study)
    entry = await entry_of(world, study)

    for message in [*messages, *reversed(messages)]:
        await world.report(message)
    await world.settled()

    assert (await world.standing(study))["revision"] == 1
    assert await entry_of(world, study) == entry


async def test_a_withdrawal_that_overtakes_its_report_is_not_forgotten(world: World) -> None:
    study = world.a_study()
    document = first_version(study.examination)
    await world.push(study)

    await world.report(build_oru(document, header=at(1), action=Action.DELETE))
    await world.report(build_oru(document, header=at(0)))
    await world.settled()

    row = await world.standing(study)
    assert (row["state"], row["code"], row["pointer"]) == ("withheld", "report_withdrawn", "none")
    assert await world.entries(study.examination.patient) == []
