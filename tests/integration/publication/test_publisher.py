import pytest

from gateway.errors import StorageUnavailable
from gateway.model.report import Visibility
from gateway.publication.publisher import LEASE_MS
from tests.support.failing_index import Fault
from tests.support.publishing import Bench, published, states
from tests.support.studies import ON_IMAGES, POLICY
from tests.support.telling import tell_announcement, tell_order

HIDDEN = frozenset({Visibility.HIDDEN_FROM_PATIENT})


@pytest.mark.parametrize("report_first", [True, False])
async def test_report_and_images_wait_for_each_other_in_either_order(bench, index, report_first):
    if report_first:
        await bench.tell_report()
        await bench.look()
        assert await states(bench) == ("waiting", "images")
    await bench.tell_instance()
    if not report_first:
        bench.stores.clock.now_ms = POLICY.settle_ms
        await bench.look()
        assert await states(bench) == ("waiting", "report")
        await bench.tell_report()

    bench.stores.clock.now_ms = 2 * POLICY.settle_ms
    await bench.look()
    await bench.send()

    assert await states(bench) == ("published", "")
    assert len(index.held) == 1


async def test_a_study_settles_after_its_last_instance(bench, index):
    await bench.tell_instance(1)
    await bench.tell_report()
    bench.stores.clock.now_ms = 30_000
    await bench.tell_instance(2)

    bench.stores.clock.now_ms = 60_000
    await bench.look()
    assert await states(bench) == ("waiting", "settling")

    bench.stores.clock.now_ms = 90_000
    await bench.look()
    await bench.send()
    assert len(index.held) == 1


async def test_the_same_news_again_makes_no_revision(bench, index):
    await published(bench)

    await bench.tell_instance()
    await bench.tell_report()
    await bench.tell_report(message_digest="the same in another message")
    bench.stores.clock.now_ms *= 3
    await bench.look()
    await bench.send()

    assert await states(bench) == ("published", "")
    assert len(index.held) == 1


async def test_a_change_replaces_the_entry_that_the_index_has(bench, index):
    await published(bench)

    await bench.tell_report(message_digest="m2", visibility=HIDDEN)
    await bench.look()
    await bench.send()

    first, second = index.held
    assert second.replaces is not None
    assert first.replaces is None
    assert [code.code for code in second.entry.confidentiality] == ["N", "INVISIBLE_PATIENT"]


async def test_an_unsent_revision_is_dropped_by_the_next(bench, index):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()

    await bench.tell_report(message_digest="m2", visibility=HIDDEN)
    await bench.look()
    while await bench.send():
        pass

    [only] = index.held
    assert [code.code for code in only.entry.confidentiality] == ["N", "INVISIBLE_PATIENT"]


async def test_a_revision_whose_answer_was_lost_is_resolved_before_the_next(bench, index):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    index.faults.append(Fault.ANSWER_LOST)
    await bench.send()

    await bench.tell_report(message_digest="m2", visibility=HIDDEN)
    await bench.look()
    bench.stores.clock.now_ms += 10_000
    while await bench.send():
        pass

    assert len(index.held) == 2
    assert len(set(index.unique_ids)) == 2
    assert await states(bench) == ("published", "")


async def test_what_the_index_refuses_is_set_aside_and_goes_again_with_a_new_report(bench, index):
    index.faults.append(Fault.REFUSED)
    await published(bench)
    assert await states(bench) == ("set_aside", "submission_rejected")

    await bench.tell_report(message_digest="m2")
    await bench.look()
    await bench.send()

    assert await states(bench) == ("published", "")


async def test_an_index_that_is_away_delays_a_pointer_and_loses_none(bench, index):
    index.faults.extend([Fault.UNREACHABLE] * 3)
    await published(bench)
    assert await states(bench) == ("queued", "")

    for _attempt in range(3):
        bench.stores.clock.now_ms += 4_000
        await bench.send()

    assert await states(bench) == ("published", "")


async def test_a_worker_that_died_leaves_its_submission_to_the_next(bench, index):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    [dead] = await bench.dispatcher.claim(1)

    assert await bench.send() == 0
    bench.stores.clock.now_ms += 120_000
    assert await bench.send() == 1
    await bench.dispatcher.send(dead)  # its late word is void

    assert len(index.held) == 1
    assert await states(bench) == ("published", "")


