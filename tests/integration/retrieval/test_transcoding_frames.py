"""WADO-RS on frames and pixel data in other transfer syntaxes than they are stored in."""

import numpy as np
import pytest
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate

from gateway.pixels import syntaxes
from gateway.pixels.decode import decode_frame
from gateway.pixels.encode import encode_frame, encoded_description
from tests.support.pixels import described, samples_of
from tests.support.retrieval import Bench, a_slice, any_parts
from tests.support.studies import SERIES, STUDY

INSTANCE = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"
OCTETS = "application/octet-stream"
PLAIN = f"{OCTETS}; transfer-syntax={uid.ExplicitVRLittleEndian}"
SLICE = described(rows=24, columns=32, bits_stored=12, high_bit=11)
FRAMES = [samples_of(SLICE, number, smooth=True) for number in range(3)]
COMPRESSED = [one for one in syntaxes.ENCODED[1:] if one not in syntaxes.LOSSY_ENCODED]


def an_object(syntax: str) -> Dataset:
    """Three frames in the transfer syntax."""
    said = encoded_description(SLICE, syntax)
    frames = [encode_frame(samples, SLICE, syntax) for samples in FRAMES]
    return a_slice(
        NumberOfFrames=3,
        Rows=said.rows,
        Columns=said.columns,
        BitsStored=said.bits_stored,
        HighBit=said.high_bit,
        PixelData=b"".join(frames) if syntax in syntaxes.NATIVE else encapsulate(frames),
    )


async def parts(bench: Bench, path: str, accept: str) -> list[tuple[str, bytes]]:
    async with bench.get(f"{INSTANCE}/{path}", accept) as response:
        body = await response.read()
        assert response.status == 200, body
        return any_parts(response.headers["Content-Type"], body)


@pytest.mark.parametrize("stored", COMPRESSED)
async def test_compressed_frames_are_given_uncompressed_as_octets(bench: Bench, stored) -> None:
    await bench.push(an_object(stored), stored)

    told = await parts(bench, "frames/3,1", f'multipart/related; type="{OCTETS}"')

    assert told == [(PLAIN, FRAMES[2].tobytes()), (PLAIN, FRAMES[0].tobytes())]


async def test_native_frames_are_given_compressed(bench: Bench) -> None:
    await bench.push(an_object(syntaxes.EXPLICIT_LITTLE_ENDIAN))

    [(content_type, frame)] = await parts(bench, "frames/2", 'multipart/related; type="image/jls"')

    assert content_type == f"image/jls; transfer-syntax={uid.JPEGLSLossless}"
    np.testing.assert_array_equal(decode_frame(frame, SLICE, uid.JPEGLSLossless), FRAMES[1])


async def test_big_endian_frames_are_given_compressed(bench: Bench) -> None:
    ds = an_object(syntaxes.EXPLICIT_LITTLE_ENDIAN)
    ds.PixelData = b"".join(samples.astype(">u2").tobytes() for samples in FRAMES)
    await bench.push(ds, uid.ExplicitVRBigEndian)

    [(_, frame)] = await parts(bench, "frames/3", 'multipart/related; type="image/jp2"')

    np.testing.assert_array_equal(decode_frame(frame, SLICE, uid.JPEG2000Lossless), FRAMES[2])


async def test_a_type_that_cannot_hold_the_frame_is_passed_over(bench: Bench) -> None:
    await bench.push(an_object(syntaxes.EXPLICIT_LITTLE_ENDIAN))
    baseline = f'multipart/related; type="image/jpeg"; transfer-syntax={uid.JPEGBaseline8Bit}'

    [(content_type, _)] = await parts(
        bench, "frames/1", f'{baseline}, multipart/related; type="image/jls"; q=0.5'
    )
    async with bench.get(f"{INSTANCE}/frames/1", baseline) as refused:
        problem = await refused.json()

    assert content_type.startswith("image/jls")
    assert refused.status == 406
    assert "cannot hold 16 bits allocated" in problem["detail"]


async def test_all_pixels_are_one_item_where_they_are_uncompressed(bench: Bench) -> None:
    await bench.push(an_object(uid.JPEG2000Lossless), uid.JPEG2000Lossless)

    [(content_type, pixels)] = await parts(
        bench, "pixeldata", f'multipart/related; type="{OCTETS}"'
    )

    assert content_type == PLAIN
    assert pixels == b"".join(samples.tobytes() for samples in FRAMES)


async def test_a_frame_is_given_alone_and_by_range(bench: Bench) -> None:
    await bench.push(an_object(uid.RLELossless), uid.RLELossless)
    whole = FRAMES[1].tobytes()

    async with bench.http.get(
        f"{bench.root}{INSTANCE}/frames/2",
        headers={"Accept": OCTETS, "Range": "bytes=100-299"},
    ) as response:
        assert response.status == 206
        assert await response.read() == whole[100:300]


async def test_a_frame_that_cannot_be_decoded_is_refused_with_the_reason(bench: Bench) -> None:
    ds = an_object(uid.JPEG2000Lossless)
    ds.PixelData = encapsulate([b"ABCD"] * 3)
    await bench.push(ds, uid.JPEG2000Lossless)

    async with bench.get(f"{INSTANCE}/frames/1", f'multipart/related; type="{OCTETS}"') as refused:
        problem = await refused.json()

    assert refused.status == 406
    assert "no JPEG 2000 codestream" in problem["detail"]


async def test_nothing_is_left_of_frames_that_were_transcoded(bench: Bench) -> None:
    await bench.push(an_object(uid.RLELossless), uid.RLELossless)

    await parts(bench, "frames/1,2,3", f'multipart/related; type="{OCTETS}"')

    await bench.tidied()
