"""What still comes of a move once nobody waits for it."""

import asyncio
from threading import Event

import pytest

from tests.integration.dimse.moving import WHOLE, Gateway, gateway, push
from tests.integration.dimse.pacs import an_instance

__all__ = ["gateway"]


@pytest.mark.parametrize("originator", ["DRIMBOX", "PACS", None])
async def test_what_still_comes_of_a_move_that_was_left_is_refused(
    gateway: Gateway, originator: str | None
) -> None:
    gateway.pacs.waits = Event()
    async with gateway.mediator.move(gateway.requestor, WHOLE):
        [message_id] = gateway.mediator._moves

    status = await asyncio.to_thread(
        push,
        gateway.pacs.destination_port,
        an_instance(1),
        originator_aet=originator,
        originator_id=message_id,
    )

    assert status == 0xA700
    assert gateway.receiver.stored == []
    assert gateway.receiver.spooled() == []


async def test_what_a_pacs_moves_of_another_study_is_taken_after_a_move_that_was_left(
    gateway: Gateway,
) -> None:
    gateway.pacs.waits = Event()
    async with gateway.mediator.move(gateway.requestor, WHOLE):
        [message_id] = gateway.mediator._moves

    status = await asyncio.to_thread(
        push,
        gateway.pacs.destination_port,
        an_instance(1, study="4.5.6"),
        originator_aet="PACS",
        originator_id=message_id,
    )

    assert status == 0
    assert [stored.sop_instance for stored in gateway.receiver.stored] == ["4.5.6.4.1"]


async def test_an_instance_of_a_move_that_is_over_is_refused(gateway: Gateway) -> None:
    status = await asyncio.to_thread(
        push,
        gateway.pacs.destination_port,
        an_instance(1),
        originator_aet="DRIMBOX",
        originator_id=7,
    )

    assert status == 0xA700
    assert gateway.receiver.stored == []
    assert gateway.receiver.spooled() == []