async def test_a_full_disk_is_not_tried_again_at_once(bench, monkeypatch):
    async def full(*_args, **_told) -> None:
        raise StorageUnavailable("told to be full")

    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    monkeypatch.setattr(bench.stores.outbox, "enqueue", full)
    [due] = await bench.publisher.claim(1)
    with pytest.raises(StorageUnavailable):
        await bench.publisher.look(due)
    monkeypatch.undo()

    assert await bench.look() == []
    bench.stores.clock.now_ms += LEASE_MS
    await bench.look()
    assert await states(bench) == ("queued", "")


@pytest.mark.parametrize(
    "told",
    [{"status": "P"}, {"for_dmp": False}, {"accessions": ()}],
    ids=["no longer validated", "not for the DMP", "of another exam"],
)
@pytest.mark.parametrize("fault", [None, Fault.UNREACHABLE, Fault.ANSWER_LOST])
async def test_what_may_no_longer_be_published_is_not_sent(bench, index, told, fault):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    if fault is not None:
        index.faults.append(fault)
        await bench.send()

    await bench.tell_report(message_digest="m2", **told)
    await bench.look()
    bench.stores.clock.now_ms += 10_000
    await bench.send()

    assert len(index.held) == (1 if fault is Fault.ANSWER_LOST else 0)
    assert (await states(bench))[0] in {"waiting", "withheld", "set_aside"}


async def test_a_refused_repeat_does_not_forget_the_entry_that_the_index_has(bench, index):
    index.faults.extend([Fault.ANSWER_LOST, Fault.REFUSED])
    await published(bench)
    bench.stores.clock.now_ms += 10_000
    await bench.send()

    assert await states(bench) == ("published", "")
    await bench.tell_report(message_digest="m2", visibility=HIDDEN)
    await bench.look()
    await bench.send()
    assert [submission.replaces is None for submission in index.held] == [True, False]


async def test_a_study_that_cannot_be_described_is_set_aside_and_others_go_on(
    bench, index, monkeypatch
):
    def fails(*_args) -> None:
        raise RuntimeError("told to fail")

    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    monkeypatch.setattr(bench.publisher, "_submission", fails)
    await bench.look()

    assert await states(bench) == ("set_aside", "cannot_be_described")
    assert await bench.look() == []
    monkeypatch.undo()
    await bench.tell_report(message_digest="m2")
    await bench.look()
    await bench.send()
    assert await states(bench) == ("published", "")


async def test_nothing_goes_of_a_study_whose_news_cannot_be_described(bench, index, monkeypatch):
    def fails(*_args) -> None:
        raise RuntimeError("told to fail")

    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    monkeypatch.setattr(bench.publisher, "_submission", fails)
    await bench.tell_report(message_digest="m2", visibility=HIDDEN)
    await bench.look()
    await bench.send()

    assert await states(bench) == ("set_aside", "cannot_be_described")
    assert index.held == []


async def test_a_submission_that_cannot_be_read_is_set_aside_and_others_go_on(bench, index):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    await bench.stores.database.write(
        lambda tx: tx.fetch("UPDATE submissions SET content = CAST('{}' AS BLOB)")
    )

    await bench.send()

    assert await states(bench) == ("set_aside", "submission_rejected")


async def test_what_was_sent_and_stopped_may_still_arrive_and_is_then_replaced(bench, index):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    index.faults.append(Fault.DELAYED)
    await bench.send()
    await bench.tell_report(message_digest="m2", status="P")
    await bench.look()
    await bench.tell_report(message_digest="m3", visibility=HIDDEN)
    await bench.look()

    bench.stores.clock.now_ms += 30_000
    await bench.send()
    index.arrive()
    bench.stores.clock.now_ms += 30_000
    while await bench.send() or await bench.look():
        pass

    assert [submission.replaces is None for submission in index.held] == [True, False]
    assert await states(bench) == ("published", "")


async def test_what_was_published_by_another_rule_stays_so_without_a_report(stores, index):
    before = Bench(stores, index, policy=ON_IMAGES)
    await before.tell_instance()
    await tell_order(stores)
    await before.come_to_rest()
    assert await states(before) == ("published", "")

    now = Bench(stores, index)
    await tell_announcement(stores)
    await now.come_to_rest()

    assert await states(now) == ("published", "")
    assert [index.is_current(submission) for submission in index.held] == [True]
