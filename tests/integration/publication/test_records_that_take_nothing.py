"""A pointer whose patient has no record that takes it waits for that, and troubles nobody."""

import pytest

from gateway.model.report import Visibility
from indexer.contract.record import RecordState
from tests.support.failing_index import Fault
from tests.support.publishing import RECORD_RETRY_MS, Bench, published, states
from tests.support.studies import INS, OTHER_INS, POLICY, STUDY, a_patient

HIDDEN = frozenset({Visibility.HIDDEN_FROM_PATIENT})


async def finds_no_record(bench: Bench, index, state: RecordState = RecordState.ABSENT) -> None:
    """The study has been decided on, and its patient's record did not take it."""
    index.records[INS] = state
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    await bench.send()


async def submissions(bench: Bench) -> list[tuple[object, object]]:
    rows = await bench.stores.database.read(
        lambda tx: bench.stores.outbox.page(tx, count_max=100, offset=0)
    )
    return sorted((row["revision"], row["state"]) for row in rows)


@pytest.mark.parametrize("state, code", [
    (RecordState.ABSENT, "record_absent"),
    (RecordState.CLOSED, "record_closed"),
    (RecordState.REFUSED, "record_refused"),
])  # fmt: skip
async def test_it_stands_in_a_state_of_its_own_and_is_not_tried_with_back_off(
    bench, index, state, code
):
    await finds_no_record(bench, index, state)

    bench.stores.clock.now_ms += RECORD_RETRY_MS - 1
    assert await bench.send() == 0

    assert await states(bench) == ("no_record", code)
    assert await submissions(bench) == [(1, "no_record")]
    assert index.refused == 1


async def test_it_is_published_once_the_record_opens(bench, index):
    await finds_no_record(bench, index)

    for _day in range(2):
        bench.stores.clock.now_ms += RECORD_RETRY_MS
        await bench.send()
    still = await states(bench)
    index.records.clear()
    bench.stores.clock.now_ms += RECORD_RETRY_MS
    await bench.send()

    assert (still, await states(bench)) == (("no_record", "record_absent"), ("published", ""))
    assert await submissions(bench) == [(1, "sent")]


async def test_that_it_still_waits_is_told_once(bench, index):
    await finds_no_record(bench, index)

    for _day in range(3):
        bench.stores.clock.now_ms += RECORD_RETRY_MS
        await bench.send()

    history = bench.stores.standings.history
    told = await bench.stores.database.read(
        lambda tx: history.of(tx, STUDY, count_max=100, offset=0)
    )
    assert [row["event"] for row in told].count("no_record") == 1


async def test_the_next_revision_tries_the_record_at_once(bench, index):
    await finds_no_record(bench, index)
    index.records.clear()

    await bench.tell_report(message_digest="m2", version=2, visibility=HIDDEN)
    await bench.look()
    await bench.send()

    assert await states(bench) == ("published", "")
    assert await submissions(bench) == [(1, "dropped"), (2, "sent")]


async def test_news_that_changes_nothing_leaves_it_waiting(bench, index):
    await finds_no_record(bench, index)

    await bench.tell_report(message_digest="the same in another message")
    await bench.look()
    await bench.send()

    assert await states(bench) == ("no_record", "record_absent")
    assert index.refused == 1


async def test_what_may_no_longer_be_published_waits_for_no_record(bench, index):
    await finds_no_record(bench, index)

    await bench.tell_report(message_digest="m2", version=2, status="D")
    await bench.look()

    assert await states(bench) == ("withheld", "report_withdrawn")
    assert await submissions(bench) == [(1, "dropped")]


async def test_an_attempt_whose_answer_was_lost_is_not_forgotten(bench, index):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    index.faults.append(Fault.ANSWER_LOST)
    await bench.send()

    index.records[INS] = RecordState.CLOSED
    bench.stores.clock.now_ms += 2_000
    await bench.send()

    assert await states(bench) == ("published", "")


