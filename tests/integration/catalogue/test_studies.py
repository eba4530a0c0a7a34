import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue.standings import Conclusion, DueStudy
from gateway.model.notification import (
    StudyAnnounced,
)
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import STUDY, an_image
from tests.support.telling import tell_announcement, tell_answer, tell_instance, tell_report

OTHER_STUDY = Uid("1.2.250.1.999.1.2")


async def discarded(stores: Stores) -> list[str]:
    return await stores.database.read(
        lambda tx: stores.discards.discarded(tx, before_ms=stores.clock.now_ms)
    )


async def test_the_same_instance_again_is_no_news(stores):
    first = await tell_instance(stores, 1, key="a", sha256="same")
    again = await tell_instance(stores, 1, key="b", sha256="same")

    snapshot = await stores.snapshot()
    assert (first, again) == (True, False)
    assert snapshot.news == 1
    assert [image.stored.key for image in snapshot.pushed] == ["a"]


async def test_another_data_set_under_a_known_uid_replaces_the_first(stores):
    await tell_instance(stores, 1, key="a")
    await tell_instance(stores, 1, key="b", study_description="corrigé")

    snapshot = await stores.snapshot()
    assert [image.stored.key for image in snapshot.pushed] == ["b"]
    assert snapshot.descriptions[0].study_description == "corrigé"
    assert snapshot.patient_changed_by == 0
    assert await discarded(stores) == ["a"]


async def test_an_instance_that_comes_again_under_another_patient_is_marked(stores):
    await tell_instance(stores, 1, key="a")
    await tell_instance(stores, 1, key="b", patient={"local_id": Identifier(value="LOC901")})

    assert (await stores.snapshot()).patient_changed_by == 2


async def test_what_the_pacs_no_longer_tells_is_gone(stores):
    await tell_instance(stores, 1, key="a")
    await tell_answer(stores, an_image(1), an_image(2), an_image(3), asked_after=1)
    before = await stores.snapshot()
    await tell_answer(stores, an_image(3), asked_after=2)
    after = await stores.snapshot()

    def told(snapshot):
        return [
            (image.description.instance[-1], image.pacs, image.stored is not None)
            for image in snapshot.images
        ]

    assert told(before) == [("1", "PACS", True), ("2", "PACS", False), ("3", "PACS", False)]
    assert told(after) == [("3", "PACS", False)]
    assert after.pacs_asked_after == 2


@pytest.mark.parametrize("sha256", ["as before", "corrected"])
async def test_an_image_that_the_pacs_deleted_is_back_when_it_is_pushed_again(stores, sha256):
    await tell_instance(stores, 1, key="a", sha256="as before")
    await tell_answer(stores, an_image(1), an_image(2), asked_after=1)
    await tell_answer(stores, an_image(2), asked_after=2)
    is_news = await tell_instance(stores, 1, key="b", sha256=sha256)

    assert is_news
    assert len((await stores.snapshot()).images) == 2
    assert await discarded(stores) == ["a"]


async def test_what_was_pushed_here_alone_stays_whatever_the_pacs_tells(stores):
    await tell_instance(stores, 1)
    await tell_answer(stores, an_image(2), asked_after=1)
    await tell_answer(stores, asked_after=2)

    assert [image.stored is not None for image in (await stores.snapshot()).images] == [True]


async def test_an_image_that_the_pacs_deleted_is_back_when_it_is_told_again(stores):
    await tell_instance(stores, 1, key="a")
    for asked_after, numbers in enumerate([(1, 2), (2,), (1, 2)], start=1):
        await tell_answer(stores, *map(an_image, numbers), asked_after=asked_after)

    assert len((await stores.snapshot()).images) == 2


async def test_an_answer_to_an_older_question_is_void(stores):
    await tell_instance(stores, 1)
    await tell_answer(stores, an_image(1), an_image(2), asked_after=3)
    await tell_answer(stores, an_image(1), asked_after=1)

    assert len((await stores.snapshot()).images) == 2


async def test_what_the_pacs_tells_corrects_what_was_pushed(stores):
    corrected = an_image(1, accession=Identifier(value="ACC9"))
    await tell_instance(stores, 1)

    await tell_answer(stores, corrected)

    assert (await stores.snapshot()).descriptions == [corrected]


async def test_an_instance_pushed_under_another_patient_than_the_pacs_tells_is_marked(stores):
    await tell_answer_after_report(stores, an_image(1))

    await tell_instance(stores, 1, patient={"local_id": Identifier(value="LOC901")})

    snapshot = await stores.snapshot()
    assert snapshot.patient_changed_by == snapshot.ask_pacs_after == snapshot.news == 2


