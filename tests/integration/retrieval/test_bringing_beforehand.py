"""The rest of a study comes before it is asked for, and earlier ones at an order, within limits."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydicom import Dataset

from gateway.errors import PacsUnavailable
from gateway.retrieval.sources import prefetch
from gateway.security.policy import OpenAccess
from indexer.contract.identifiers import Uid
from tests.support.fetching import CopyLimits, until
from tests.support.retrieval import Bench, a_bench, a_slice
from tests.support.studies import LOCAL_ID, STUDY

SERIES = [f"{STUDY}.{number}" for number in range(1, 4)]
PATIENT = (LOCAL_ID,)


def a_series(uid: str, count: int = 2, **told: object) -> list[Dataset]:
    return [
        a_slice(number, SeriesInstanceUID=uid, SOPInstanceUID=f"{uid}.{number}", **told)
        for number in range(1, count + 1)
    ]


@pytest.fixture
async def eager(tmp_path: Path) -> AsyncIterator[Bench]:
    limits = CopyLimits(prefetch_bytes_max=2**30, priors_max=2)
    async with a_bench(tmp_path, OpenAccess(), limits=limits) as bench:
        yield bench


async def test_the_rest_of_a_study_is_brought_once_one_series_was_asked_for(eager: Bench) -> None:
    await eager.hold_in_pacs(*(ds for uid in SERIES for ds in a_series(uid)))

    await eager.fetched(f"/studies/{STUDY}/series/{SERIES[1]}")
    await until(lambda: len(eager.kept) == 6)
    await eager.pulled()
    sent = eager.pacs.sent
    await eager.fetched()

    assert (sent, eager.pacs.sent) == (6, 6)
    assert eager.pacs.lanes == ["viewer", "learner", "learner"]


async def test_no_more_of_a_study_is_brought_than_is_set(tmp_path: Path) -> None:
    one = len(bytes(2**18))
    limits = CopyLimits(prefetch_bytes_max=one)
    async with a_bench(tmp_path, OpenAccess(), limits=limits) as bench:
        held = [ds for uid in SERIES for ds in a_series(uid, 1, PixelData=bytes(one))]
        await bench.hold_in_pacs(*held)

        await bench.fetched(f"/studies/{STUDY}/series/{SERIES[0]}")
        await until(lambda: len(bench.kept) == 2)
        await bench.pulled()
        await turn(bench)

        assert len(bench.kept) == 2


async def turn(bench: Bench) -> None:
    """Wait until the prefetcher has done what it was asked."""
    await until(lambda: not bench.fetching.counted("gateway_prefetches_waiting"))


async def test_a_viewer_takes_over_what_waits_to_be_brought(eager: Bench) -> None:
    await eager.hold_in_pacs(*a_series(SERIES[0]), *a_series(SERIES[1]))
    await eager.fetched(f"/studies/{STUDY}/series/{SERIES[0]}")
    await until(lambda: eager.pacs.lanes == ["viewer", "learner"])
    await eager.pulled()
    await eager.hold_in_pacs(*a_series(SERIES[2]))
    eager.pacs.hold_after(0)
    eager.fetching.prefetcher.ask_study(STUDY)
    await until(lambda: len(eager.pacs.lanes) == 3)

    asking = asyncio.create_task(eager.fetched(f"/studies/{STUDY}/series/{SERIES[2]}"))
    await until(lambda: len(eager.pacs.lanes) == 4)
    eager.pacs.go_on()

    assert len(await asking) == 2
    assert eager.pacs.lanes[2:] == ["learner", "viewer"]


async def test_what_there_is_no_room_for_is_not_brought(tmp_path: Path) -> None:
    limits = CopyLimits(bytes_max=0, prefetch_bytes_max=2**30)
    async with a_bench(tmp_path, OpenAccess(), limits=limits) as bench:
        await bench.hold_in_pacs(*(ds for uid in SERIES for ds in a_series(uid, 8)))

        await bench.fetched(f"/studies/{STUDY}/series/{SERIES[0]}")
        await turn(bench)
        await bench.pulled()

        assert bench.pacs.sent < 8 + 8
        await bench.tidied()
        assert bench.kept == []


async def test_a_pacs_that_does_not_send_is_left_in_peace(
    eager: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eager.hold_in_pacs(*(ds for uid in SERIES for ds in a_series(uid)))
    eager.pacs.refuses = PacsUnavailable("it is being repaired")

    eager.fetching.prefetcher.ask_study(STUDY)
    await turn(eager)
    eager.fetching.prefetcher.ask_study(STUDY)
    await turn(eager)
    resting = list(eager.pacs.lanes)
    monkeypatch.setattr(prefetch, "REST_S_MIN", 0.0)
    eager.pacs.refuses = None
    came = await eager.fetched()

    assert resting == ["learner"]
    assert len(came) == 6


async def test_the_last_studies_of_a_patient_are_brought_at_an_order(eager: Bench) -> None:
    years = {"2023": "1.2.3.1", "2024": "1.2.3.2", "2025": "1.2.3.3"}
    for year, study in years.items():
        told = {"StudyInstanceUID": study, "StudyDate": f"{year}0101"}
        await eager.hold_in_pacs(*a_series(f"{study}.1", 1, **told))

    eager.fetching.prefetcher.ask_priors(PATIENT)
    await until(lambda: len(eager.kept) == 2)
    await eager.pulled()
    await turn(eager)

    sent = eager.pacs.sent
    for year in ("2024", "2025"):
        assert len(await eager.fetched(f"/studies/{years[year]}")) == 1
    assert eager.pacs.sent == sent == 2


async def test_what_waits_to_be_brought_is_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "WAITING_MAX", 2)
    brought = prefetch.Prefetcher(
        bench.fetching.stored,
        bench.fetching.flights,
        bench.fetching.catalogue,
        bytes_max=1,
        at_once=1,
        priors_max=1,
        metrics=bench.fetching.metrics,
        now_s=lambda: 0.0,
    )

    for number in range(9):
        brought.ask_study(Uid(f"1.2.{number}"))

    assert bench.fetching.counted("gateway_prefetches_waiting") == 2
