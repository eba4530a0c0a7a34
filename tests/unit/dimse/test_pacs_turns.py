"""Who may ask a PACS, and when: no lane and no PACS keeps another from asking."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from gateway.dimse import turns as limits
from gateway.dimse.turns import Lane, PacsThreads, PacsTurns
from gateway.errors import PacsBusy


@dataclass
class Requests:
    """Requests that run until they are told to end."""

    started: list[str] = field(default_factory=list)
    ends: dict[str, asyncio.Event] = field(default_factory=dict)
    tasks: list[asyncio.Task[str]] = field(default_factory=list)
    """Held, for the loop holds them only weakly."""

    async def ask(self, turns: PacsTurns, lane: Lane, name: str) -> asyncio.Task[str]:
        """Ask, and come back when the request runs, or waits."""
        ends = self.ends[name] = asyncio.Event()

        async def work() -> str:
            async with turns.turn(lane):
                self.started.append(name)
                await ends.wait()
                return name

        task = asyncio.create_task(work())
        self.tasks.append(task)
        await _settled()
        return task

    async def end(self, name: str) -> None:
        """Have the request end, and those begin whose turn comes by it."""
        self.ends[name].set()
        await _settled()


async def _settled() -> None:
    """Come back when everybody has done what it can do now."""
    for _ in range(20):
        await asyncio.sleep(0)


@contextmanager
def threads_of(count: int, **limits: float) -> Iterator[tuple[PacsThreads, Requests]]:
    requests = Requests()
    with PacsThreads(count, **limits) as threads:
        try:
            yield threads, requests
        finally:
            for ends in requests.ends.values():
                ends.set()


async def test_a_pacs_is_asked_no_more_at_once_than_it_may_be() -> None:
    with threads_of(8) as (threads, requests):
        turns = threads.turns(associations_max=3, moves_max=2)
        for number in range(4):
            await requests.ask(turns, Lane.VIEWER, f"move {number}")
            await requests.ask(turns, Lane.BACKGROUND, f"query {number}")

        assert requests.started == ["move 0", "query 0", "move 1"]


async def test_neither_lane_holds_every_association() -> None:
    with threads_of(8) as (threads, requests):
        of_queries = threads.turns(associations_max=4, moves_max=4)
        of_moves = threads.turns(associations_max=4, moves_max=4)
        for number in range(5):
            await requests.ask(of_queries, Lane.BACKGROUND, f"query {number}")
            await requests.ask(of_moves, Lane.VIEWER, f"move {number}")
        await requests.ask(of_queries, Lane.VIEWER, "a viewer")
        await requests.ask(of_moves, Lane.BACKGROUND, "a query")

        assert requests.started[-2:] == ["a viewer", "a query"]
        assert len(requests.started) == 8


async def test_of_a_pacs_that_takes_one_association_the_lanes_take_turns() -> None:
    with threads_of(1) as (threads, requests):
        turns = threads.turns(associations_max=1, moves_max=1)
        for number in range(3):
            await requests.ask(turns, Lane.BACKGROUND, f"query {number}")
        for number in range(2):
            await requests.ask(turns, Lane.VIEWER, f"move {number}")
        for name in ("query 0", "move 0", "query 1", "move 1"):
            await requests.end(name)

        assert requests.started == ["query 0", "move 0", "query 1", "move 1", "query 2"]


async def test_a_viewer_waits_for_one_move_that_learns_at_most() -> None:
    with threads_of(8) as (threads, requests):
        of_one, of_two = threads.turns(moves_max=1), threads.turns(moves_max=2)
        for number in range(3):
            await requests.ask(of_one, Lane.LEARNER, f"learns {number}")
            await requests.ask(of_two, Lane.LEARNER, f"learns at leisure {number}")
        await requests.ask(of_two, Lane.VIEWER, "a viewer at once")
        await requests.ask(of_one, Lane.VIEWER, "a viewer")
        await requests.end("learns 0")

        assert requests.started == [
            "learns 0", "learns at leisure 0", "a viewer at once", "a viewer",
        ]  # fmt: skip


async def test_moves_for_viewers_and_moves_that_learn_share_their_bound() -> None:
    with threads_of(8) as (threads, requests):
        turns = threads.turns(associations_max=4, moves_max=2)
        for number in range(3):
            await requests.ask(turns, Lane.LEARNER, f"learns {number}")
            await requests.ask(turns, Lane.VIEWER, f"move {number}")
        await requests.ask(turns, Lane.BACKGROUND, "a query")

        assert requests.started == ["learns 0", "move 0", "a query"]


@pytest.mark.parametrize("waiting", [1, 20])
async def test_a_viewer_waits_for_one_of_each_kind_however_many_wait(waiting: int) -> None:
    with threads_of(1) as (threads, requests):
        turns = threads.turns(associations_max=1)
        await requests.ask(turns, Lane.VIEWER, "another viewer")
        for number in range(waiting):
            await requests.ask(turns, Lane.BACKGROUND, f"query {number}")
            await requests.ask(turns, Lane.LEARNER, f"learns {number}")
        await requests.ask(turns, Lane.VIEWER, "a viewer")
        for name in ("another viewer", "query 0", "learns 0"):
            await requests.end(name)

        assert requests.started == ["another viewer", "query 0", "learns 0", "a viewer"]


async def test_slow_pacs_leave_a_thread_to_each_of_the_others() -> None:
    with threads_of(4) as (threads, requests):
        slow, slower, quick = (threads.turns() for _ in range(3))
        for number in range(4):
            await requests.ask(slow, Lane.BACKGROUND, f"slow {number}")
            await requests.ask(slower, Lane.BACKGROUND, f"slower {number}")
        taken = len(requests.started)
        await requests.ask(quick, Lane.BACKGROUND, "quick")

        assert taken == 3
        assert requests.started[-1] == "quick"


async def test_a_free_thread_goes_to_the_pacs_that_has_waited_longest() -> None:
    with threads_of(3) as (threads, requests):
        first, second = threads.turns(), threads.turns()
        for turns, name in ((first, "a"), (first, "b"), (second, "c"), (second, "d"), (first, "e")):
            await requests.ask(turns, Lane.BACKGROUND, name)

        await requests.end("b")

        assert requests.started == ["a", "b", "c", "d"]


async def test_a_turn_that_does_not_come_is_told_as_busy() -> None:
    with threads_of(1, wait_s_max=0.01) as (threads, requests):
        turns = threads.turns(associations_max=1)
        await requests.ask(turns, Lane.VIEWER, "a move")

        with pytest.raises(PacsBusy) as caught:
            async with turns.turn(Lane.VIEWER):
                pass

    assert caught.value.retry_after_s is not None


async def test_who_comes_when_too_many_wait_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WAITING_MAX", 2)
    with threads_of(1) as (threads, requests):
        turns = threads.turns(associations_max=1)
        for number in range(3):
            await requests.ask(turns, Lane.BACKGROUND, f"query {number}")

        with pytest.raises(PacsBusy, match="too many wait"):
            async with turns.turn(Lane.BACKGROUND):
                pass
        await requests.ask(turns, Lane.VIEWER, "a viewer")  # each kind waits in its own line
        await requests.end("query 0")

        assert requests.started == ["query 0", "a viewer"]


async def test_a_caller_that_leaves_gives_its_turn_on_when_its_work_has_ended() -> None:
    with threads_of(1) as (threads, requests):
        turns = threads.turns(associations_max=1)
        leaving = await requests.ask(turns, Lane.VIEWER, "leaves")
        waiting = await requests.ask(turns, Lane.VIEWER, "waits and leaves")
        following = await requests.ask(turns, Lane.VIEWER, "follows")

        waiting.cancel()
        leaving.cancel()
        requests.ends["follows"].set()

        assert await following == "follows"
        assert requests.started == ["leaves", "follows"]
        assert turns.held == 0


async def test_there_is_a_thread_for_every_pacs() -> None:
    with threads_of(1) as (threads, _requests):
        threads.turns()

        with pytest.raises(ValueError, match="more PACS than threads"):
            threads.turns()
