"""The agency's test exams go the way that their messages ask for, told by a RIS and a PACS."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from simulators.imaging_centre.document import next_version
from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.ris import Action
from tests.support.entries import Entry
from tests.support.exams import ACCESSION_ISSUER, Exam, the_exam
from tests.support.world import Study, World, a_world

NOMINAL = ["A", "B", "C", "D", "E", "H", "J"]
INVISIBILITIES = {
    "MASQUE_PS": "MASQUE_PS",
    "INVISIBLE_PATIENT": "INVISIBLE_PATIENT",
    "INVISIBLE_REP_LEGAUX": "INVISIBLE_REPRESENTANTS_LEGAUX",
}
MASKED = {"MASQUE_PS": "Y", "INVISIBLE_PATIENT": "N"}
SPEAKERS = ["oru", "mdm"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway of the centre that the test set describes; it soon gives up waiting for images."""
    with a_world(
        tmp_path_factory.mktemp("exams"),
        settings={"GATEWAY_IMAGES_WAIT_S": "0.3"},
        pacs={"accession_issuer": ACCESSION_ISSUER},
    ) as world:
        yield world


def told_by(exam: Exam, speaker: str, action: Action | None = None) -> Message:
    """The exam's message, `oru` or `mdm`."""
    return exam.oru(action=action) if speaker == "oru" else exam.mdm(action=action)


def hidden_by(exam: Exam) -> set[str]:
    """Confidentiality codes that its entry must bear: those of its flags, for its CDA has none."""
    return {"N"} | {code for flag, code in INVISIBILITIES.items() if exam.flags[flag] == "Y"}


def coded_by(exam: Exam) -> set[str]:
    """Codes that its entry must bear: act, region and modality, and the centre's two."""
    [examination] = exam.examinations
    act = examination.act
    return {act.loinc, act.ccam, act.region, examination.modality, "SA08", "AMBULATOIRE"}


async def archived(world: World, exam: Exam) -> list[Study]:
    """The exam's studies, whose images lie in the PACS."""
    studies = [world.images_of(examination, exam.letter) for examination in exam.examinations]
    for study in studies:
        await world.archive(study)
    return studies


async def is_published(world: World, exam: Exam, revision: int = 1) -> Study:
    """The one study of the exam is in the PACS, told of, and published."""
    [study] = await archived(world, exam)
    await world.report(exam.oru())
    await world.published(study, revision)
    return study


async def entry_of(world: World, study: Study) -> Entry:
    """The current entry for the study."""
    entry = await world.pointer(study)
    assert entry is not None, "the index has no current entry for the study"
    return entry


@pytest.mark.parametrize("letter", NOMINAL)
async def test_an_exam_is_published_once_by_oru_and_by_mdm(world: World, letter: str) -> None:
    exam = the_exam(letter)
    [study] = await archived(world, exam)

    await world.report(exam.oru())
    await world.published(study)
    entry = await entry_of(world, study)
    await world.report(exam.mdm())
    await world.report(exam.oru())
    await world.settled()

    assert entry.confidentiality == hidden_by(exam)
    assert {study.examination.accession, study.examination.order} <= entry.references
    assert entry.codes == coded_by(exam)
    assert entry.authors == {exam.document.author.number, f"1{exam.document.organisation.number}"}
    assert await world.fetch(study) == study.digests
    assert await entry_of(world, study) == entry
    assert (await world.standing(study))["revision"] == 1


async def test_exam_f_publishes_both_studies_of_its_one_report(world: World) -> None:
    exam = the_exam("F")
    studies = await archived(world, exam)

    await world.report(exam.mdm())

    assert len(studies) == 2
    for study in studies:
        await world.published(study)
        entry = await entry_of(world, study)
        assert entry.confidentiality == hidden_by(exam)
        assert {study.examination.accession, study.examination.order} <= entry.references
        assert await world.fetch(study) == study.digests


@pytest.mark.parametrize("speaker", SPEAKERS)
async def test_exam_g_is_replaced_and_shown_to_its_patient(world: World, speaker: str) -> None:
    """Of the update's two messages, the ORU names what it replaces in its CDA alone."""
    number = f"{4 + SPEAKERS.index(speaker)}"
    first, update = an_exam_like("G1", number), an_exam_like("G1_MAJ", number)
    study = await is_published(world, first)
    before = await entry_of(world, study)

    await world.report(told_by(update, speaker))
    await world.published(study, revision=2)
    await world.report(update.mdm())
    await world.report(update.oru())
    await world.report(first.oru())  # late: its successor is known
    await world.settled()

    after = await entry_of(world, study)
    statuses = {one.unique_id: one.status for one in await world.entries(update.document.patient)}
    assert before.confidentiality == {"N", "INVISIBLE_PATIENT"}
    assert after.confidentiality == {"N"}
    assert statuses[before.unique_id] == "superseded"
    assert (await world.standing(study))["revision"] == 2
    assert await world.fetch(study) == study.digests


