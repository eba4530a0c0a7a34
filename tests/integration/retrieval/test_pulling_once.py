"""However many wait for a series, its PACS sends it once, and each reads at their own pace."""

import asyncio
import errno
import threading

import aiohttp
import pytest
from pydicom import Dataset

from gateway.dimse.spool import write_files
from gateway.retrieval.sources import flight, shelf
from gateway.retrieval.sources.shelf import PASSING_MAX, Contents
from tests.support.fetching import until
from tests.support.retrieval import WAITING_MAX, Bench, a_slice, instances_of
from tests.support.studies import SERIES, STUDY

STUDY_PATH = f"/studies/{STUDY}"
SERIES_PATH = f"{STUDY_PATH}/series/{SERIES}"
LARGE = bytes(2**22)  # more than sockets hold, so that one who does not read is waited for


def slices(count: int, **told: object) -> list[Dataset]:
    return [a_slice(number, **told) for number in range(1, count + 1)]


async def rest_of(response: aiohttp.ClientResponse, begun: bytes = b"") -> list[int]:
    body = begun + await response.read()
    return [int(ds.InstanceNumber) for ds in instances_of(response.headers["Content-Type"], body)]


async def test_many_who_ask_at_once_have_it_sent_once(bench: Bench) -> None:
    await bench.hold_in_pacs(*slices(12))
    bench.pacs.hold_after(0)

    asking = [asyncio.create_task(bench.fetched(path)) for path in (STUDY_PATH, SERIES_PATH) * 4]
    await until(lambda: bench.pacs.is_asked.is_set())
    bench.pacs.go_on()
    came = await asyncio.gather(*asking)

    assert [[ds.InstanceNumber for ds in each] for each in came] == [list(range(1, 13))] * 8
    assert bench.pacs.sent == 12


async def test_the_first_is_sent_while_the_pacs_has_not_sent_the_next(bench: Bench) -> None:
    await bench.hold_in_pacs(*slices(3))
    bench.pacs.hold_after(1)

    async with bench.get() as response:
        begun = await response.content.readuntil(b"DICM")
        bench.pacs.go_on()

        assert await rest_of(response, begun) == [1, 2, 3]


async def test_copies_are_told_of_when_nothing_is_pulled_any_more(bench: Bench) -> None:
    """What is made of them would take the processor from those who wait."""
    other = f"{SERIES}.9"
    await bench.hold_in_pacs(a_slice(1), *slices(3, SeriesInstanceUID=other)[1:])
    bench.pacs.hold_after(1)

    async with bench.get(f"{STUDY_PATH}/series/{other}") as response:
        begun = await response.content.readuntil(b"DICM")
        await bench.fetched(SERIES_PATH)
        await until(lambda: bench.fetching.counted("gateway_pulls_under_way") == 1)
        told_meanwhile = bench.fetching.told_of_copies
        bench.pacs.go_on()
        came = await rest_of(response, begun)
    await bench.pulled()

    assert came == [2, 3]
    assert (told_meanwhile, bench.fetching.told_of_copies) == (0, 1)


async def test_a_viewer_waits_for_no_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    may_write = threading.Event()

    def write_late(contents: Contents) -> None:
        may_write.wait(30)
        write_files(contents)

    monkeypatch.setattr(flight, "write_files", write_late)
    await bench.hold_in_pacs(*slices(6))

    came = await bench.fetched()
    kept_before = len(bench.kept)
    may_write.set()
    await bench.pulled()

    assert [ds.InstanceNumber for ds in came] == [1, 2, 3, 4, 5, 6]
    assert (kept_before, len(bench.kept)) == (0, 6)


async def test_a_pacs_waits_for_the_disk_when_much_is_in_memory(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write = threading.Event()

    def write_late(contents: Contents) -> None:
        may_write.wait(30)
        write_files(contents)

    monkeypatch.setattr(flight, "write_files", write_late)
    monkeypatch.setattr(flight, "IN_MEMORY_BYTES_MAX", 3 * 2**19)
    await bench.hold_in_pacs(*slices(20, PixelData=bytes(2**19)))

    async with bench.get() as response:
        begun = await response.content.readuntil(b"DICM")
        await until(lambda: bench.pacs.sent == 3 + WAITING_MAX)
        may_write.set()
        came = await rest_of(response, begun)

    assert came == list(range(1, 21))
    await bench.pulled()
    await bench.tidied()


async def test_what_the_disk_does_not_take_is_given_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nothing(_: Contents) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(flight, "write_files", write_nothing)
    await bench.hold_in_pacs(*slices(3 * PASSING_MAX))

    came = await bench.fetched()

    assert [ds.InstanceNumber for ds in came] == list(range(1, 3 * PASSING_MAX + 1))
    await bench.pulled()
    assert bench.kept == []


async def test_one_who_comes_late_has_what_is_kept_and_then_the_rest(bench: Bench) -> None:
    await bench.hold_in_pacs(*slices(6))
    bench.pacs.hold_after(4)

    async with bench.get() as first:
        begun = await first.content.readuntil(b"DICM")
        await until(lambda: len(bench.kept) == 4)
        async with bench.get(SERIES_PATH) as late:
            late_begun = await late.content.readuntil(b"DICM")
            bench.pacs.go_on()
            came = await rest_of(first, begun), await rest_of(late, late_begun)

    assert came == ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])
    assert bench.pacs.sent == 6


