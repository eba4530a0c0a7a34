"""What is found is told in order, kept for a while, and waited for in measure."""

import asyncio

import orjson
import pytest
from aiohttp import ClientSession
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway import health
from gateway.errors import StorageUnavailable
from gateway.health import (
    KEPT_S,
    Finding,
    Probe,
    State,
    Watch,
    examine,
    health_routes,
    table,
    worst,
)
from gateway.lifecycle import workers
from tests.support.retrieval import serving

WELL = Finding(what="PACS A, C-ECHO")
WORN = Finding(what="certificate", state=State.WARN, told="it expires soon", mend="renew it")


class HeldSeconds:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def finds(*findings: Finding) -> Probe:
    async def probe() -> list[Finding]:
        return [*findings]

    return probe


async def test_what_is_found_is_told_in_the_order_of_the_probes() -> None:
    assert await examine({"b": finds(WORN), "a": finds(WELL)}) == [WORN, WELL]


async def test_a_probe_that_does_not_end_or_fails_itself_is_a_failure_and_harms_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hangs() -> list[Finding]:
        await asyncio.Event().wait()
        raise AssertionError

    async def breaks() -> list[Finding]:
        raise LookupError("of a kind that nobody meant")

    monkeypatch.setattr(health, "PROBE_S_MAX", 0.01)
    hung, broken, well = await examine({"a": hangs, "b": breaks, "c": finds(WELL)})

    assert (hung.what, hung.state, broken.what, broken.state) == ("a", "fail", "b", "fail")
    assert "nobody meant" not in broken.told
    assert well == WELL


def test_the_worst_of_all_is_what_counts() -> None:
    failed = Finding(what="x", state=State.FAIL)

    assert [worst([]), worst([WELL]), worst([WORN, WELL]), worst([WORN, failed, WELL])] == [
        "ok", "ok", "warn", "fail",
    ]  # fmt: skip


def test_a_table_says_what_is_wrong_and_below_it_how_to_mend_that() -> None:
    assert table([WELL, WORN]) == [
        "ok    PACS A, C-ECHO",
        "warn  certificate     it expires soon",
        "                      > renew it",
    ]


async def test_findings_are_kept_for_a_while_and_then_renewed() -> None:
    looked = 0

    async def probe() -> list[Finding]:
        nonlocal looked
        looked += 1
        return [WELL]

    clock = HeldSeconds()
    watch = Watch({"a": probe}, now_s=clock)
    async with workers(watch.run()):
        first = await asyncio.gather(*(watch.findings() for _ in range(3)))
        clock.now_s = KEPT_S
        kept = await watch.findings()
        looked_before = looked
        clock.now_s += 1
        renewed = await watch.findings()

    assert first == [([WELL], 0.0)] * 3
    assert kept == ([WELL], KEPT_S)
    assert (looked_before, renewed, looked) == (1, ([WELL], 0.0), 2)


async def test_an_answer_waits_a_moment_for_findings_and_then_gives_those_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goes_on = asyncio.Event()

    async def probe() -> list[Finding]:
        await goes_on.wait()
        goes_on.clear()
        return [WELL]

    monkeypatch.setattr(health, "WAITED_S_MAX", 0.01)
    clock = HeldSeconds()
    watch = Watch({"a": probe}, now_s=clock)
    async with workers(watch.run()):
        none_yet = await watch.findings()
        goes_on.set()
        while (found := await watch.findings())[1] is None:
            pass
        clock.now_s = KEPT_S + 1
        old = await watch.findings()

    assert none_yet == ([], None)
    assert found == ([WELL], 0.0)
    assert old == ([WELL], KEPT_S + 1)


@pytest.mark.parametrize("fails", [False, True])
async def test_readiness_is_decided_by_what_news_needs_and_tells_of_the_rest(fails: bool) -> None:
    class Told(Watch):
        async def findings(self) -> tuple[list[Finding], float | None]:
            return [WORN], 12.34

    async def check() -> None:
        if fails:
            raise StorageUnavailable("told to fail")

    app = FastAPI()
    app.include_router(health_routes({"database": check}, Told({}, now_s=HeldSeconds())))

    async with (
        serving(app) as url,
        ClientSession() as session,
        session.get(f"{url}/health/ready") as answer,
    ):
        status, told = answer.status, orjson.loads(await answer.read())

    assert status == (503 if fails else 200)
    assert told == {
        "ready": not fails,
        "failed": ["database"] if fails else [],
        "detail": {
            "state": "warn",
            "age_s": 12.3,
            "findings": [
                {
                    "what": "certificate",
                    "state": "warn",
                    "told": "it expires soon",
                    "mend": "renew it",
                }
            ],
        },
    }


async def test_what_does_not_answer_in_time_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_S_MAX", 0.05)
    app = FastAPI()
    watch = Watch({}, now_s=HeldSeconds())
    app.include_router(health_routes({"database": asyncio.Event().wait}, watch))

    async with (
        serving(app) as url,
        ClientSession() as session,
        session.get(f"{url}/health/ready") as answer,
    ):
        told = orjson.loads(await answer.read())

    assert (answer.status, told["failed"]) == (503, ["database"])


async def test_who_asks_from_elsewhere_is_told_the_state_and_nothing_of_the_centre() -> None:
    """Findings name the PACS, its place and the settings; probes are for everyone."""
    watch = Watch({"certificate": finds(WORN)}, now_s=HeldSeconds())
    app = FastAPI()
    app.include_router(health_routes({}, watch))

    async def from_elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": ("10.20.0.9", 50_000)}, receive, send)

    async with (
        workers(watch.run()),
        serving(from_elsewhere) as url,
        ClientSession() as session,
        session.get(f"{url}/health/ready") as answer,
    ):
        told = orjson.loads(await answer.read())

    assert told == {"ready": True, "failed": [], "detail": {"state": "warn", "age_s": 0.0}}
