"""What messages say reaches every study that it bears on, in whatever order they come."""

from typing import Any

import pytest

from gateway.model.act import ActKind
from gateway.model.image import NOBODY
from gateway.model.report import ReportedStudy
from indexer.contract.identifiers import Uid
from tests.support.studies import STUDY, an_image
from tests.support.telling import (
    act,
    tell_answer,
    tell_instance,
    tell_order,
    tell_report,
    tell_word,
)

OTHER_STUDY = Uid("1.2.250.1.999.1.2")


async def test_the_same_message_again_has_its_study_looked_at_and_says_nothing_new(stores):
    await tell_report(stores)
    await tell_report(stores, message_digest="m2", version=2)
    await tell_report(stores)

    snapshot = await stores.snapshot()
    assert (snapshot.news, snapshot.ask_pacs_after) == (3, 3)
    assert [(one.news, one.report.version) for one in snapshot.reports] == [(1, 1), (2, 2)]


async def test_the_same_words_in_another_message_are_kept_once_and_are_the_last(stores):
    await tell_report(stores)
    await tell_report(stores, message_digest="m2", status="P")
    await tell_report(stores, message_digest="m3")

    snapshot = await stores.snapshot()
    assert [(one.news, one.report.status) for one in snapshot.reports] == [(2, "P"), (3, "F")]


@pytest.mark.parametrize("old_comes_first", [True, False])
async def test_what_replaces_a_report_reaches_every_study_that_it_was_about(
    stores, old_comes_first
):
    told = [ReportedStudy(study=STUDY), ReportedStudy(study=OTHER_STUDY)]
    old = {"message_digest": "m1", "document_id": "d1", "studies": tuple(told)}
    new = {
        "message_digest": "m2",
        "document_id": "d2",
        "replaces": ("d1",),
        "studies": (told[0],),
    }
    for one in (old, new) if old_comes_first else (new, old):
        await tell_report(stores, **one)

    snapshot = await stores.snapshot(OTHER_STUDY)
    assert {one.report.document_id for one in snapshot.reports} == {"d1", "d2"}


@pytest.mark.parametrize("turned", [False, True])
async def test_every_later_word_on_a_report_reaches_the_study_that_the_first_was_about(
    stores, turned
):
    here, there = ReportedStudy(study=STUDY), ReportedStudy(study=OTHER_STUDY)
    told: list[dict[str, Any]] = [
        {"message_digest": "m1", "document_id": "d1", "studies": (here,)},
        {"message_digest": "m2", "document_id": "d1", "studies": (there,), "version": 2},
        {"message_digest": "m3", "document_id": "d2", "studies": (there,), "replaces": ("d1",)},
        {"message_digest": "m4", "document_id": "d2", "studies": (there,), "status": "D"},
    ]

    for one in reversed(told) if turned else told:
        await tell_report(stores, **one)

    assert len((await stores.snapshot()).reports) == len(told)


async def test_a_report_that_a_person_matched_is_counted_among_the_news_of_its_study(stores):
    there = (ReportedStudy(study=OTHER_STUDY),)
    for number in range(5):
        await tell_report(stores, message_digest=f"m{number}", version=number, studies=there)
    await tell_instance(stores)
    await act(stores, ActKind.MATCH, reported_as=OTHER_STUDY)

    before = await stores.snapshot()
    await tell_report(stores, message_digest="m5", version=5, studies=there)
    after = await stores.snapshot()
    await tell_report(stores, message_digest="m5", version=5, studies=there)
    again = await stores.snapshot()

    assert [snapshot.news for snapshot in (before, after, again)] == [2, 3, 4]
    assert {one.news for one in before.reports} == {0}
    assert {one.news for one in after.reports} == {3}
    assert {one.news for one in again.reports} == {4}


async def test_a_word_about_a_patient_reaches_the_study_of_a_report_whose_images_are_unknown(
    stores,
):
    await tell_report(stores)

    await tell_word(stores)

    snapshot = await stores.snapshot()
    assert (snapshot.news, snapshot.spoken_by, len(snapshot.words)) == (2, 1, 1)


async def test_messages_reach_a_study_whose_pacs_tells_less_than_its_headers(stores):
    await tell_instance(stores)
    await tell_answer(stores, an_image(accession=NOBODY, patient={"local_id": NOBODY}))

    await tell_order(stores)
    await tell_word(stores)

    assert (await stores.snapshot()).news == 3


async def test_a_study_that_an_order_names_no_longer_is_looked_at_again(stores):
    await tell_instance(stores)
    await tell_order(stores, accessions=(), studies=(STUDY,))

    await tell_order(stores, "m2", accessions=(), studies=(OTHER_STUDY,))

    snapshot = await stores.snapshot()
    assert (snapshot.news, snapshot.orders) == (3, ())


async def test_one_report_is_news_of_each_study_that_it_names(stores):
    told = tuple(ReportedStudy(study=study) for study in (STUDY, OTHER_STUDY))

    await tell_report(stores, studies=told)

    assert (await stores.snapshot(STUDY)).reports == (await stores.snapshot(OTHER_STUDY)).reports
