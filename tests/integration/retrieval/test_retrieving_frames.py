"""WADO-RS on frames (PS3.18 §10.4.1.1.6): the bytes of the file, and nothing decoded."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.support.retrieval import Bench, a_slice, any_parts
from tests.support.studies import SERIES, STUDY

INSTANCE = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"
OCTETS = "application/octet-stream"
PARTS = f'multipart/related; type="{OCTETS}"'
AS_STORED = f"{PARTS}; transfer-syntax=*"
SIDE = 16
FRAME_BYTES = SIDE * SIDE * 2


def frame(number: int) -> bytes:
    return struct.pack("<H", number) * (FRAME_BYTES // 2)


def native(frames: int) -> Dataset:
    pixels = b"".join(frame(number) for number in range(1, frames + 1))
    return a_slice(1, NumberOfFrames=frames, PixelData=pixels)


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content


def encapsulated(*frames: Sequence[bytes], table: bytes = b"") -> Dataset:
    fragments = b"".join(item(one) for some in frames for one in some)
    return a_slice(1, NumberOfFrames=len(frames), PixelData=item(table) + fragments)


def a_jpeg(number: int, size_bytes: int = 40) -> bytes:
    return b"\xff\xd8\xff" + bytes([number]) * (size_bytes - 3)


async def parts(bench: Bench, frames: str, accept: str = PARTS) -> list[tuple[str, bytes]]:
    """Content-Type and content of each part."""
    async with bench.get(f"{INSTANCE}/frames/{frames}", accept) as response:
        body = await response.read()
        assert response.status == 200, body
        return any_parts(response.headers["Content-Type"], body)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
async def test_native_frames_are_given_as_they_lie(bench: Bench, syntax: str) -> None:
    await bench.push(native(5), syntax)

    told = await parts(bench, "4,1")

    assert told == [(f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}", frame(4)),
                    (f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}", frame(1))]  # fmt: skip


async def test_big_endian_frames_are_given_little_endian(bench: Bench) -> None:
    ds = native(3)
    ds.PixelData = b"".join(struct.pack(">H", number) * (FRAME_BYTES // 2) for number in (1, 2, 3))
    await bench.push(ds, ExplicitVRBigEndian)

    assert [content for _, content in await parts(bench, "3")] == [frame(3)]


async def test_one_frame_is_given_without_parts_to_who_asks_for_that(bench: Bench) -> None:
    await bench.push(native(3))

    async with bench.get(f"{INSTANCE}/frames/2", OCTETS) as response:
        assert response.headers["Content-Type"] == (
            f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}"
        )
        assert int(response.headers["Content-Length"]) == FRAME_BYTES
        assert await response.read() == frame(2)
    async with bench.get(f"{INSTANCE}/frames/1,2", OCTETS) as response:
        assert response.status == 406


async def test_stored_frames_are_given_to_who_takes_any_transfer_syntax(bench: Bench) -> None:
    await bench.push(encapsulated([a_jpeg(1)], [a_jpeg(2)], [a_jpeg(3)]), JPEGBaseline8Bit)

    told = await parts(bench, "3,2", AS_STORED)

    syntax = f"transfer-syntax={JPEGBaseline8Bit}"
    assert told == [(f"{OCTETS}; {syntax}", a_jpeg(3)), (f"{OCTETS}; {syntax}", a_jpeg(2))]


@pytest.mark.parametrize(
    "syntax, kind",
    [
        (JPEGBaseline8Bit, "image/jpeg"),
        (JPEG2000Lossless, "image/jp2"),
        (RLELossless, "image/dicom-rle"),
    ],
)
async def test_compressed_frames_have_a_media_type_of_their_own(
    bench: Bench, syntax: str, kind: str
) -> None:
    await bench.push(encapsulated([b"one "], [b"two "]), syntax)

    accept = f'multipart/related; type="{kind}"; transfer-syntax={syntax}'

    assert await parts(bench, "2", accept) == [(f"{kind}; transfer-syntax={syntax}", b"two ")]


@pytest.mark.parametrize("table", [b"", struct.pack("<3I", 0, 7, 9)])
async def test_a_frame_in_several_fragments_is_given_without_their_heads(
    bench: Bench, table: bytes
) -> None:
    second = [a_jpeg(2), b"goes", b"on  "]
    ds = encapsulated([a_jpeg(1)], second, [a_jpeg(3)], table=table)
    await bench.push(ds, JPEGBaseline8Bit)

    assert [one for _, one in await parts(bench, "2,3", AS_STORED)] == [b"".join(second), a_jpeg(3)]


async def test_a_range_of_a_frame_in_fragments_is_of_its_own_bytes(bench: Bench) -> None:
    await bench.push(encapsulated([a_jpeg(1, 8), b"goes", b"on  "]), JPEGBaseline8Bit)
    accept = f"{OCTETS}; transfer-syntax=*"

    async with bench.get(f"{INSTANCE}/frames/1", accept, {"Range": "bytes=6-13"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == "bytes 6-13/16"
        assert await response.read() == (a_jpeg(1, 8) + b"goeson  ")[6:14]


@pytest.mark.parametrize("bits", [5 * 5, 8 * 3, 7])
async def test_frames_of_bits_follow_each_other_without_padding(bench: Bench, bits: int) -> None:
    drawn = np.random.default_rng(7).integers(0, 2, size=(6, bits), dtype=np.uint8)
    packed = np.packbits(drawn.reshape(-1), bitorder="little").tobytes()
    ds = a_slice(1, NumberOfFrames=6, Rows=1, Columns=bits, BitsAllocated=1, BitsStored=1,
                 HighBit=0, PixelData=packed + bytes(len(packed) % 2))  # fmt: skip
    ds["PixelData"].VR = "OB"
    await bench.push(ds)

    told = await parts(bench, "5,2,3")

    wanted = [drawn[number - 1] for number in (5, 2, 3)]
    if bits % 8:
        wanted = [np.concatenate(wanted)]
    assert [content for _, content in told] == [
        np.packbits(one, bitorder="little").tobytes() for one in wanted
    ]


async def test_a_range_of_bits_is_of_what_is_given(bench: Bench) -> None:
    drawn = np.random.default_rng(8).integers(0, 2, size=(4, 33 * 33), dtype=np.uint8)
    packed = np.packbits(drawn.reshape(-1), bitorder="little").tobytes()
    ds = a_slice(1, NumberOfFrames=4, Rows=33, Columns=33, BitsAllocated=1, BitsStored=1,
                 HighBit=0, PixelData=packed + bytes(len(packed) % 2))  # fmt: skip
    ds["PixelData"].VR = "OB"
    await bench.push(ds)
    [(_, whole)] = await parts(bench, "3")

    async with bench.get(f"{INSTANCE}/frames/3", OCTETS, {"Range": "bytes=100-"}) as response:
        assert response.status == 206
        assert await response.read() == whole[100:]


@pytest.mark.parametrize("frames", ["0", "x", "1,,2", "1,-2", "", "1.5", "%201", "1,2,99999999999"])
async def test_what_is_no_number_of_a_frame_is_a_bad_request(bench: Bench, frames: str) -> None:
    await bench.push(native(2))

    async with bench.get(f"{INSTANCE}/frames/{frames}", PARTS) as response:
        assert response.status in ((404,) if not frames else (400,))


@pytest.mark.parametrize("number", [4, 9_999_999_999])
async def test_a_frame_out_of_range_is_not_found_and_the_body_says_why(
    bench: Bench, number: int
) -> None:
    await bench.push(native(3))

    async with bench.get(f"{INSTANCE}/frames/1,{number}", PARTS) as response:
        assert response.status == 404
        assert (await response.json())["detail"] == "the instance has 3 frames"


async def test_an_instance_without_pixels_has_no_frames(bench: Bench) -> None:
    ds = a_slice(1)
    del ds.PixelData
    await bench.push(ds)

    async with bench.get(f"{INSTANCE}/frames/1", PARTS) as response:
        assert response.status == 404
        assert (await response.json())["detail"] == "the instance has no pixel data"


async def test_frames_that_nothing_tells_apart_are_not_found(bench: Bench) -> None:
    ds = encapsulated([b"\1\1", b"\1\1"], [b"\2\2"])
    ds.NumberOfFrames = 2
    await bench.push(ds, JPEGBaseline8Bit)

    async with bench.get(f"{INSTANCE}/frames/1", AS_STORED) as response:
        assert response.status == 404
        assert "does not tell where one frame ends" in (await response.json())["detail"]


async def test_who_has_a_frame_is_told_so_until_the_instance_is_replaced(bench: Bench) -> None:
    await bench.push(native(2))
    async with bench.get(f"{INSTANCE}/frames/2", OCTETS) as response:
        tag = response.headers["ETag"]

    async with bench.get(f"{INSTANCE}/frames/2", OCTETS, {"If-None-Match": tag}) as response:
        assert response.status == 304
    async with bench.get(f"{INSTANCE}/frames/1", OCTETS, {"If-None-Match": tag}) as response:
        assert response.status == 200
    await bench.push(native(3))
    async with bench.get(f"{INSTANCE}/frames/2", OCTETS, {"If-None-Match": tag}) as response:
        assert response.status == 200


async def test_head_tells_how_long_the_frames_are(bench: Bench) -> None:
    await bench.push(native(2))
    path = f"{bench.root}{INSTANCE}/frames/1,2"

    async with bench.http.get(path, headers={"Accept": PARTS}) as response:
        size_bytes = len(await response.read())
    async with bench.http.head(path, headers={"Accept": PARTS}) as response:
        assert int(response.headers["Content-Length"]) == size_bytes


async def test_frames_of_what_the_pacs_holds_are_given_as_it_sends_them(bench: Bench) -> None:
    await bench.hold_in_pacs(native(4))

    assert [content for _, content in await parts(bench, "3,2")] == [frame(3), frame(2)]
