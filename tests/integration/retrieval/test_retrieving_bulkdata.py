"""WADO-RS on bulk data and pixel data (PS3.18 §10.4.1.1.5, §10.4.1.1.6)."""

import re
import struct
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    MPEG4HP41,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from gateway.retrieval.describing.describe import BINARY_INLINE_BYTES_MAX
from tests.support.retrieval import PUBLIC_URL, Bench, a_slice, any_parts, write_part10
from tests.support.studies import SERIES, STUDY

INSTANCE = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"
OCTETS = "application/octet-stream"
PARTS = f'multipart/related; type="{OCTETS}"'
AS_STORED = f"{PARTS}; transfer-syntax=*"
NATIVE = f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}"
WORDS = tuple(number % 65536 for number in range(BINARY_INLINE_BYTES_MAX))


def a_slice_with_a_table(**told: Any) -> Dataset:
    """A slice with a long look-up table within a sequence."""
    table = Dataset()
    table.LUTDescriptor = [len(WORDS), 0, 16]
    table.add_new("LUTData", "OW", struct.pack(f"<{len(WORDS)}H", *WORDS))
    return a_slice(1, ModalityLUTSequence=[table], **told)


async def addresses(bench: Bench) -> dict[str, str]:
    """Every BulkDataURI in the metadata of the instance, by the element that has it."""
    found = {}

    def look(told: dict[str, Any]) -> None:
        for tag, attribute in told.items():
            if "BulkDataURI" in attribute:
                found[tag] = attribute["BulkDataURI"]
            for value in attribute.get("Value", ()):
                if attribute["vr"] == "SQ":
                    look(value)

    async with bench.get(f"{INSTANCE}/metadata", "application/dicom+json") as response:
        look((await response.json())[0])
    return found


def below_the_root(address: str) -> str:
    root = f"{PUBLIC_URL}/dicom-web"
    assert address.startswith(f"{root}/")
    return address.removeprefix(root)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
async def test_each_address_in_metadata_leads_to_the_value(bench: Bench, syntax: str) -> None:
    ds = a_slice_with_a_table()
    little_endian = ds.PixelData
    if syntax == ExplicitVRBigEndian:
        ds.ModalityLUTSequence[0].LUTData = struct.pack(f">{len(WORDS)}H", *WORDS)
        ds.PixelData = b"".join(
            little_endian[at : at + 2][::-1] for at in range(0, len(little_endian), 2)
        )
    await bench.push(ds, syntax)

    told = await addresses(bench)

    assert set(told) == {"00283006", "7FE00010"}
    for tag, value in (("00283006", struct.pack(f"<{len(WORDS)}H", *WORDS)),
                       ("7FE00010", little_endian)):  # fmt: skip
        async with bench.get(below_the_root(told[tag]), OCTETS) as response:
            assert (response.status, response.headers["Content-Type"]) == (200, NATIVE)
            assert await response.read() == value


async def test_a_value_is_a_part_for_who_takes_parts(bench: Bench) -> None:
    await bench.push(a_slice_with_a_table())
    address = below_the_root((await addresses(bench))["00283006"])

    async with bench.get(address, PARTS) as response:
        [(kind, content)] = any_parts(response.headers["Content-Type"], await response.read())

    assert (kind, content) == (NATIVE, struct.pack(f"<{len(WORDS)}H", *WORDS))


