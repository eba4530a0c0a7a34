"""Files whose headers lie are answered with the right status, and cost little."""

import struct

import pytest
from pydicom.uid import JPEGBaseline8Bit

from tests.support.retrieval import Bench, a_slice
from tests.support.studies import SERIES, STUDY

INSTANCE = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"
PIXELS = b"\xe0\x7f\x10\x00OW\0\0"
OCTETS = "application/octet-stream; transfer-syntax=*"
PATHS = {
    "metadata": (f"{INSTANCE}/metadata", "application/dicom+json"),
    "frame": (f"{INSTANCE}/frames/1", OCTETS),
    "late frame": (f"{INSTANCE}/frames/2000000000", OCTETS),
    "pixels": (f"{INSTANCE}/pixeldata", OCTETS),
    "value": (f"{INSTANCE}/bulkdata/7FE00010", OCTETS),
}


async def answers(bench: Bench) -> dict[str, int]:
    found = {}
    for name, (path, accept) in PATHS.items():
        async with bench.get(path, accept) as response:
            body = await response.read()
            found[name] = response.status
            assert len(body) < 100_000
    return found


async def lie(bench: Bench, old: bytes, new: bytes) -> None:
    """Change the stored file, which has not been described."""
    objects = bench.stores.objects.path("0" * 32).parents[1]
    [path] = [one for one in objects.rglob("*") if one.is_file()]
    document = path.read_bytes()
    assert document.count(old) == 1
    path.write_bytes(document.replace(old, new))


async def test_an_image_of_46341_rows_and_columns_has_no_whole_frame(bench: Bench) -> None:
    await bench.push(a_slice(1, Rows=46341, Columns=46341))

    assert await answers(bench) == {
        "metadata": 200, "frame": 404, "late frame": 404, "pixels": 200, "value": 200
    }  # fmt: skip


async def test_two_thousand_million_frames_are_not_looked_for(bench: Bench) -> None:
    await bench.push(a_slice(1, NumberOfFrames=2_000_000_000))

    assert await answers(bench) == {
        "metadata": 200, "frame": 200, "late frame": 404, "pixels": 200, "value": 200
    }  # fmt: skip


@pytest.mark.parametrize("claim", [3_000_000_000, 0xFFFFFFFE, 514])
async def test_pixels_that_claim_more_than_the_file_has_are_what_there_is(
    bench: Bench, claim: int
) -> None:
    await bench.push(a_slice(1))
    old = PIXELS + struct.pack("<I", 512)
    await lie(bench, old, PIXELS + struct.pack("<I", claim))

    assert await answers(bench) == {
        "metadata": 200, "frame": 200, "late frame": 404, "pixels": 200, "value": 200
    }  # fmt: skip


async def test_a_header_that_claims_gigabytes_is_refused(bench: Bench) -> None:
    await bench.push(a_slice(1, EncapsulatedDocument=b"abcd"))
    old = b"\x42\x00\x11\x00OB\0\0" + struct.pack("<I", 4)
    await lie(bench, old, old[:-4] + struct.pack("<I", 3_000_000_000))

    assert set((await answers(bench)).values()) == {406}


async def test_a_fragment_that_claims_gigabytes_is_no_frame(bench: Bench) -> None:
    await bench.push(a_slice(1), JPEGBaseline8Bit)
    old = b"\xfe\xff\x00\xe0\x04\0\0\0ABCD"
    await lie(bench, old, b"\xfe\xff\x00\xe0\xff\xff\xff\xb2ABCD")

    assert await answers(bench) == {
        "metadata": 200, "frame": 404, "late frame": 404, "pixels": 404, "value": 404
    }  # fmt: skip
