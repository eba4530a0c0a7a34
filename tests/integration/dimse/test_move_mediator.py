"""Moves from a PACS, and what it stores: instances reach who asked for them, and nobody else."""

import asyncio
from threading import Event

import pytest

from gateway.dimse.arrivals import Arrivals
from gateway.dimse.commands import StoreRequest
from gateway.dimse.move_mediator import MoveMediator
from gateway.errors import PacsBusy, PacsUnavailable, Unavailable
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from tests.integration.dimse.moving import STUDY, WHOLE, Gateway, gateway, push, taken
from tests.integration.dimse.pacs import an_instance

__all__ = ["gateway"]

NAMES_US: dict[str, str | int | None] = {"originator_aet": "DRIMBOX"}
NAMES_ITSELF: dict[str, str | int | None] = {"originator_aet": "PACS"}
NAMES_NOBODY: dict[str, str | int | None] = {"originator_aet": None, "originator_id": None}
NAMES_NO_MESSAGE: dict[str, str | int | None] = {"originator_aet": "DRIMBOX", "originator_id": None}


def instances(*numbers: int) -> list[str]:
    return [f"1.2.3.4.{number}" for number in numbers]


@pytest.mark.parametrize("says", [NAMES_US, NAMES_ITSELF, NAMES_NOBODY, NAMES_NO_MESSAGE])
async def test_a_study_arrives_whatever_the_pacs_says_of_its_originator(
    gateway: Gateway, says: dict[str, str | int | None]
) -> None:
    gateway.pacs.ae.says = says

    arrived = await gateway.moved()

    assert arrived == instances(1, 2, 3, 4, 5)
    assert gateway.receiver.stored == []
    assert gateway.receiver.spooled() == []


async def test_an_instance_arrives_alone(gateway: Gateway) -> None:
    arrived = await gateway.moved(series=Uid("1.2.3.4"), instance=Uid("1.2.3.4.2"))

    assert arrived == instances(2)


async def test_a_study_that_the_pacs_has_not_is_empty(gateway: Gateway) -> None:
    gateway.pacs.instances.clear()

    assert await gateway.moved() == []


@pytest.mark.parametrize("says", [NAMES_US, NAMES_ITSELF, NAMES_NOBODY, NAMES_NO_MESSAGE])
async def test_two_moves_of_one_study_are_each_given_all_of_it(
    gateway: Gateway, says: dict[str, str | int | None]
) -> None:
    gateway.pacs.ae.says = says

    both = await asyncio.gather(gateway.moved(), gateway.moved())

    assert [sorted(each) for each in both] == [instances(1, 2, 3, 4, 5)] * 2
    assert gateway.receiver.stored == []


async def test_a_pacs_that_names_no_moves_sends_a_study_to_one_after_the_other(
    gateway: Gateway,
) -> None:
    gateway.pacs.ae.says = NAMES_NOBODY
    gateway.pacs.waits = Event()

    both = asyncio.gather(gateway.moved(), gateway.moved(series=Uid("1.2.3.4")))
    await asyncio.to_thread(gateway.pacs.is_asked.wait, 10)
    asked_at_once = len(gateway.pacs.asked)
    gateway.pacs.waits.set()
    await both

    assert asked_at_once == 1
    assert [asked.QueryRetrieveLevel for asked in gateway.pacs.asked] == ["STUDY", "SERIES"]


async def test_moves_that_share_no_instance_do_not_wait_for_each_other(gateway: Gateway) -> None:
    gateway.pacs.ae.says = NAMES_NOBODY
    series = Uid("1.2.3.4")
    one = Resource(study=STUDY, series=series, instance=Uid("1.2.3.4.1"))

    async with gateway.mediator.move(gateway.requestor, one) as arrivals:
        other = await gateway.moved(series=series, instance=Uid("1.2.3.4.2"))
        first = [taken(arrival) async for arrival in arrivals]

    assert (first, other) == (instances(1), instances(2))


