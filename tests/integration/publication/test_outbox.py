import pytest

from tests.support.failing_index import IndexInMemory
from tests.support.gateway_stores import Stores
from tests.support.publishing import Bench
from tests.support.studies import POLICY

LEASE_MS = 120_000


@pytest.fixture
async def bench(stores: Stores, index: IndexInMemory) -> Bench:
    """A study whose first revision is in the outbox, unsent."""
    bench = Bench(stores, index)
    await bench.tell_instance()
    await bench.tell_report()
    stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    return bench


async def test_a_dead_workers_submission_falls_due_again(bench, stores):
    [dead] = await bench.dispatcher.claim(1)
    stores.clock.now_ms += LEASE_MS - 1
    too_early = await bench.dispatcher.claim(1)
    stores.clock.now_ms += 1
    [heir] = await bench.dispatcher.claim(1)

    assert too_early == []
    assert (dead.attempts, heir.attempts) == (1, 2)


@pytest.mark.parametrize("late_word", ["sent", "set_aside", "dropped", "postponed"])
async def test_the_late_word_of_a_worker_whose_lease_ended_is_void(bench, stores, late_word):
    [dead] = await bench.dispatcher.claim(1)
    stores.clock.now_ms += LEASE_MS
    [heir] = await bench.dispatcher.claim(1)
    outbox, write = stores.outbox, stores.database.write

    if late_word == "postponed":
        await write(lambda tx: outbox.postpone(tx, dead, due_at_ms=0, never_sent=True))
    else:
        assert not await write(lambda tx: outbox.finish(tx, dead, late_word, now_ms=0))

    assert await bench.dispatcher.claim(1) == []  # the heir's lease holds
    assert await write(lambda tx: outbox.finish(tx, heir, "sent", now_ms=0))


async def test_a_new_process_waits_for_no_lease_of_the_old_one(bench, stores):
    await bench.dispatcher.claim(1)

    await stores.database.write(lambda tx: stores.outbox.release_claims(tx))

    assert len(await bench.dispatcher.claim(1)) == 1