async def test_a_range_of_a_value_comes_with_its_place(bench: Bench) -> None:
    await bench.push(a_slice_with_a_table())
    address = below_the_root((await addresses(bench))["00283006"])
    whole = struct.pack(f"<{len(WORDS)}H", *WORDS)

    async with bench.get(address, OCTETS, {"Range": "bytes=100-199"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
        assert await response.read() == whole[100:200]
        tag = response.headers["ETag"]
    async with bench.get(address, OCTETS, {"Range": f"bytes={len(whole)}-"}) as response:
        assert response.status == 416
    async with bench.get(address, OCTETS, {"If-None-Match": tag}) as response:
        assert response.status == 304


async def test_a_range_of_a_body_in_parts_is_of_the_same_bytes_each_time(bench: Bench) -> None:
    await bench.push(a_slice_with_a_table())
    address = below_the_root((await addresses(bench))["00283006"])

    async with bench.get(address, PARTS) as response:
        whole = await response.read()
    came = b""
    for start in range(0, len(whole), 3000):
        asked = {"Range": f"bytes={start}-{start + 2999}"}
        async with bench.get(address, PARTS, asked) as response:
            assert response.status == 206
            came += await response.read()

    assert came == whole


@pytest.mark.parametrize("value", ["00283006", "00280030/1/00283006", "7FE00010/1/7FE00010"])
async def test_what_does_not_stand_apart_is_no_bulk_data(bench: Bench, value: str) -> None:
    await bench.push(a_slice_with_a_table())

    async with bench.get(f"{INSTANCE}/bulkdata/{value}", OCTETS) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "value", ["", "x", "7FE0001", "7FE00010/", "7FE00010/0/7FE00010", "7FE00010" * 200]
)
async def test_what_names_no_value_is_a_bad_request(bench: Bench, value: str) -> None:
    await bench.push(a_slice_with_a_table())

    async with bench.get(
        f"{INSTANCE}/bulkdata/{value.replace('..', '%2E%2E')}", OCTETS
    ) as response:
        assert response.status == 400


async def test_compressed_pixels_are_a_part_for_each_frame(bench: Bench) -> None:
    await bench.push(a_cine(b"\xff\xd8\xffA", b"\xff\xd8\xffB"), JPEGBaseline8Bit)
    address = below_the_root((await addresses(bench))["7FE00010"])

    for path in (address, f"{INSTANCE}/pixeldata"):
        async with bench.get(path, AS_STORED) as response:
            told = any_parts(response.headers["Content-Type"], await response.read())
        assert [content for _, content in told] == [b"\xff\xd8\xffA", b"\xff\xd8\xffB"]


async def test_native_frames_are_one_value_together(bench: Bench) -> None:
    pixels = bytes(range(256)) * 6
    await bench.push(a_slice(1, NumberOfFrames=3, PixelData=pixels))

    async with bench.get(f"{INSTANCE}/pixeldata", OCTETS) as response:
        assert await response.read() == pixels


async def test_a_video_is_one_item_and_no_frames(bench: Bench) -> None:
    await bench.push(a_cine(b"some", b"film"), MPEG4HP41)

    async with bench.get(f"{INSTANCE}/pixeldata", "video/mp4; transfer-syntax=*") as response:
        assert response.headers["Content-Type"] == f"video/mp4; transfer-syntax={MPEG4HP41}"
        assert await response.read() == b"somefilm"
    async with bench.get(f"{INSTANCE}/frames/1", AS_STORED) as response:
        assert response.status == 404
        assert "as a whole" in (await response.json())["detail"]


async def test_pixels_of_a_study_or_a_series_are_those_of_its_images(bench: Bench) -> None:
    await bench.push(a_slice(1))
    text = a_slice(2, Modality="SR")
    del text.PixelData
    await bench.push(text)
    await bench.push(a_slice(3))

    for path in (f"/studies/{STUDY}/pixeldata", f"/studies/{STUDY}/series/{SERIES}/pixeldata"):
        async with bench.get(path, PARTS) as response:
            told = any_parts(response.headers["Content-Type"], await response.read())
        assert told == [(NATIVE, a_slice(1).PixelData), (NATIVE, a_slice(3).PixelData)]


async def test_pixels_of_a_study_that_cannot_all_be_given_so_are_refused(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2), MPEG4HP41)

    async with bench.get(f"/studies/{STUDY}/pixeldata", PARTS) as response:
        assert response.status == 406


async def test_a_study_without_images_has_no_pixels(bench: Bench) -> None:
    text = a_slice(1, Modality="SR")
    del text.PixelData
    await bench.push(text)

    for path in (f"/studies/{STUDY}/pixeldata", f"{INSTANCE}/pixeldata"):
        async with bench.get(path, PARTS) as response:
            assert response.status == 404


async def test_pixels_of_what_the_pacs_holds_come_as_it_sends_them(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))

    async with bench.get(f"/studies/{STUDY}/pixeldata", PARTS) as response:
        told = any_parts(response.headers["Content-Type"], await response.read())

    assert [content for _, content in told] == [a_slice(1).PixelData, a_slice(2).PixelData]
    await bench.tidied()