async def test_two_moves_of_one_study_may_be_open_in_one_task(gateway: Gateway) -> None:
    """The second waits for its turn where it is asked for, not where it is opened."""
    gateway.pacs.ae.says = NAMES_NOBODY

    async with (
        gateway.mediator.move(gateway.requestor, WHOLE) as first,
        gateway.mediator.move(gateway.requestor, WHOLE) as second,
    ):
        each = [[taken(arrival) async for arrival in arrivals] for arrivals in (first, second)]

    assert each == [instances(1, 2, 3, 4, 5)] * 2


async def test_a_move_whose_turn_does_not_come_is_told_to_come_again(gateway: Gateway) -> None:
    gateway.pacs.waits = Event()
    mediator = MoveMediator(ae_title="DRIMBOX", turn_s_max=0.05)

    async with mediator.move(gateway.requestor, WHOLE):
        with pytest.raises(PacsBusy) as caught:
            async with mediator.move(gateway.requestor, WHOLE) as arrivals:
                await anext(arrivals)

    assert caught.value.retry_after_s is not None


async def test_a_turn_that_its_move_left_early_is_the_next_ones(gateway: Gateway) -> None:
    gateway.pacs.ae.says = NAMES_US
    gateway.pacs.waits = Event()

    async with gateway.mediator.move(gateway.requestor, WHOLE):
        following = asyncio.create_task(gateway.moved())
        await asyncio.to_thread(gateway.pacs.is_asked.wait, 10)
    gateway.pacs.waits.set()

    assert await following == instances(1, 2, 3, 4, 5)


async def test_an_instance_is_there_before_the_move_is_over(gateway: Gateway) -> None:
    async with gateway.mediator.move(gateway.requestor, WHOLE) as arrivals:
        first = await anext(arrivals)
        answered = len(gateway.answered)
        rest = [taken(arrival) async for arrival in arrivals]

    assert [taken(first), *rest] == instances(1, 2, 3, 4, 5)
    assert answered < 5


async def test_a_slow_consumer_holds_the_pacs_back(gateway: Gateway) -> None:
    async with gateway.mediator.move(gateway.requestor, WHOLE) as arrivals:
        for expected in range(1, 6):
            taken(await anext(arrivals))
            # One is in hand, two wait, and one more is not answered.
            assert len(gateway.answered) <= expected + 2
            assert len(gateway.receiver.spooled()) <= 3


async def test_what_came_is_given_before_the_pacs_is_blamed_for_the_rest(gateway: Gateway) -> None:
    gateway.pacs.instances.insert(2, an_instance(9, sop_class="1.2.3"))  # it cannot be sent
    arrived: list[str] = []

    with pytest.raises(PacsUnavailable, match="could not send 1"):
        async with gateway.mediator.move(gateway.requestor, WHOLE) as arrivals:
            await take_all(arrivals, arrived)

    assert arrived == instances(1, 2, 3, 4, 5)


async def test_a_pacs_that_dies_half_way_is_unavailable(gateway: Gateway) -> None:
    gateway.pacs.breaks_off_after = 3
    arrived: list[str] = []

    with pytest.raises(PacsUnavailable):
        async with gateway.mediator.move(gateway.requestor, WHOLE) as arrivals:
            await take_all(arrivals, arrived)

    assert arrived == instances(1, 2, 3)
    assert gateway.receiver.spooled() == []


@pytest.mark.parametrize("destination, status", [((None, None), "A801"), ((), "C513")])
async def test_a_pacs_that_may_not_know_where_to_move_to_is_logged_once_in_a_while(
    gateway: Gateway,
    caplog: pytest.LogCaptureFixture,
    destination: tuple[object, ...],
    status: str,
) -> None:
    """Nothing else tells of it before a viewer does, and viewers ask again and again."""
    gateway.pacs.destination = destination

    for _ in range(3):
        with pytest.raises(PacsUnavailable, match=f"{status}: .*AE title DRIMBOX"):
            await gateway.moved()

    [told] = [one for one in caplog.records if one.getMessage() == "move_refused"]
    assert (told.pacs, told.status) == ("PACS", status)  # type: ignore[attr-defined]


