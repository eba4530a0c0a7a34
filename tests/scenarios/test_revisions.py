"""What changes after publication replaces what the index holds, in order, whatever fails."""

from simulators.synthetic.examination import Examination
from tests.scenarios.conftest import Doors
from tests.scenarios.reports import a_report, flagged
from tests.support.entries import Entry
from tests.support.world import Study, World

HIDDEN = flagged("MASQUE_PS", "Y")
SHOWN_TO_PATIENT = flagged("INVISIBLE_PATIENT", "N", before="Y")


async def current(world: World, examination: Examination) -> Entry:
    """The one current entry of the patient."""
    entries = await world.entries(examination.patient)
    [entry] = [entry for entry in entries if entry.status == "current"]
    return entry


async def has_published(doors: Doors, study: Study) -> World:
    """The study is in the index, hidden from its patient until a doctor has announced it."""
    world = doors.world
    await world.push(study)
    await world.report(a_report(study))
    await world.published(study)
    return world


async def test_a_pointer_is_hidden_from_its_first_entry_on(doors: Doors) -> None:
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    await world.report(a_report(study, message=[HIDDEN]))
    await world.published(study)

    [entry] = await world.entries(study.examination.patient)
    assert entry.confidentiality == {"N", "MASQUE_PS", "INVISIBLE_PATIENT"}


async def test_a_change_of_visibility_replaces_the_entry(doors: Doors) -> None:
    study = doors.world.a_study()
    world = await has_published(doors, study)
    before = await current(world, study.examination)

    await world.report(a_report(study, version=2, message=[HIDDEN]))
    await world.published(study, revision=2)

    after = await current(world, study.examination)
    entries = await world.entries(study.examination.patient)
    assert before.confidentiality == {"N", "INVISIBLE_PATIENT"}
    assert after.confidentiality == {"N", "INVISIBLE_PATIENT", "MASQUE_PS"}
    assert {entry.unique_id: entry.status for entry in entries} == {
        before.unique_id: "superseded",
        after.unique_id: "current",
    }
    assert await world.fetch(study) == study.digests


async def test_of_changes_that_an_absent_index_missed_it_hears_the_last(doors: Doors) -> None:
    study = doors.world.a_study()
    world = await has_published(doors, study)
    world.index.kill()

    for revision, change in enumerate(([HIDDEN], [], [SHOWN_TO_PATIENT]), start=2):
        await world.report(a_report(study, version=revision, message=change))
        await world.is_at(study, revision)
    world.index.start()
    await world.published(study, revision=4)

    entry = await current(world, study.examination)
    submissions = await world.submissions(study)
    assert entry.confidentiality == {"N"}
    assert {row["state"] for row in submissions} <= {"sent", "dropped"}
    assert (submissions[0]["state"], submissions[-1]["state"]) == ("sent", "sent")
    assert await world.fetch(study) == study.digests


async def test_an_older_version_that_comes_late_changes_nothing(doors: Doors) -> None:
    study = doors.world.a_study()
    world = await has_published(doors, study)
    await world.report(a_report(study, version=3, message=[HIDDEN]))
    await world.published(study, revision=2)

    await world.report(a_report(study, version=2))
    await world.settled()

    assert (await world.standing(study))["revision"] == 2
    assert "MASQUE_PS" in (await current(world, study.examination)).confidentiality