async def test_exam_g2_names_a_study_that_nobody_has_and_is_not_published_as_another(
    world: World,
) -> None:
    first, exam = an_exam_like("G1", "3"), the_exam("G2")
    of_its_number = await is_published(world, first)
    before = await entry_of(world, of_its_number)
    [examination] = exam.examinations
    named = replace(examination, accession=of_its_number.examination.accession)
    document = replace(exam.document, examinations=(named,))
    nowhere = Study(examination=named, files=())

    await world.report(replace(exam, document=document, flags={**exam.flags, **MASKED}).mdm())
    row = await world.stands(nowhere, "set_aside", "images_missing")

    assert row["pointer"] == "none"
    assert await world.pointer(nowhere) is None
    assert await entry_of(world, of_its_number) == before


@pytest.mark.parametrize("speaker", SPEAKERS)
async def test_a_second_report_on_a_study_adds_its_visibility_and_outlives_the_first(
    world: World, speaker: str
) -> None:
    number = f"{SPEAKERS.index(speaker) + 1}"
    first, other = an_exam_like("G1", number), an_exam_like("G2", number)
    second = replace(
        other,
        document=replace(other.document, examinations=first.examinations),
        flags={**other.flags, **MASKED},
    )
    study = await is_published(world, first)

    await world.report(told_by(second, speaker))
    await world.published(study, revision=2)
    both = await entry_of(world, study)
    await world.report(told_by(first, speaker, Action.DELETE))
    await world.published(study, revision=3)
    one = await entry_of(world, study)
    await world.report(told_by(second, speaker, Action.DELETE))
    row = await world.withdrawn(study)

    assert both.confidentiality == {"N", "INVISIBLE_PATIENT", "MASQUE_PS"}
    assert one.confidentiality == {"N", "MASQUE_PS"}
    assert (row["state"], row["code"]) == ("withheld", "report_withdrawn")


@pytest.mark.parametrize("speaker", SPEAKERS)
async def test_exam_i_is_withdrawn(world: World, speaker: str) -> None:
    exam = an_exam_like("I", f"{SPEAKERS.index(speaker) + 1}")
    study = await is_published(world, exam)
    build = exam.oru if speaker == "oru" else exam.mdm

    # Its message and its report name different birth places, which is no other patient.
    await world.report(build(action=Action.DELETE, announced=exam.patient_of_old))
    row = await world.withdrawn(study)
    await world.report(exam.oru())  # late: the withdrawal is known
    await world.settled()

    assert (row["state"], row["code"]) == ("withheld", "report_withdrawn")
    assert await world.pointer(study) is None


async def test_exam_u_is_replaced_without_its_rejected_instances(world: World) -> None:
    exam = the_exam("U")
    study = await is_published(world, exam)
    rejected, kept = study.files[:3], study.files[3:]

    await world.reject(study, rejected)  # in its PACS they still are
    await world.published(study, revision=2)

    assert await world.fetch(study) == replace(study, files=kept).digests


async def test_exam_w_is_withdrawn_once_its_pacs_tells_that_it_deleted_it(world: World) -> None:
    exam = the_exam("W")
    study = await is_published(world, exam)
    world.lose(study)

    await world.tell(exam.deletion_in_the_pacs())
    row = await world.withdrawn(study)

    assert (row["state"], row["code"]) == ("withheld", "exam_deleted")
    assert await world.pointer(study) is None


async def test_an_exam_may_be_masked_after_it_was_published(world: World) -> None:
    exam = an_exam_like("C", "1")
    study = await is_published(world, exam)
    masked = replace(
        exam,
        document=next_version(exam.document),
        flags={**exam.flags, **MASKED, "MODIF_CONF_CODE": "Y"},
    )

    await world.report(masked.mdm())
    await world.published(study, revision=2)

    assert (await entry_of(world, study)).confidentiality == {"N", "MASQUE_PS"}
    assert await world.fetch(study) == study.digests


def an_exam_like(letter: str, number: str) -> Exam:
    """An exam with the facts of the one of this name, on a study and in a document of its own."""
    exam = the_exam(letter)
    [examination] = exam.examinations
    mine = replace(
        examination,
        study_uid=f"{examination.study_uid}.{number}",
        accession=f"{examination.accession}-{number}",
        study_id=f"{examination.study_id}-{number}",
    )
    told = exam.document
    document = replace(
        told,
        document_id=f"{told.document_id}.{number}",
        replaces=told.replaces and f"{told.replaces}.{number}",
        examinations=(mine,),
    )
    return replace(exam, document=document)