async def test_instances_that_are_claimed_and_never_came_are_missed(gateway: Gateway) -> None:
    async def send_elsewhere(_request: StoreRequest) -> int:
        return 0

    gateway.pacs.destination_port = await gateway.receiver.listen(store=send_elsewhere)

    with pytest.raises(PacsUnavailable, match="of 5 instances 0 arrived"):
        await gateway.moved()


async def take_all(arrivals: Arrivals, arrived: list[str]) -> None:
    async for arrival in arrivals:
        arrived.append(taken(arrival))


async def test_leaving_early_ends_the_move_and_keeps_nothing(gateway: Gateway) -> None:
    async with gateway.mediator.move(gateway.requestor, WHOLE) as arrivals:
        taken(await anext(arrivals))

    async with asyncio.timeout(10):
        while gateway.receiver.spooled():  # noqa: ASYNC110 - a folder tells nobody of its changes
            await asyncio.sleep(0)
    assert gateway.mediator._moves == {}
    assert gateway.receiver.stored == []


async def test_an_error_of_the_consumer_leaves_as_it_is(gateway: Gateway) -> None:
    with pytest.raises(ZeroDivisionError):
        async with gateway.mediator.move(gateway.requestor, WHOLE):
            raise ZeroDivisionError


@pytest.mark.parametrize(
    "originator",
    [{}, {"originator_aet": "WORKSTATION", "originator_id": 7}],
    ids=["pushed", "moved for another"],
)
async def test_an_instance_that_nobody_moves_for_us_is_intakes(
    gateway: Gateway, originator: dict[str, str | int]
) -> None:
    gateway.pacs.waits = Event()

    async with gateway.mediator.move(gateway.requestor, WHOLE):
        pushed = an_instance(1, study="1.2.4")
        status = await asyncio.to_thread(push, gateway.pacs.destination_port, pushed, **originator)

    assert status == 0
    assert [request.sop_instance for request in gateway.receiver.stored] == ["1.2.4.4.1"]


@pytest.mark.parametrize(
    "originator, study",
    [("WORKSTATION", STUDY), ("WORKSTATION", "1.2.4"), ("PACS", "1.2.4"), (None, "1.2.4")],
)
async def test_an_instance_moved_for_another_under_our_message_id_is_intakes(
    gateway: Gateway, originator: str | None, study: str
) -> None:
    gateway.pacs.waits = Event()

    async with gateway.mediator.move(gateway.requestor, WHOLE):
        [message_id] = gateway.mediator._moves
        named = {"originator_aet": originator, "originator_id": message_id}
        pushed = an_instance(1, study=study)
        status = await asyncio.to_thread(push, gateway.pacs.destination_port, pushed, **named)

    assert status == 0
    assert [request.sop_instance for request in gateway.receiver.stored] == [f"{study}.4.1"]


async def test_news_of_a_study_that_is_pulled_is_intakes_once_the_pacs_names_its_moves(
    gateway: Gateway,
) -> None:
    async with gateway.mediator.move(gateway.requestor, WHOLE) as arrivals:
        first = taken(await anext(arrivals))
        status = await asyncio.to_thread(push, gateway.pacs.destination_port, an_instance(9))
        rest = [taken(arrival) async for arrival in arrivals]

    assert status == 0
    assert [request.sop_instance for request in gateway.receiver.stored] == instances(9)
    assert [first, *rest] == instances(1, 2, 3, 4, 5)


async def test_a_pacs_whose_moves_are_told_by_their_study_alone_is_logged(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.pacs.ae.says = NAMES_NOBODY
    caplog.set_level("INFO", logger="gateway.dimse.move_mediator")

    await gateway.moved()

    assert [record.message for record in caplog.records] == ["move_matched_by_study"]


async def test_one_move_too_many_is_refused(gateway: Gateway) -> None:
    with pytest.raises(Unavailable) as caught:
        async with (
            gateway.mediator.move(gateway.requestor, WHOLE),
            gateway.mediator.move(gateway.requestor, WHOLE),
            gateway.mediator.move(gateway.requestor, WHOLE),
        ):
            pass

    assert caught.value.retry_after_s is not None
