"""What was asked for last is not asked of the database again, until anything is written."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydicom import Dataset
from pydicom.uid import JPEGBaseline8Bit

from gateway.retrieval.describing.known import TOGETHER
from gateway.storage.database import T, Work
from tests.support.retrieval import Bench, a_slice, any_parts
from tests.support.studies import SERIES, STUDY

PARTS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
LONG = 2 * TOGETHER + 3


def path_of(number: int = 1) -> str:
    return f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.{number}"


def filled_with(value: int) -> bytes:
    return bytes([value, 0]) * 256


def a_jpeg(number: int) -> bytes:
    return b"\xff\xd8\xff\x01" + struct.pack("<I", number)


def a_long_object(frames: int) -> Dataset:
    """Encapsulated, without an offset table."""
    contents = [b"", *map(a_jpeg, range(1, frames + 1))]
    items = (b"\xfe\xff\x00\xe0" + struct.pack("<I", len(one)) + one for one in contents)
    return a_slice(1, NumberOfFrames=frames, PixelData=b"".join(items))


async def described(bench: Bench, number: int = 1) -> None:
    """Have it described, which writes, before anything is asked."""
    async with bench.get(f"{path_of(number)}/metadata", "application/dicom+json") as response:
        assert response.status == 200, await response.text()


async def frames(bench: Bench, told: str, number: int = 1) -> list[bytes]:
    async with bench.get(f"{path_of(number)}/frames/{told}", PARTS) as response:
        body = await response.read()
        assert response.status == 200, body
        return [content for _, content in any_parts(response.headers["Content-Type"], body)]


@contextmanager
def reads_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[None]]:
    """One entry for each time that the database is read in the block."""
    read, counted = bench.stores.database.read, list[None]()

    async def counting(work: Work[T]) -> T:
        counted.append(None)
        return await read(work)

    with monkeypatch.context() as patch:
        patch.setattr(bench.stores.database, "read", counting)
        yield counted


async def test_an_instance_is_looked_up_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.push(a_slice(1, PixelData=filled_with(1)))
    await described(bench)
    before = await frames(bench, "1")

    with reads_of(bench, monkeypatch) as reads:
        again = await frames(bench, "1")

    assert before == again == [filled_with(1)]
    assert not reads


async def test_the_next_frames_of_a_long_object_are_known_with_the_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.push(a_long_object(LONG), JPEGBaseline8Bit)
    await described(bench)
    assert await frames(bench, "1") == [a_jpeg(1)]

    with reads_of(bench, monkeypatch) as reads:
        assert await frames(bench, f"2,{TOGETHER}") == [a_jpeg(2), a_jpeg(TOGETHER)]
    assert not reads
    for told in (TOGETHER + 1, 2 * TOGETHER, LONG, 3):
        assert await frames(bench, str(told)) == [a_jpeg(told)]
    across = (TOGETHER, TOGETHER + 1)
    assert await frames(bench, "{},{}".format(*across)) == [a_jpeg(told) for told in across]


async def test_a_frame_that_is_not_there_is_not_there_the_second_time(bench: Bench) -> None:
    await bench.push(a_long_object(3), JPEGBaseline8Bit)

    for told in ("4", str(10**9), "4"):
        async with bench.get(f"{path_of()}/frames/{told}", PARTS) as response:
            assert response.status == 404
    assert await frames(bench, "3") == [a_jpeg(3)]


async def test_what_is_written_is_seen_at_once(bench: Bench) -> None:
    await bench.push(a_slice(1, PixelData=filled_with(1)))
    await described(bench)
    assert await frames(bench, "1") == [filled_with(1)]

    await bench.push(a_slice(1, PixelData=filled_with(2), ImageComments="sent again"))

    assert await frames(bench, "1") == [filled_with(2)]


async def test_what_is_withdrawn_is_not_given_any_more(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await described(bench)
    assert await frames(bench, "1")
    deleted = "UPDATE instances SET gone = 1 WHERE study_uid = :study"

    await bench.stores.database.write(lambda tx: tx.fetch(deleted, study=STUDY))

    async with bench.get(f"{path_of()}/frames/1", PARTS) as response:
        assert response.status == 404


async def test_so_many_instances_are_known_and_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.retrieval.describing.known.INSTANCES_MAX", 2)
    for number in (1, 2, 3):
        await bench.push(a_slice(number, PixelData=filled_with(number)))
        await described(bench, number)
    for number in (1, 2, 3):
        assert await frames(bench, "1", number) == [filled_with(number)]

    with reads_of(bench, monkeypatch) as kept:
        await frames(bench, "1", 3)
        await frames(bench, "1", 2)
    with reads_of(bench, monkeypatch) as dropped:
        await frames(bench, "1", 1)

    assert not kept
    assert dropped


async def test_what_a_study_holds_is_looked_up_until_something_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.push(a_slice(1))
    await described(bench)
    first = await bench.fetched()

    with reads_of(bench, monkeypatch) as reads:
        again = await bench.fetched()
    await bench.push(a_slice(2))
    both = await bench.fetched()

    assert reads == ([] if bench.stores.database.generation is not None else [None])
    assert [len(one) for one in (first, again, both)] == [1, 1, 2]
