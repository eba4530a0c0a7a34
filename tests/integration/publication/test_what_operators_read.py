"""The history of a study, and its row in the list, tell a person what became of it."""

from collections.abc import Sequence

from gateway.model.act import ActKind
from gateway.model.notification import InstancesRejected
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid
from tests.support.publishing import Bench, published, states
from tests.support.studies import POLICY, SERIES, STUDY

KEY_OBJECTS = Uid("1.2.840.10008.5.1.4.1.1.88.59")
NOTE = 9
SOMEBODY = {"local_id": Identifier(value="LOC901")}


async def events(bench: Bench) -> list[tuple[object, object]]:
    """The events of the study's history, with their codes."""
    history = bench.stores.standings.history
    rows = await bench.stores.database.read(
        lambda tx: history.of(tx, STUDY, count_max=100, offset=0)
    )
    return [(row["event"], row["code"]) for row in rows]


async def reject(bench: Bench, instances: Sequence[Uid]) -> None:
    """A note comes that rejects the instances."""
    code = "113001"
    await bench.tell_instance(NOTE, sop_class=KEY_OBJECTS, title_code=code)
    news = InstancesRejected(
        study=STUDY, note=Uid(f"{SERIES}.{NOTE}"), code=code, instances=tuple(instances)
    )
    await bench.stores.database.write(
        lambda tx: bench.stores.studies.instances_rejected(
            tx, news, now_ms=bench.stores.clock.now_ms
        )
    )


async def test_images_that_are_pushed_together_leave_one_line(bench):
    for number in range(1, 5):
        await bench.tell_instance(number)
        bench.stores.clock.now_ms += 1_000
    await bench.tell_report()

    await bench.look()
    while_they_come = await events(bench)
    bench.stores.clock.now_ms += POLICY.settle_ms
    await bench.look()

    assert while_they_come == [("report_received", ""), ("waiting", "settling")]
    assert (await events(bench))[2:] == [("images_received", ""), ("queued", "")]


async def test_images_without_a_report_are_in_the_history_and_so_are_those_that_follow(bench):
    for number in (1, 2):
        await bench.tell_instance(number)
        for _look in range(3):
            bench.stores.clock.now_ms += POLICY.settle_ms
            await bench.look()

    assert await events(bench) == [("images_received", ""), ("images_received", "")]


async def test_what_came_of_an_act_is_told_even_if_it_changed_nothing(bench):
    await bench.tell_instance(patient=SOMEBODY)
    await bench.tell_report()
    await bench.come_to_rest()

    await bench.act(ActKind.RETRY)
    await bench.come_to_rest()

    assert (await events(bench))[-3:] == [
        ("set_aside", "patient_differs"),
        ("retry", ""),
        ("set_aside", "patient_differs"),
    ]


async def test_what_came_of_an_act_is_told_once_the_pacs_has_answered(pacs_bench):
    await pacs_bench.tell_instance(patient=SOMEBODY)
    await pacs_bench.tell_report()
    await pacs_bench.come_to_rest()
    pacs_bench.pacs.is_silent = True
    await pacs_bench.act(ActKind.RETRY)
    await pacs_bench.look()
    before = await events(pacs_bench)

    pacs_bench.pacs.is_silent = False
    await pacs_bench.come_to_rest()

    assert before[-1] == ("retry", "")
    assert (await events(pacs_bench))[-2:] == [("retry", ""), ("set_aside", "patient_differs")]


async def test_a_rejected_study_counts_no_instances_and_not_the_note_either(bench):
    await published(bench)
    assert (await bench.stores.standing())["instances"] == 1

    await reject(bench, [Uid(f"{SERIES}.1")])
    await bench.come_to_rest()

    assert await states(bench) == ("withheld", "images_rejected")
    assert (await bench.stores.standing())["instances"] == 0


async def test_a_study_that_a_person_took_back_counts_no_instances(bench):
    await published(bench)

    await bench.act(ActKind.WITHDRAW)

    assert (await bench.stores.standing())["instances"] == 0
