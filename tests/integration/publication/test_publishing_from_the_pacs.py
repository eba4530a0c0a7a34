from itertools import pairwise

from gateway.model.report import Visibility
from gateway.publication.publisher import LEASE_MS
from tests.support.publishing import states
from tests.support.studies import WITH_PACS, an_image
from tests.support.telling import tell_announcement

HIDDEN = frozenset({Visibility.HIDDEN_FROM_PATIENT})


async def test_the_pacs_is_asked_when_the_report_comes(pacs_bench, index):
    pacs_bench.pacs.images = (an_image(1), an_image(2))

    await pacs_bench.tell_report()
    await pacs_bench.look()
    await pacs_bench.send()

    [submission] = index.held
    assert pacs_bench.pacs.asked == 1
    assert await states(pacs_bench) == ("published", "")
    assert submission.entry.size_bytes == len(submission.document)


async def test_a_study_that_the_pacs_does_not_know_is_asked_for_again_then_set_aside(pacs_bench):
    await pacs_bench.tell_report()

    asked_at = []
    while (await states(pacs_bench))[0] == "waiting":
        if await pacs_bench.look():
            asked_at.append(pacs_bench.stores.clock.now_ms)
        due_at_ms = await pacs_bench.stores.database.read(
            pacs_bench.stores.standings.next_due_at_ms
        )
        if due_at_ms is not None:
            pacs_bench.stores.clock.now_ms = due_at_ms

    assert await states(pacs_bench) == ("set_aside", "images_missing")
    assert asked_at[-1] == WITH_PACS.images_wait_ms
    waits = [later - earlier for earlier, later in pairwise(asked_at)]
    assert waits[:-1] == sorted(waits[:-1])
    assert len(asked_at) < 20


async def test_images_that_come_to_the_pacs_without_a_word_are_found_by_asking_again(
    pacs_bench, index
):
    await pacs_bench.tell_report()
    await pacs_bench.look()
    assert await states(pacs_bench) == ("waiting", "images")

    pacs_bench.pacs.images = (an_image(),)
    pacs_bench.stores.clock.now_ms += 1000
    await pacs_bench.look()
    await pacs_bench.send()

    assert pacs_bench.pacs.asked == 2
    assert len(index.held) == 1


async def test_a_study_that_was_given_up_is_published_once_its_images_come(pacs_bench, index):
    await pacs_bench.tell_report()
    await pacs_bench.look()
    pacs_bench.stores.clock.now_ms = WITH_PACS.images_wait_ms
    await pacs_bench.look()
    assert await states(pacs_bench) == ("set_aside", "images_missing")

    pacs_bench.pacs.images = (an_image(),)
    await pacs_bench.tell_report(message_digest="m2")
    await pacs_bench.look()
    await pacs_bench.send()

    assert await states(pacs_bench) == ("published", "")


async def test_a_silent_pacs_delays_a_study_and_never_sets_it_aside(pacs_bench, index):
    pacs_bench.pacs.is_silent = True
    await pacs_bench.tell_report()
    for _look in range(20):
        pacs_bench.stores.clock.now_ms += 3_600_000
        await pacs_bench.look()
    assert await states(pacs_bench) == ("waiting", "pacs")
    assert (await pacs_bench.stores.standing())["reason"] == "told to be silent"

    pacs_bench.pacs.is_silent = False
    pacs_bench.pacs.images = (an_image(),)
    pacs_bench.stores.clock.now_ms += 3_600_000
    await pacs_bench.look()
    await pacs_bench.send()

    assert len(index.held) == 1


async def test_a_pacs_that_fails_now_and_then_does_not_put_off_the_end_of_the_wait(pacs_bench):
    await pacs_bench.tell_report()

    while (await states(pacs_bench))[0] == "waiting":
        assert pacs_bench.stores.clock.now_ms <= 2 * WITH_PACS.images_wait_ms
        await pacs_bench.look()
        pacs_bench.pacs.is_silent = not pacs_bench.pacs.is_silent
        pacs_bench.stores.clock.now_ms += WITH_PACS.images_wait_ms // 4

    assert await states(pacs_bench) == ("set_aside", "images_missing")


async def test_nobody_looks_at_a_study_beside_a_look_that_outlasts_its_lease(pacs_bench):
    beside = []

    async def claim_again() -> None:
        pacs_bench.stores.clock.now_ms += 10 * LEASE_MS
        beside.extend(await pacs_bench.publisher.claim(1))

    pacs_bench.pacs.while_asked = claim_again
    pacs_bench.pacs.images = (an_image(),)
    await pacs_bench.tell_report()
    await pacs_bench.look()

    assert beside == []
    assert await states(pacs_bench) == ("queued", "")


async def test_news_that_comes_before_a_look_fails_is_looked_at_next(pacs_bench):
    async def tell_and_fail() -> None:
        pacs_bench.pacs.while_asked = None
        await pacs_bench.tell_report(message_digest="m2")
        raise RuntimeError("told to fail")

    pacs_bench.pacs.images = (an_image(),)
    pacs_bench.pacs.while_asked = tell_and_fail
    await pacs_bench.tell_report()
    await pacs_bench.look()
    await pacs_bench.look()

    assert await states(pacs_bench) == ("queued", "")


async def test_an_answer_of_the_pacs_that_cannot_be_read_is_set_aside(pacs_bench):
    pacs_bench.pacs.is_unreadable = True
    await pacs_bench.tell_report()

    await pacs_bench.look()

    assert await states(pacs_bench) == ("set_aside", "pacs_answer_unreadable")


async def test_news_that_comes_while_the_pacs_is_asked_is_looked_at_next(pacs_bench, index):
    async def more() -> None:
        pacs_bench.pacs.while_asked = None
        await pacs_bench.tell_report(message_digest="m2", visibility=HIDDEN)

    pacs_bench.pacs.images = (an_image(),)
    pacs_bench.pacs.while_asked = more
    await pacs_bench.tell_report()
    await pacs_bench.look()
    await pacs_bench.look()
    while await pacs_bench.send():
        pass

    assert await states(pacs_bench) == ("published", "")
    assert [code.code for code in index.held[-1].entry.confidentiality][1:] == ["INVISIBLE_PATIENT"]


async def test_a_revision_for_its_images_keeps_what_the_report_told(pacs_bench, index):
    pacs_bench.pacs.images = (an_image(1), an_image(2))
    await pacs_bench.tell_report()
    await pacs_bench.come_to_rest()

    pacs_bench.pacs.images = (an_image(1),)
    await tell_announcement(pacs_bench.stores)
    await pacs_bench.come_to_rest()

    first, second = index.held
    assert second.entry.unique_id != first.entry.unique_id
    assert second.submission_id != first.submission_id
    for one in ("patient", "author", "author_organisation", "legal_authenticator", "facility"):
        assert getattr(second.entry, one) == getattr(first.entry, one)
    assert second.entry.reference_ids == first.entry.reference_ids
    assert (second.source_id, second.content_type) == (first.source_id, first.content_type)
