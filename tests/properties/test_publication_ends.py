"""Whatever crossed on the way, a study ends where its last report leaves it."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.report import Visibility
from gateway.publication.errand import ARRIVAL_MS
from gateway.publication.outbox import Claim
from indexer.contract.identifiers import Ins
from tests.support.failing_index import Fault, IndexInMemory
from tests.support.gateway_stores import Stores, stores_in
from tests.support.publishing import Bench
from tests.support.studies import INS, OTHER_INS, POLICY, a_patient

ANOTHER = a_patient(ins=OTHER_INS)
REPORTS: dict[str, dict[str, object]] = {
    "plain": {},
    "hidden": {"visibility": frozenset({Visibility.HIDDEN_FROM_PATIENT})},
    "preliminary": {"status": "P"},
    "withdrawn": {"status": "D"},
    "not for the index": {"for_dmp": False},
    "of another": {"patient": ANOTHER, "announced": ANOTHER},
}
ENDS: dict[str, tuple[str, list[tuple[Ins, list[str]]] | None]] = {
    "plain": ("published", [(INS, ["N"])]),
    "hidden": ("published", [(INS, ["N", "INVISIBLE_PATIENT"])]),
    "of another": ("published", [(OTHER_INS, ["N"])]),
    "preliminary": ("waiting", None),  # what is out stays out
    "withdrawn": ("withheld", []),
    "not for the index": ("withheld", []),
}
FAULTS = st.sampled_from([None, *Fault])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.sampled_from(sorted(REPORTS))),
        st.tuples(st.just("look"), st.none()),
        st.tuples(st.just("begin"), st.none()),
        st.tuples(st.just("end"), FAULTS),
        st.tuples(st.just("send"), FAULTS),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("pass"), st.sampled_from([500, 5_000, 200_000])),
    ),
    max_size=25,
)


class Crossing:
    """A bench whose submissions may be under way while anything else happens."""

    def __init__(self, stores: Stores) -> None:
        self.index = IndexInMemory()
        self.bench = Bench(stores, self.index, policy=replace(POLICY, settle_ms=0))
        self.under_way: list[Claim] = []
        self.reports = 0

    async def take(self, step: str, detail) -> None:
        match step:
            case "report":
                self.reports += 1
                told = {"message_digest": f"m{self.reports}", "version": self.reports}
                await self.bench.tell_report(**told, **REPORTS[detail])
            case "look":
                await self.bench.look()
            case "begin":
                self.under_way += await self.bench.dispatcher.claim(1)
            case "end" | "send":
                self.index.faults.append(detail)
                await (self.bench.send() if step == "send" else self.end())
                self.index.faults.clear()
            case "restart":
                stores = self.bench.stores
                self.under_way.clear()
                await stores.database.write(stores.outbox.release_claims)
            case "pass":
                self.bench.stores.clock.now_ms += detail
                if detail > ARRIVAL_MS:  # nothing is on its way, or asked for, so long
                    self.under_way.clear()
                    self.index.arrive()

    async def end(self) -> None:
        if self.under_way:
            await self.bench.dispatcher.send(self.under_way.pop(0))


@settings(max_examples=60)
@given(STEPS, st.sampled_from(sorted(ENDS)))
async def test_a_study_ends_where_its_last_report_leaves_it(tmp_path_factory, steps, last):
    async with stores_in(tmp_path_factory.mktemp("ends")) as stores:
        crossing = Crossing(stores)
        await crossing.bench.tell_instance()
        for step, detail in steps:
            await crossing.take(step, detail)
            assert len(crossing.index.current) <= 1  # in two records would be in a stranger's
        await crossing.take("report", last)

        await crossing.take("pass", 2 * ARRIVAL_MS)
        await crossing.bench.come_to_rest()

        standing = await stores.standing()
        due_at_ms = await stores.database.read(stores.standings.next_due_at_ms)
        unfinished = await stores.database.read(stores.outbox.next_due_at_ms)
    assert (due_at_ms, unfinished) == (None, None)
    state, current = ENDS[last]
    assert standing["state"] == state
    shown = [one for one in crossing.index.held if crossing.index.is_current(one)]
    if current is not None:
        entries = [one.entry for one in shown]
        told = [(one.patient, [code.code for code in one.confidentiality]) for one in entries]
        assert told == current
