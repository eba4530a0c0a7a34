"""WADO-RS on what the PACS holds: instances go on to the client as they arrive."""

import asyncio

import aiohttp
import pytest
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless

from gateway.retrieval.endpoints import answering
from gateway.retrieval.sources import landing
from gateway.retrieval.sources.shelf import PASSING_MAX
from tests.support.retrieval import WAITING_MAX, Bench, a_slice, instances_of
from tests.support.studies import SERIES, STUDY, report_news

SERIES_PATH = f"/studies/{STUDY}/series/{SERIES}"


async def test_a_study_in_the_pacs_comes_whole_and_is_kept(bench: Bench) -> None:
    await bench.hold_in_pacs(*(a_slice(n) for n in range(1, 8)))

    came = await bench.fetched()
    await bench.pulled()
    again = await bench.fetched()

    assert [ds.InstanceNumber for ds in came] == list(range(1, 8))
    assert again == came
    assert bench.pacs.sent == 7
    await bench.tidied()
    assert len(bench.kept) == 7


async def test_where_nothing_is_kept_nothing_stays(passing: Bench) -> None:
    await passing.hold_in_pacs(*(a_slice(n) for n in range(1, 8)))

    came = await passing.fetched()
    await passing.pulled()
    again = await passing.fetched()
    await passing.pulled()

    assert [ds.InstanceNumber for ds in came] == list(range(1, 8))
    assert again == came
    assert passing.pacs.sent == 14
    await passing.tidied()
    assert passing.kept == []


async def test_a_long_study_that_is_not_kept_never_lies_here_whole(passing: Bench) -> None:
    # Of shorter ones there are no files.
    pixels = bytes(2**20)
    await passing.hold_in_pacs(*(a_slice(n, PixelData=pixels) for n in range(1, 41)))

    came = await passing.fetched()

    assert len(came) == 40
    assert passing.pacs.spooled_max > 0
    # With the client, on the shelf, at the mediator, and one that waits for room there.
    assert passing.pacs.spooled_max <= 1 + PASSING_MAX + WAITING_MAX + 2


async def test_one_instance_is_moved_for_one_instance(bench: Bench) -> None:
    await bench.hold_in_pacs(*(a_slice(n) for n in range(1, 4)))

    [ds] = await bench.fetched(f"{SERIES_PATH}/instances/{SERIES}.2")

    assert ds.InstanceNumber == 2
    assert bench.pacs.sent == 1


async def test_what_the_pacs_sends_is_rewritten_for_the_web(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2), syntax=ImplicitVRLittleEndian)

    async with bench.get() as response:
        came = instances_of(response.headers["Content-Type"], await response.read())

    assert [ds.PixelData for ds in came] == [a_slice(1).PixelData, a_slice(2).PixelData]
    await bench.pulled()
    await bench.tidied()


async def test_what_is_stored_here_joins_what_the_pacs_sends(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))
    await bench.push(a_slice(3))

    async with bench.get() as response:
        came = instances_of(response.headers["Content-Type"], await response.read())

    assert sorted(ds.InstanceNumber for ds in came) == [1, 2, 3]


async def test_a_pacs_that_dies_at_once_is_an_outage(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1))
    bench.pacs.dies_after = 0

    async with bench.get() as response:
        assert response.status == 503


async def test_a_pacs_that_dies_half_way_breaks_the_body_off(bench: Bench) -> None:
    await bench.hold_in_pacs(*(a_slice(n) for n in range(1, 5)))
    bench.pacs.dies_after = 2

    async with bench.get() as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert response.status == 200
    await bench.pulled()
    await bench.tidied()


async def test_what_the_pacs_does_not_send_breaks_the_body_off_after_all_that_it_did(
    bench: Bench,
) -> None:
    await bench.hold_in_pacs(*(a_slice(n) for n in range(1, 5)))
    bench.pacs.leaves_out = 1

    came = bytearray()
    async with bench.get() as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await all_that_comes(response, came)

    assert response.status == 200
    assert came.count(b"DICM") == 3
    assert bench.fetching.counted("gateway_pulls_total", outcome="part") == 1


async def all_that_comes(response: aiohttp.ClientResponse, came: bytearray) -> None:
    async for chunk in response.content.iter_any():
        came += chunk


