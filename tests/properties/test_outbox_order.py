"""Revisions of one study reach the index in order, each once, whatever fails in between."""

from dataclasses import replace
from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from gateway.model.report import Visibility
from gateway.publication.errand import ARRIVAL_MS
from tests.support.failing_index import Fault, IndexInMemory
from tests.support.gateway_stores import stores_in
from tests.support.publishing import Bench
from tests.support.studies import POLICY

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("revise"), st.none()),
        st.tuples(st.just("forbid"), st.none()),
        st.tuples(st.just("send"), st.sampled_from([None, *Fault])),
        st.tuples(st.just("die"), st.booleans()),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("arrive"), st.none()),
        st.tuples(st.just("pass"), st.sampled_from([500, 5_000, 200_000])),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(STEPS)
async def test_revisions_arrive_in_order_and_once(tmp_path_factory, steps):
    index = IndexInMemory()
    async with stores_in(tmp_path_factory.mktemp("order")) as stores:
        bench = Bench(stores, index, policy=replace(POLICY, settle_ms=0))
        await bench.tell_instance()
        revisions = 0
        for step, detail in steps:
            if step == "revise":
                revisions += 1
                await revise(bench, revisions)
            elif step == "forbid":
                await forbid(bench, revisions)
            elif step == "send":
                index.faults.append(detail)
                await bench.send()
                index.faults.clear()
            elif step == "die":
                await die(bench, index, after_sending=detail)
            elif step == "arrive":
                index.arrive()
            elif step == "restart":
                await restart(bench)
            else:
                stores.clock.now_ms += detail
                if detail > ARRIVAL_MS:
                    index.arrive()  # nothing is longer on its way
        await drain(bench, index, revisions + 1)
        sent = await stores.database.read(
            lambda tx: stores.outbox.page(tx, count_max=1000, offset=0)
        )

    arrived = [numbered(submission) for submission in index.held]
    assert arrived == sorted(set(arrived))
    assert arrived[-1] == revisions + 1
    assert len(index.unique_ids) == len(set(index.unique_ids))
    assert {row["state"] for row in sent} <= {"sent", "dropped", "set_aside"}


async def revise(bench: Bench, number: int) -> None:
    """A change that shows in the entry: the number is in the report's id."""
    visibility = frozenset({Visibility.HIDDEN_FROM_PATIENT} if number % 2 else ())
    await bench.tell_report(
        message_digest=f"m{number}",
        document_id=f"1.2.{number}",
        replaces=(f"1.2.{number - 1}",),
        visibility=visibility,
    )
    await bench.look()


async def forbid(bench: Bench, number: int) -> None:
    """The last report is no longer validated: nothing more of it may be sent."""
    await bench.tell_report(message_digest=f"p{number}", document_id=f"1.2.{number}", status="P")
    await bench.look()


async def die(bench: Bench, index: IndexInMemory, *, after_sending: bool) -> None:
    """A dispatcher claims, perhaps sends, and is killed before it writes down what came of it."""
    for claim in await bench.dispatcher.claim(1):
        if after_sending and not claim.is_stopping:
            await index.submit(claim.submission())


async def restart(bench: Bench) -> None:
    """A new process voids the leases of the one before it."""
    await bench.stores.database.write(lambda tx: bench.stores.outbox.release_claims(tx))


async def drain(bench: Bench, index: IndexInMemory, number: int) -> None:
    """One more revision, and everything goes well from now on."""
    index.arrive()
    await revise(bench, number)
    for _turn in range(200):
        bench.stores.clock.now_ms += 10_000
        await bench.send()


def numbered(submission) -> int:
    """The revision's number, which the manifest tells as its Instance Number."""
    return int(dcmread(BytesIO(submission.document)).InstanceNumber)