def a_cine(*frames: bytes) -> Dataset:
    items = (b"", *frames)
    pixels = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(one)) + one for one in items)
    return a_slice(1, NumberOfFrames=len(frames), PixelData=pixels)


async def parts_of_all(
    bench: Bench, path: str, accept: str = PARTS
) -> list[tuple[str, str, bytes]]:
    """Media type, address below the root, and bytes of each part."""
    async with bench.get(path, accept) as response:
        assert response.status == 200
        kind, body = response.headers["Content-Type"], await response.read()
    places = [one.decode() for one in re.findall(rb"Content-Location: ([^\r]+)", body)]
    found = any_parts(kind, body)
    return [
        (kind, below_the_root(place), content)
        for place, (kind, content) in zip(places, found, strict=True)
    ]


@pytest.mark.parametrize("path", [f"/studies/{STUDY}", INSTANCE])
@pytest.mark.parametrize("word", ["/bulkdata", ""])
async def test_all_bulk_data_of_instances_comes_with_its_addresses(
    bench: Bench, path: str, word: str
) -> None:
    """By an address of its own, and of instances for who takes them in that form alone (PS3.18
    Table 10.4.4-1)."""
    ds = a_slice_with_a_table()
    await bench.push(ds)
    await bench.push(a_slice(2, SeriesInstanceUID="1.2.3.4.5"))
    told = {below_the_root(one) for one in (await addresses(bench)).values()}

    found = await parts_of_all(bench, path + word)

    assert {kind for kind, _, _ in found} == {NATIVE}
    assert told <= {place for _, place, _ in found}
    assert len(found) == (2 if path == INSTANCE else 3)
    assert ds.PixelData in [content for _, _, content in found]


@pytest.mark.parametrize(
    "accept",
    [
        f"{PARTS}, multipart/related; type=application/dicom",
        "*/*",
        f'{PARTS}; q=0.5, multipart/related; type="*/*"',
    ],
)
async def test_who_takes_instances_as_gladly_gets_these(bench: Bench, accept: str) -> None:
    await bench.push(a_slice(1))

    async with bench.get(f"/studies/{STUDY}", accept) as response:
        assert response.content_type == "multipart/related"
        assert 'type="application/dicom"' in response.headers["Content-Type"]


async def test_compressed_pixels_come_as_they_are_stored_or_decoded(bench: Bench) -> None:
    ds = a_slice(1)
    pixels = ds.PixelData
    write_part10(ds, BytesIO())  # which gives it the head that compressing it asks for
    ds.compress(RLELossless, generate_instance_uid=False)
    await bench.push(ds, RLELossless)
    [stored] = generate_frames(ds.PixelData, number_of_frames=1)

    [(plain, _, decoded)] = await parts_of_all(bench, INSTANCE)
    [(kind, _, as_stored)] = await parts_of_all(bench, INSTANCE, AS_STORED)

    assert (plain, decoded) == (NATIVE, pixels)
    assert (kind, as_stored) == (f"{OCTETS}; transfer-syntax={RLELossless}", stored)


@pytest.mark.parametrize("frames", ["/pixeldata", "/bulkdata"])
async def test_native_frames_are_encoded_one_by_one(bench: Bench, frames: str) -> None:
    await bench.push(a_slice(1, NumberOfFrames=2, PixelData=bytes(512) + bytes([1, 0]) * 256))

    for path in (f"/studies/{STUDY}", INSTANCE):
        found = await parts_of_all(bench, path + frames, 'multipart/related; type="image/jls"')

        assert [kind.split(";")[0] for kind, _, _ in found] == ["image/jls"] * 2


async def test_where_there_is_no_bulk_data_there_is_nothing_to_give(bench: Bench) -> None:
    ds = a_slice(1)
    del ds.PixelData, ds.Rows, ds.Columns
    await bench.push(ds)

    async with bench.get(f"/studies/{STUDY}/bulkdata", PARTS) as response:
        assert response.status == 404
    async with bench.http.head(f"{bench.root}/studies/{STUDY}/bulkdata") as response:
        assert response.status == 404
