"""Work ends when its client goes, and nobody watches for work that never waits."""

import asyncio
import logging

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message

from gateway.retrieval.endpoints.until_gone import until_gone

GONE: Message = {"type": "http.disconnect"}


class Client:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.leaves = asyncio.Event()
        self.fault: Exception | None = None

    async def receive(self) -> Message:
        self.asked += 1
        if self.asked == 1:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.leaves.wait()
        if self.fault is not None:
            raise self.fault
        return GONE


class Work:
    """Waits for longer than anybody would."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.let_go = False

    async def __call__(self) -> None:
        try:
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.let_go = True


async def test_work_that_never_waits_is_not_watched() -> None:
    client, done = Client(), []

    async def work() -> None:
        done.append(True)

    await until_gone(client.receive, work())

    assert done
    assert not client.asked


@pytest.mark.parametrize("fault", [None, HTTPException(408)])
async def test_work_ends_when_its_client_goes(
    fault: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    client, work = Client(), Work()
    client.fault = fault
    caplog.set_level(logging.INFO)
    answering = asyncio.create_task(until_gone(client.receive, work()))
    await work.begun.wait()

    client.leaves.set()
    await answering

    assert work.let_go
    assert [record.message for record in caplog.records] == ["client_gone"]
    assert not answering.cancelling()


async def test_an_answer_that_is_cancelled_is_not_taken_for_a_client_that_went() -> None:
    client, work = Client(), Work()
    answering = asyncio.create_task(until_gone(client.receive, work()))
    await work.begun.wait()

    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering

    assert work.let_go


async def test_what_work_raises_is_raised() -> None:
    client = Client()

    async def work() -> None:
        await asyncio.sleep(0)
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here"):
        await until_gone(client.receive, work())


async def test_nobody_watches_any_more_once_the_work_is_done() -> None:
    client = Client()
    others = asyncio.all_tasks()

    async def work() -> None:
        while client.asked < 2:  # noqa: ASYNC110 - until it is watched
            await asyncio.sleep(0)

    await until_gone(client.receive, work())
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == others