async def tell_answer_after_report(stores: Stores, *images) -> None:
    await tell_report(stores)
    await tell_answer(stores, *images, asked_after=1)


async def test_an_announcement_has_the_pacs_asked(stores):
    await tell_instance(stores, 1)

    await stores.database.write(
        lambda tx: stores.studies.study_announced(tx, StudyAnnounced(study=STUDY), now_ms=5)
    )

    snapshot = await stores.snapshot()
    assert (snapshot.news, snapshot.ask_pacs_after) == (2, 2)


async def test_a_claimed_study_is_due_again_when_its_lease_ends(stores):
    await tell_report(stores)

    async def claim(now_ms: int) -> list[DueStudy]:
        return await stores.database.write(
            lambda tx: stores.standings.claim_due(tx, now_ms=now_ms, lease_ms=1000, count_max=10)
        )

    due = DueStudy(study=STUDY, news=1)
    assert await claim(0) == [due]
    assert await claim(999) == []
    assert await claim(1000) == [due]


async def test_nobody_else_looks_at_a_study_until_the_look_is_over(stores):
    await tell_report(stores)

    async def claim() -> list[DueStudy]:
        return await stores.database.write(
            lambda tx: stores.standings.claim_due(tx, now_ms=7, lease_ms=10**6, count_max=1)
        )

    first = await claim()
    await tell_report(stores, message_digest="m2")
    meanwhile = await claim()
    await stores.database.write(lambda tx: stores.standings.release(tx, STUDY))
    after = await claim()

    assert (first, meanwhile) == ([DueStudy(study=STUDY, news=1)], [])
    assert after == [DueStudy(study=STUDY, news=2)]


async def test_a_conclusion_is_void_once_news_has_come(stores):
    await tell_report(stores)
    conclusion = Conclusion(
        study=STUDY, news=1, known_revision=0, state="queued", revision=1, fingerprint="f"
    )
    await tell_report(stores, message_digest="m2")

    async def conclude(tx):
        return await stores.standings.conclude(tx, conclusion, now_ms=0)

    assert not await stores.database.write(conclude)
    assert (await stores.standing())["state"] == "waiting"


async def test_a_conclusion_is_void_once_another_revision_was_concluded(stores):
    await tell_report(stores)
    first = Conclusion(
        study=STUDY, news=1, known_revision=0, state="queued", revision=1, fingerprint="f"
    )

    async def conclude(tx):
        return await stores.standings.conclude(tx, first, now_ms=0)

    assert await stores.database.write(conclude)
    assert not await stores.database.write(conclude)


_NEWS = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 4)),
        st.tuples(st.just("report"), st.integers(1, 3)),
        st.tuples(st.just("announced"), st.just(0)),
    ),
    min_size=1,
    max_size=8,
)


async def test_an_image_that_is_told_twice_at_once_is_held_as_it_was_told_last(stores):
    told = [an_image(1), an_image(2), an_image(1, study_description="corrigé")]

    await tell_announcement(stores)
    await tell_answer(stores, *told, asked_after=1)

    snapshot = await stores.snapshot()
    assert {image.description for image in snapshot.images} == {*told[1:]}


@settings(max_examples=30)
@given(_NEWS, st.data())
async def test_what_is_known_does_not_depend_on_order_or_repeats(tmp_path_factory, told, data):
    """A PACS repeats its notifications, and a report may overtake its images."""
    repeats = data.draw(st.lists(st.sampled_from(told), max_size=4))
    retold = data.draw(st.permutations(told + repeats))

    assert await known_after(tmp_path_factory, told) == await known_after(tmp_path_factory, retold)


async def known_after(tmp_path_factory, told):
    async with stores_in(tmp_path_factory.mktemp("told")) as stores:
        for kind, number in told:
            if kind == "image":
                await tell_instance(stores, number, sha256=f"same-{number}")
            elif kind == "report":
                await tell_report(
                    stores, message_digest=f"m{number}", set_id=f"s{number}", version=number
                )
            else:
                await stores.database.write(
                    lambda tx: stores.studies.study_announced(
                        tx, StudyAnnounced(study=STUDY), now_ms=0
                    )
                )
        snapshot = await stores.snapshot()
        return (
            [image.description for image in snapshot.images],
            sorted(numbered.report.version for numbered in snapshot.reports),
        )