async def test_one_who_asks_for_an_instance_has_it_from_the_pull_of_its_series(
    bench: Bench,
) -> None:
    await bench.hold_in_pacs(*slices(5))
    bench.pacs.hold_after(3)

    async with bench.get() as whole:
        begun = await whole.content.readuntil(b"DICM")
        [there] = await bench.fetched(f"{SERIES_PATH}/instances/{SERIES}.2")
        waiting = asyncio.create_task(bench.fetched(f"{SERIES_PATH}/instances/{SERIES}.5"))
        bench.pacs.go_on()
        [came] = await waiting
        assert await rest_of(whole, begun) == [1, 2, 3, 4, 5]

    assert (there.InstanceNumber, came.InstanceNumber) == (2, 5)
    assert bench.pacs.sent == 5


async def test_one_who_does_not_read_slows_nobody_where_it_is_kept(bench: Bench) -> None:
    await bench.hold_in_pacs(*slices(8, PixelData=LARGE))

    async with bench.get() as idle:
        begun = await idle.content.readuntil(b"DICM")
        came = await bench.fetched()
        assert len(came) == 8

        assert await rest_of(idle, begun) == list(range(1, 9))
    assert bench.pacs.sent == 8


async def test_one_who_leaves_does_not_end_what_another_waits_for(bench: Bench) -> None:
    await bench.hold_in_pacs(*slices(8))
    bench.pacs.hold_after(2)

    async with bench.get() as leaving, bench.get() as staying:
        await leaving.content.readuntil(b"DICM")
        begun = await staying.content.readuntil(b"DICM")
        leaving.close()
        bench.pacs.go_on()

        assert await rest_of(staying, begun) == list(range(1, 9))
    assert bench.pacs.sent == 8
    assert not bench.pacs.was_left.is_set()


async def test_what_nobody_waits_for_any_more_is_ended(bench: Bench) -> None:
    await bench.hold_in_pacs(*slices(8))
    bench.pacs.hold_after(2)

    async with bench.get() as leaving:
        await leaving.content.readuntil(b"DICM")
        leaving.close()
    async with asyncio.timeout(10):
        await bench.pacs.was_left.wait()
    await bench.pulled()

    assert bench.pacs.sent == 2
    await bench.tidied()


async def test_what_has_nearly_come_is_kept_though_nobody_waits_for_it_any_more(
    bench: Bench,
) -> None:
    await bench.hold_in_pacs(*slices(8))
    bench.pacs.hold_after(6)

    async with bench.get() as leaving:
        await leaving.content.readuntil(b"DICM")
        await until(lambda: len(bench.kept) == 6)
        leaving.close()
    bench.pacs.go_on()
    await bench.pulled()

    assert (bench.pacs.sent, len(bench.kept)) == (8, 8)
    await bench.tidied()


async def test_one_who_does_not_read_holds_up_others_for_a_while_where_nothing_is_kept(
    passing: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LAG_S_MAX", 0.2)
    count = PASSING_MAX + 6
    await passing.hold_in_pacs(*slices(count, PixelData=LARGE))

    async with passing.get() as idle:
        begun = await idle.content.readuntil(b"DICM")

        assert len(await passing.fetched()) == count
        # What it missed it has pulled again, and loses nothing.
        assert sorted(await rest_of(idle, begun)) == list(range(1, count + 1))
    await passing.pulled()
    await passing.tidied()


async def test_a_pacs_that_stops_in_the_middle_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.retrieval.sources.flight.NEXT_S_MAX", 0.2)
    await bench.hold_in_pacs(*slices(4))
    bench.pacs.hold_after(2)

    async with bench.get() as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    await bench.pulled()

    [told] = [record for record in caplog.records if record.getMessage() == "pull_ended_early"]
    assert vars(told)["reason"] == "the PACS sent nothing for 0 s"
    assert vars(told)["came"] == 2
    assert len(bench.kept) == 2
    await bench.tidied()


async def test_an_instance_that_cannot_be_read_is_left_out_and_the_rest_is_kept(
    bench: Bench,
) -> None:
    await bench.hold_in_pacs(*slices(3))
    bench.pacs.files[1].write_bytes(bench.pacs.files[1].read_bytes()[:400])

    async with bench.get() as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    await bench.pulled()
    async with bench.get() as again:
        came = await rest_of(again)

    assert (again.status, came) == (206, [1, 3])
    assert "1 of the instances" in again.headers["Warning"]


async def test_what_the_disk_has_lost_is_pulled_again(bench: Bench) -> None:
    await bench.hold_in_pacs(*slices(3))
    await bench.fetched()
    await bench.pulled()
    bench.kept[0].unlink()

    came = await bench.fetched()

    assert sorted(int(ds.InstanceNumber) for ds in came) == [1, 2, 3]
    assert bench.pacs.sent == 4


async def test_what_the_disk_has_lost_and_no_pacs_holds_is_left_out(bench: Bench) -> None:
    await bench.push(a_slice(1))
    [lost] = bench.kept
    await bench.push(a_slice(2))
    lost.unlink()

    async with bench.get() as response:
        came = await rest_of(response)
    async with bench.get(f"{SERIES_PATH}/instances/{SERIES}.1") as alone:
        assert alone.status == 503

    assert (response.status, came) == (206, [2])