async def test_a_revision_waits_for_what_became_of_one_that_may_be_in_a_closed_record(
    bench, index, monkeypatch
):
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    index.faults.append(Fault.ANSWER_LOST)
    await bench.send()
    index.records[INS] = RecordState.CLOSED
    with monkeypatch.context() as closed:
        closed.setattr(index, "find_by_unique_id", shows_nothing)
        bench.stores.clock.now_ms += 2_000
        await bench.send()
        await bench.tell_report(message_digest="m2", version=2, visibility=HIDDEN)
        await bench.come_to_rest()
    behind = await submissions(bench)
    stands = await states(bench)
    await bench.tell_report(message_digest="the same", version=2, visibility=HIDDEN)
    await bench.look()
    stays = await states(bench)

    index.records.clear()
    await bench.come_to_rest()

    assert behind == [(1, "no_record"), (2, "waiting")]
    assert stands == stays == ("no_record", "record_closed")
    assert await states(bench) == ("published", "")
    assert await submissions(bench) == [(1, "sent"), (2, "sent")]
    assert [one.replaces is None for one in index.held] == [True, False]


async def shows_nothing(unique_id: object) -> None:
    return None


async def test_one_that_died_while_it_tried_the_record_leaves_it_to_the_next(bench, index):
    await finds_no_record(bench, index)
    bench.stores.clock.now_ms += RECORD_RETRY_MS

    [_dead] = await bench.dispatcher.claim(1)
    await bench.stores.database.write(bench.stores.outbox.release_claims)
    index.records.clear()
    await bench.send()

    assert await states(bench) == ("published", "")


async def test_one_that_died_before_it_wrote_down_the_answer_has_it_again(bench, index):
    index.records[INS] = RecordState.ABSENT
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()

    [_dead] = await bench.dispatcher.claim(1)
    await bench.stores.database.write(bench.stores.outbox.release_claims)
    await bench.send()

    assert await states(bench) == ("no_record", "record_absent")
    assert index.refused == 1


async def test_what_is_stopped_while_it_is_on_its_way_to_no_record_is_dropped(bench, index):
    index.records[INS] = RecordState.ABSENT
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    [under_way] = await bench.dispatcher.claim(1)
    await bench.tell_report(message_digest="m2", version=2, status="P")
    await bench.look()

    await bench.dispatcher.send(under_way)
    await bench.send()

    assert await states(bench) == ("waiting", "report_validation")
    assert await submissions(bench) == [(1, "dropped")]


async def test_a_pointer_in_a_closed_record_is_withdrawn_once_that_opens(bench, index):
    await published(bench)
    index.records[INS] = RecordState.CLOSED
    await bench.tell_report(message_digest="m2", version=2, status="D")
    await bench.come_to_rest()
    closed = await bench.stores.standing()

    index.records.clear()
    await bench.come_to_rest()

    assert (closed["state"], closed["pointer"]) == ("withheld", "withdrawing")
    assert (await bench.stores.standing())["pointer"] == "none"
    assert [index.is_withdrawn(submission) for submission in index.held] == [True]


async def test_a_closed_record_keeps_nothing_from_the_right_patients(bench, index):
    await published(bench)
    index.records[INS] = RecordState.CLOSED
    other = a_patient(ins=OTHER_INS)
    await bench.tell_report(message_digest="m2", version=2, patient=other, announced=other)
    await bench.come_to_rest()

    index_of_other = [one.entry.patient for one in index.held]
    assert await states(bench) == ("published", "")
    assert index_of_other == [INS, OTHER_INS]
    assert await submissions(bench) == [(1, "sent"), (2, "no_record"), (3, "sent")]


async def test_a_pointer_that_its_holder_keeps_from_being_withdrawn_is_for_a_person(bench, index):
    await published(bench)
    index.records[INS] = RecordState.REFUSED
    await bench.tell_report(message_digest="m2", version=2, status="D")
    await bench.come_to_rest()

    assert await states(bench) == ("set_aside", "withdrawal_rejected")


async def test_an_index_that_tells_of_records_is_asked_before_anything_is_sent_again(bench, index):
    index.tells_of_records = True
    await finds_no_record(bench, index)

    for _day in range(2):
        bench.stores.clock.now_ms += RECORD_RETRY_MS
        await bench.send()
    asked = (index.tested, index.refused)
    index.records.clear()
    bench.stores.clock.now_ms += RECORD_RETRY_MS
    await bench.send()

    assert asked == (2, 1)
    assert await states(bench) == ("published", "")
