"""What is known of a study by asking PACS that answer, contradict themselves or fail."""

import asyncio
from threading import Event

import pytest

from gateway.catalogue import listing
from gateway.catalogue.pacs import HOLD_MS
from gateway.errors import PacsAnswerUnreadable, PacsBusy, PacsUnavailable
from gateway.model.agreement import DisagreementCode, identity_agrees
from gateway.model.notification import PacsAnswered
from indexer.contract.document import Identifier
from tests.integration.catalogue.centre import (
    ASSOCIATIONS_MAX,
    LOCAL_ID,
    STUDY,
    Centre,
    Holdings,
    a_centre,
    a_data_set,
    a_series,
    a_study,
    an_image,
)
from tests.support import studies as known

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
REPORT = known.a_report()


async def test_a_study_is_described_by_all_its_levels_on_one_association() -> None:
    holdings = Holdings(
        studies=[a_study(StudyDescription="Scanner du crâne")],
        series=[a_series(1), a_series(2, Modality="SR")],
    )
    with a_centre(holdings) as centre:
        answered = await centre.describe()

    [held] = answered.held  # both series are told to hold it, and it is told once
    assert (answered.study, answered.asked_after, held.pacs) == (STUDY, 7, "PACS1")
    assert held.image.patient.local_id == Identifier(value=LOCAL_ID)
    assert (held.image.study_description, held.image.modality) == ("Scanner du crâne", "CT")
    [peer] = centre.peers
    assert peer.associations == 1
    assert [asked.QueryRetrieveLevel for asked in peer.asked] == [
        "STUDY", "SERIES", "IMAGE", "IMAGE",
    ]  # fmt: skip


async def test_each_answer_is_read_in_its_own_character_set() -> None:
    holdings = Holdings(
        studies=[a_study(SpecificCharacterSet="ISO_IR 192", StudyDescription="Scanner du crâne")],
        series=[a_series(SeriesDescription="Coupes épaisses")],
        images=[an_image(SpecificCharacterSet="ISO_IR 6")],
    )
    with a_centre(holdings) as centre:
        [image] = await centre.images()

    assert image.study_description == "Scanner du crâne"
    assert image.series_description == "Coupes épaisses"


async def test_what_a_level_tells_of_another_is_left_out() -> None:
    holdings = Holdings(
        studies=[a_study(SOPInstanceUID="1.9", Modality="XX")],
        images=[an_image(1, PatientID="ANOTHER"), an_image(2, Modality="MR")],
    )
    with a_centre(holdings) as centre:
        images = await centre.images()

    assert [image.instance for image in images] == [f"{STUDY}.0.1", f"{STUDY}.0.2"]
    assert {image.patient.local_id.value for image in images} == {LOCAL_ID}
    assert {image.modality for image in images} == {"CT"}


@pytest.mark.parametrize("sop_class", [KEY_OBJECTS, known.CT])
async def test_the_title_of_a_key_object_document_is_asked(sop_class: str) -> None:
    title = a_data_set(CodeValue="113037", CodingSchemeDesignator="DCM")
    image = an_image(SOPClassUID=sop_class, ConceptNameCodeSequence=[title])
    with a_centre(Holdings(images=[image])) as centre:
        [described] = await centre.images()

    assert described.title_code == ("113037" if sop_class == KEY_OBJECTS else "")
    [peer] = centre.peers
    assert "ConceptNameCodeSequence" in peer.asked[-1]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        {"PatientID": "ANOTHER"},
        {"PatientID": ""},
        {"PatientBirthDate": "19010101"},
        {"PatientSex": "O"},
    ],
)
async def test_two_patients_under_one_study_never_agree_with_its_report(
    other: dict[str, str], turned: bool
) -> None:
    studies = [a_study(), a_study(**other)]
    with a_centre(Holdings(studies=studies[::-1] if turned else studies)) as centre:
        disagreement = identity_agrees(REPORT, await centre.images())

    assert disagreement is not None
    assert disagreement.code == DisagreementCode.PATIENT_DIFFERS


@pytest.mark.parametrize("turned", [False, True])
async def test_two_accessions_under_one_study_never_agree_with_its_report(turned: bool) -> None:
    accession = known.ACCESSION.value
    studies = [a_study(AccessionNumber=accession), a_study(AccessionNumber="ANOTHER")]
    with a_centre(Holdings(studies=studies[::-1] if turned else studies)) as centre:
        disagreement = identity_agrees(REPORT, await centre.images())

    assert disagreement is not None
    assert disagreement.code == DisagreementCode.ACCESSION_DIFFERS


async def test_an_answer_that_is_repeated_is_one_answer() -> None:
    with a_centre(Holdings(studies=[a_study(), a_study()])) as centre:
        assert identity_agrees(REPORT, await centre.images()) is None


