"""What is on a person's list stays there until a message, or they, resolve it."""

from typing import Any

import pytest

from gateway.model.act import ActKind
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid
from tests.support.failing_index import Fault
from tests.support.publishing import Bench, published, states
from tests.support.studies import STUDY, an_image
from tests.support.telling import tell_announcement

SOMEBODY = {"local_id": Identifier(value="LOC901")}
DAY_MS = 24 * 3_600_000
ACTS: list[tuple[ActKind, dict[str, Any]]] = [
    (ActKind.RETRY, {}),
    (ActKind.CONFIRM_PATIENT, {"patient": an_image(patient=SOMEBODY).patient}),
    (ActKind.DROP, {}),
    (ActKind.MATCH, {"reported_as": Uid("1.2.250.1.999.1.2")}),
    (ActKind.WITHDRAW, {}),
    (ActKind.LIFT, {}),
]


async def is_listed(bench: Bench) -> None:
    bench.pacs.images = (an_image(patient=SOMEBODY),)
    await bench.tell_report()
    await bench.look()
    assert await states(bench) == ("set_aside", "patient_differs")


async def announced(bench: Bench) -> None:
    await tell_announcement(bench.stores)


async def nothing(bench: Bench) -> None:
    """Time passes."""


async def repeated(bench: Bench) -> None:
    await bench.tell_report()


async def announced_in_vain(bench: Bench) -> None:
    bench.pacs.is_silent = True
    await announced(bench)


async def tried_in_vain(bench: Bench) -> None:
    bench.pacs.is_silent = True
    await bench.act(ActKind.RETRY)


async def pushed(bench: Bench) -> None:
    await bench.tell_instance(2, patient=SOMEBODY)


@pytest.mark.parametrize(
    "happens", [nothing, repeated, announced, announced_in_vain, tried_in_vain, pushed]
)
async def test_what_resolves_nothing_leaves_a_study_on_the_list(pacs_bench, happens):
    await is_listed(pacs_bench)
    since_ms = (await pacs_bench.stores.standing())["since_ms"]

    for wait_ms in (1_000, DAY_MS, 10 * DAY_MS):
        await happens(pacs_bench)
        pacs_bench.stores.clock.now_ms += wait_ms
        await pacs_bench.look()

        standing = await pacs_bench.stores.standing()
        assert (standing["state"], standing["code"]) == ("set_aside", "patient_differs")
        assert standing["since_ms"] == since_ms


async def test_what_was_asked_for_in_vain_is_resolved_once_the_pacs_answers(pacs_bench):
    await is_listed(pacs_bench)
    await announced_in_vain(pacs_bench)
    await pacs_bench.look()

    pacs_bench.pacs.is_silent = False
    pacs_bench.pacs.images = (an_image(),)
    await pacs_bench.come_to_rest()

    assert await states(pacs_bench) == ("published", "")


async def test_what_the_index_refused_goes_again_when_a_person_tries_again(bench, index):
    index.faults.append(Fault.REFUSED)
    await published(bench)
    assert await states(bench) == ("set_aside", "submission_rejected")

    await bench.act(ActKind.RETRY)
    await bench.come_to_rest()

    assert await states(bench) == ("published", "")
    assert len(index.held) == 1


async def test_each_act_of_a_person_is_in_the_history_with_its_reason(bench):
    await bench.tell_instance()

    for kind, told in ACTS:
        await bench.act(kind, **told)

    history = bench.stores.standings.history
    rows = await bench.stores.database.read(
        lambda tx: history.of(tx, STUDY, count_max=100, offset=0)
    )
    assert [row["event"] for row in rows] == [kind for kind, _ in ACTS]
    assert {(row["detail"]["reason"], row["detail"]["by"]) for row in rows} == {
        ("told", "operator")
    }
