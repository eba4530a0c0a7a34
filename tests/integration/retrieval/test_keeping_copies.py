"""What passes is kept within a bound; what was read longest ago makes room, and only that."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydicom import Dataset

from gateway.retrieval.at_hand import StudiesAtHand
from gateway.security.policy import OpenAccess
from indexer.contract.identifiers import Uid
from tests.support.fetching import CopyLimits
from tests.support.retrieval import Bench, a_bench, a_slice
from tests.support.studies import STUDY

STUDIES = [f"1.2.250.1.999.7.{number}" for number in range(1, 5)]
ONE_BYTES = 2**18
"""Of an instance, about."""


def a_study(uid: str, count: int = 3) -> list[Dataset]:
    return [
        a_slice(
            number,
            StudyInstanceUID=uid,
            SeriesInstanceUID=f"{uid}.1",
            SOPInstanceUID=f"{uid}.1.{number}",
            PixelData=bytes(ONE_BYTES),
        )
        for number in range(1, count + 1)
    ]


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Bench]:
    """Keeps two studies of three instances, and not much more."""
    limits = CopyLimits(bytes_max=int(7.2 * ONE_BYTES))
    async with a_bench(tmp_path, OpenAccess(), limits=limits) as bench:
        yield bench


async def read(bench: Bench, study: str) -> int:
    """Fetch a study; how many instances its PACS sent for that."""
    sent = bench.pacs.sent
    bench.stores.clock.now_ms += 1000
    assert len(await bench.fetched(f"/studies/{study}")) == 3
    await bench.pulled()
    return bench.pacs.sent - sent


async def test_the_study_read_longest_ago_makes_room(small: Bench) -> None:
    first, second, third, _ = STUDIES
    await small.hold_in_pacs(*a_study(first), *a_study(second), *a_study(third))
    for study in (first, second, first):
        await read(small, study)

    await read(small, third)

    assert [await read(small, study) for study in (third, first)] == [0, 0]
    assert await read(small, second) > 0
    assert small.fetching.counted("gateway_copies_dropped_total") > 0
    assert small.fetching.counted("gateway_copies_bytes") <= 7.2 * ONE_BYTES
    assert len(small.kept) <= 7


async def test_what_somebody_reads_is_not_dropped_under_them(small: Bench) -> None:
    first, second, third, _ = STUDIES
    await small.hold_in_pacs(*a_study(first), *a_study(second), *a_study(third))
    for study in (first, second):
        await read(small, study)

    async with small.fetching.at_hand.reading(Uid(first)):
        await read(small, third)
        await read(small, second)

    assert await read(small, first) == 0


async def test_what_was_pushed_here_alone_is_kept_whatever_comes(small: Bench) -> None:
    await small.push(a_slice(1, PixelData=bytes(ONE_BYTES)))
    for study in STUDIES:
        await small.hold_in_pacs(*a_study(study))
        await read(small, study)

    assert len(await small.fetched(f"/studies/{STUDY}")) == 1


async def test_copies_are_there_after_a_restart(tmp_path: Path) -> None:
    async with a_bench(tmp_path, OpenAccess()) as bench:
        await bench.hold_in_pacs(*a_study(STUDIES[0]))
        await read(bench, STUDIES[0])

    async with a_bench(tmp_path, OpenAccess()) as again:
        await again.fetching.keeper.tidy()
        came = await again.fetched(f"/studies/{STUDIES[0]}")
        counted = again.fetching.counted("gateway_copies_bytes")

    assert (len(came), again.pacs.sent) == (3, 0)
    assert counted > 3 * ONE_BYTES


async def test_how_long_ago_a_study_was_read_is_known_after_a_restart(tmp_path: Path) -> None:
    limits = CopyLimits(bytes_max=int(7.2 * ONE_BYTES))
    first, second, third, _ = STUDIES
    async with a_bench(tmp_path, OpenAccess(), limits=limits) as bench:
        await bench.hold_in_pacs(*a_study(first), *a_study(second))
        for study in (first, second, first):
            await read(bench, study)

    async with a_bench(tmp_path, OpenAccess(), limits=limits) as again:
        again.stores.clock.now_ms = 10_000
        await again.hold_in_pacs(*a_study(third))
        await again.fetching.keeper.tidy()
        await read(again, third)

        assert await read(again, first) == 0


async def test_on_a_disk_that_is_short_of_room_all_passes_through(tmp_path: Path) -> None:
    limits = CopyLimits(spare_bytes_min=2**60)
    async with a_bench(tmp_path, OpenAccess(), limits=limits) as bench:
        await bench.hold_in_pacs(*a_study(STUDIES[0]))

        assert await read(bench, STUDIES[0]) == 3
        assert await read(bench, STUDIES[0]) == 3
        await bench.tidied()
        assert bench.kept == []


async def test_copies_make_room_on_a_disk_that_gets_short_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.hold_in_pacs(*a_study(STUDIES[0]))
    await bench.push(a_slice(1))
    await read(bench, STUDIES[0])
    monkeypatch.setattr(bench.stores.objects, "spare_bytes", lambda: -3 * ONE_BYTES)

    await bench.fetching.keeper.tidy()

    assert len(bench.kept) == 1
    assert len(await bench.fetched(f"/studies/{STUDY}")) == 1


async def test_a_reader_waits_for_what_is_being_dropped_and_holds_off_the_next() -> None:
    study = Uid("1.2.3")
    at_hand = StudiesAtHand(lambda: 5)
    is_reading = asyncio.Event()
    may_go = asyncio.Event()

    async def reader() -> None:
        async with at_hand.reading(study):
            is_reading.set()
            await may_go.wait()

    with at_hand.dropping(study) as first:
        task = asyncio.create_task(reader())
        await asyncio.sleep(0)
        waits = not is_reading.is_set()
        with at_hand.dropping(study) as at_once:
            pass
    async with asyncio.timeout(5):
        await is_reading.wait()
    with at_hand.dropping(study) as while_read:
        pass
    may_go.set()
    await task
    with at_hand.dropping(study) as later:
        pass

    assert (first, at_once, while_read, later) == (True, False, False, True)
    assert waits
    assert at_hand.take_read() == {study: 5}
    assert at_hand.take_read() == {}