async def test_the_parts_that_several_pacs_hold_make_the_study() -> None:
    first = Holdings(images=[an_image(1), an_image(2)])
    second = Holdings(images=[an_image(2, InstanceNumber=9), an_image(3)])
    with a_centre(first, second) as centre:
        answered = await centre.describe()

    told = [(held.pacs, str(held.image.instance_number)) for held in answered.held]
    assert told == [("PACS1", "1"), ("PACS1", "2"), ("PACS2", "3")]


async def test_a_part_does_not_pass_for_the_whole_while_one_pacs_is_away() -> None:
    with a_centre(Holdings(), Holdings()) as centre:
        centre.peers[1].breaks_off_after = 0

        with pytest.raises(PacsUnavailable):
            await centre.describe()


async def test_a_study_that_no_pacs_knows_has_nothing() -> None:
    with a_centre(Holdings(studies=[]), Holdings(studies=[])) as centre:
        answered = await centre.describe()

    assert answered.held == ()


@pytest.mark.parametrize(
    "holdings, reason",
    [
        (Holdings(images=[an_image(SOPClassUID="")]), "SOPClassUID is absent"),
        (Holdings(images=[an_image(SOPInstanceUID="")]), "SOPInstanceUID is absent"),
        (Holdings(images=[an_image(SOPInstanceUID="1.2.x")]), "SOPInstanceUID is not a UID"),
        (Holdings(series=[a_series(SeriesInstanceUID="")]), "a series without its UID"),
        (Holdings(images=[an_image(SeriesInstanceUID="1.9")]), "what it was not asked"),
        (Holdings(studies=[a_study(StudyInstanceUID="1.9")]), "what it was not asked"),
        (Holdings(images=[an_image(n) for n in range(4)]), "more than 3 answers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_answer_that_cannot_be_understood_is_no_silence(
    holdings: Holdings, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "INSTANCES_MAX", 3)

    with a_centre(holdings) as centre, pytest.raises(PacsAnswerUnreadable, match=reason):
        await centre.describe()


async def test_a_pacs_that_is_busy_with_what_it_was_asked_has_not_failed() -> None:
    with a_centre(Holdings(), wait_s_max=0.05) as centre:
        [peer] = centre.peers
        peer.waits = Event()
        asking = [asyncio.create_task(centre.describe()) for _ in range(ASSOCIATIONS_MAX - 1)]
        await asyncio.to_thread(peer.is_asked.wait, 10)
        with pytest.raises(PacsBusy, match=r"^PACS1: .*busy"):
            await centre.describe()
        peer.waits.set()
        await asyncio.gather(*asking)

        assert len((await centre.describe()).held) == 1


async def test_a_pacs_that_failed_is_left_alone_for_a_while() -> None:
    with a_centre(Holdings()) as centre:
        [peer] = centre.peers
        peer.breaks_off_after = 0
        with pytest.raises(PacsUnavailable, match=r"^\w+: .*broke off"):
            await centre.describe()
        peer.breaks_off_after = None

        with pytest.raises(PacsUnavailable) as caught:
            await centre.describe()
        asked_meanwhile = peer.associations
        centre.clock.now_ms += HOLD_MS
        answered = await centre.describe()

    assert asked_meanwhile == 1
    assert caught.value.retry_after_s == HOLD_MS / 1000
    assert caught.match("failed a moment ago: .*broke off")  # why is told as long as it waits
    assert len(answered.held) == 1


async def tried_after_a_failure(centre: Centre) -> tuple[asyncio.Task[PacsAnswered], Event]:
    """Whoever asks a PACS first that failed before, and what it waits for to answer."""
    [peer] = centre.peers
    peer.breaks_off_after = 0
    with pytest.raises(PacsUnavailable, match="broke off"):
        await centre.describe()
    peer.breaks_off_after, peer.waits = None, (answers := Event())
    peer.is_asked.clear()
    centre.clock.now_ms += HOLD_MS
    trying = asyncio.create_task(centre.describe())
    await asyncio.to_thread(peer.is_asked.wait, 10)
    return trying, answers


async def test_a_pacs_that_failed_is_then_tried_by_one_alone() -> None:
    with a_centre(Holdings()) as centre:
        trying, answers = await tried_after_a_failure(centre)
        with pytest.raises(PacsUnavailable, match=r"is being tried: .*broke off"):
            await centre.describe()
        answers.set()
        first = await trying
        second = await centre.describe()

    assert len(first.held) == len(second.held) == 1


async def test_a_trial_that_is_cancelled_leaves_room_for_the_next() -> None:
    with a_centre(Holdings()) as centre:
        trying, answers = await tried_after_a_failure(centre)
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
        answers.set()
        answered = await centre.describe()

    assert len(answered.held) == 1