async def test_what_the_pacs_did_not_send_is_told_before_the_rest_when_it_is_asked_for_again(
    bench: Bench,
) -> None:
    await bench.hold_in_pacs(*(a_slice(n) for n in range(1, 5)))
    bench.pacs.leaves_out = 1
    async with bench.get() as broken_off:
        with pytest.raises(aiohttp.ClientPayloadError):
            await broken_off.read()
    await bench.pulled()

    async with bench.get() as response:
        came = instances_of(response.headers["Content-Type"], await response.read())
    async with bench.get(f"{SERIES_PATH}/instances/{SERIES}.4") as alone:
        retry_after = alone.headers["Retry-After"]

    assert response.status == 206
    assert response.headers["Warning"] == (
        '299 drim-gateway "1 of the instances could not be had and are left out"'
    )
    assert [ds.InstanceNumber for ds in came] == [1, 2, 3]
    assert (alone.status, retry_after) == (503, "60")
    assert bench.pacs.sent == 3


async def test_a_pacs_that_goes_on_sending_the_same_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "PASSED_OVER_MAX", 3)
    await bench.hold_in_pacs(a_slice(1), a_slice(2))
    bench.pacs.files = [bench.pacs.files[0]] * 20

    async with bench.get() as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    await bench.pulled()

    assert bench.pacs.sent < 20
    await bench.tidied()


async def test_a_client_that_goes_away_ends_the_move(bench: Bench) -> None:
    pixels = bytes(2**22)
    await bench.hold_in_pacs(*(a_slice(n, PixelData=pixels) for n in range(1, 31)))

    async with bench.get() as response:
        await response.content.readexactly(1000)
        response.close()
    async with asyncio.timeout(10):
        await bench.pacs.was_left.wait()

    assert bench.pacs.sent < 30
    await bench.pulled()
    await bench.tidied()


async def test_a_client_that_stops_reading_does_not_hold_a_pacs_of_which_nothing_is_kept(
    passing: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "SEND_S_MAX", 0.2)
    pixels = bytes(2**22)
    await passing.hold_in_pacs(*(a_slice(n, PixelData=pixels) for n in range(1, 21)))

    async with passing.get(), asyncio.timeout(10):
        await passing.pacs.was_left.wait()

    assert passing.pacs.sent < 20
    await passing.pulled()
    await passing.tidied()


async def test_nothing_of_another_patient_leaves(bench: Bench) -> None:
    """The PACS was corrected after the pointer was published."""
    await bench.stores.database.write(
        lambda tx: bench.stores.studies.report_received(tx, report_news(), now_ms=0)
    )
    await bench.hold_in_pacs(a_slice(1, PatientID="SOMEONE-ELSE"))

    async with bench.get() as response:
        text = await response.text()

    disagreement = (await bench.stores.snapshot()).disagreement
    assert response.status == 409
    assert "SOMEONE-ELSE" not in text
    assert disagreement is not None
    assert disagreement.found.code == "patient_differs"
    await bench.tidied()


@pytest.mark.parametrize("also_in_pacs", [False, True])
async def test_nothing_of_another_patient_leaves_the_store(
    bench: Bench, also_in_pacs: bool
) -> None:
    """It was pushed under the UID of an instance that is published."""
    await bench.stores.database.write(
        lambda tx: bench.stores.studies.report_received(tx, report_news(), now_ms=0)
    )
    if also_in_pacs:
        await bench.hold_in_pacs(a_slice(1))
    await bench.push(a_slice(2, PatientID="SOMEONE-ELSE"))

    async with bench.get() as response:
        text = await response.text()

    assert response.status == 409
    assert "SOMEONE-ELSE" not in text
    assert bench.pacs.sent == 0


async def test_a_study_that_turns_into_another_patients_is_broken_off(bench: Bench) -> None:
    await bench.stores.database.write(
        lambda tx: bench.stores.studies.report_received(tx, report_news(), now_ms=0)
    )
    await bench.hold_in_pacs(a_slice(1), a_slice(2, PatientID="SOMEONE-ELSE"))

    async with bench.get() as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert (await bench.stores.snapshot()).disagreement is not None


async def test_an_instance_that_cannot_be_decoded_is_not_given_as_another_form(
    bench: Bench,
) -> None:
    await bench.hold_in_pacs(a_slice(1), syntax=JPEG2000Lossless)
    instance = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"

    async with bench.get(instance, 'multipart/related; type="application/dicom"') as response:
        assert response.status == 406

    await bench.pulled()
    await bench.tidied()
