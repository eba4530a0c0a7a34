"""WADO-RS in other transfer syntaxes than those of the instances held (PS3.18 §8.7.3)."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread, uid
from pydicom.encaps import encapsulate, get_frame, parse_basic_offsets

from gateway.pixels import syntaxes
from gateway.pixels.decode import decode_frame
from gateway.pixels.description import PixelDescription, describe_pixels
from gateway.pixels.encode import encode_frame, encoded_description
from gateway.pixels.native import Samples
from gateway.processes.pool import WorkerPool
from gateway.retrieval.forms.recompress import transcode
from tests.support.pixels import described, samples_of
from tests.support.retrieval import Bench, a_slice, part10_of, parts_of
from tests.support.studies import SERIES, STUDY

SERIES_PATH = f"/studies/{STUDY}/series/{SERIES}"
INSTANCE_PATH = f"{SERIES_PATH}/instances/{SERIES}.1"
PLAIN = 'multipart/related; type="application/dicom"'
SLICE = described(rows=40, columns=56, bits_stored=12, high_bit=11)
SAMPLES = samples_of(SLICE, 1, smooth=True)
PICTURE = described(rows=40, columns=56, bits_allocated=8, bits_stored=8, high_bit=7)
PICTURE_SAMPLES = samples_of(PICTURE, 1, smooth=True)
LOSSLESS = [one for one in syntaxes.ENCODED if one not in syntaxes.LOSSY_ENCODED]


def asked_in(*wanted: str) -> str:
    """An Accept header that names transfer syntaxes, the most wanted first."""
    return ", ".join(
        f"{PLAIN}; transfer-syntax={one}; q={1 - number / 10:.1f}"
        for number, one in enumerate(wanted)
    )


def an_image(
    told: PixelDescription = SLICE, samples: Samples = SAMPLES, syntax: str = LOSSLESS[0]
) -> Dataset:
    """An instance with these samples in the transfer syntax."""
    said = encoded_description(told, syntax)
    frame = encode_frame(samples, told, syntax)
    return a_slice(
        Rows=said.rows,
        Columns=said.columns,
        BitsAllocated=said.bits_allocated,
        BitsStored=said.bits_stored,
        HighBit=said.high_bit,
        PhotometricInterpretation=said.photometric,
        PixelData=frame if syntax in syntaxes.NATIVE else encapsulate([frame]),
    )


def decoded(ds: Dataset) -> Samples:
    """Its first frame."""
    syntax = str(ds.file_meta.TransferSyntaxUID)
    if syntax in syntaxes.NATIVE:
        return decode_frame(ds.PixelData, describe_pixels(ds), syntax)
    return decode_frame(get_frame(ds.PixelData, 0, number_of_frames=1), describe_pixels(ds), syntax)


async def one_part(bench: Bench, accept: str, path: str = SERIES_PATH) -> tuple[str, Dataset]:
    async with bench.get(path, accept=accept) as response:
        assert response.status == 200, await response.text()
        [(syntax, content)] = parts_of(response.headers["Content-Type"], await response.read())
    ds = dcmread(BytesIO(content))
    assert ds.file_meta.TransferSyntaxUID == syntax
    return syntax, ds


@pytest.mark.parametrize("asked", LOSSLESS)
async def test_an_uncompressed_instance_is_compressed_without_loss(bench: Bench, asked) -> None:
    await bench.push(an_image())

    syntax, ds = await one_part(bench, asked_in(asked))

    assert syntax == asked
    assert "LossyImageCompression" not in ds
    assert ds.SOPInstanceUID == f"{SERIES}.1"
    np.testing.assert_array_equal(decoded(ds), SAMPLES)


@pytest.mark.parametrize("stored", LOSSLESS)
async def test_one_who_names_no_transfer_syntax_gets_the_pixels_as_they_are(
    bench: Bench, stored
) -> None:
    await bench.push(an_image(syntax=stored), stored)

    syntax, ds = await one_part(bench, PLAIN)

    assert syntax == uid.ExplicitVRLittleEndian
    assert ds["PixelData"].VR == "OW"
    assert ds.PixelData == SAMPLES.tobytes()


async def test_a_form_that_cannot_hold_the_pixels_is_passed_over(bench: Bench) -> None:
    await bench.push(an_image())

    syntax, ds = await one_part(bench, asked_in(uid.JPEGBaseline8Bit, uid.JPEGLSLossless))

    assert syntax == uid.JPEGLSLossless
    np.testing.assert_array_equal(decoded(ds), SAMPLES)


async def test_where_no_form_can_hold_the_pixels_the_reason_is_told(bench: Bench) -> None:
    await bench.push(an_image())

    async with bench.get(INSTANCE_PATH, accept=asked_in(uid.JPEGBaseline8Bit)) as response:
        problem = await response.json()

    assert response.status == 406
    assert "cannot hold 16 bits allocated" in problem["detail"]


async def test_what_has_no_pixels_is_given_uncompressed_whatever_is_asked(bench: Bench) -> None:
    report = a_slice()
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(report, keyword)
    await bench.push(report)

    syntax, ds = await one_part(bench, asked_in(uid.JPEGLSLossless))

    assert syntax == uid.ExplicitVRLittleEndian
    assert ds.PatientID == report.PatientID


@pytest.mark.parametrize("stored", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
async def test_native_instances_of_every_kind_are_compressed(bench: Bench, stored) -> None:
    ds = an_image()
    if stored == uid.ExplicitVRBigEndian:
        ds.PixelData = SAMPLES.astype(">u2").tobytes()
    await bench.push(ds, stored)

    syntax, given = await one_part(bench, asked_in(uid.JPEG2000Lossless))

    assert syntax == uid.JPEG2000Lossless
    np.testing.assert_array_equal(decoded(given), SAMPLES)


async def test_a_picture_that_loses_some_of_itself_says_so(bench: Bench) -> None:
    original = an_image(PICTURE, PICTURE_SAMPLES)
    original.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    await bench.push(original)

    syntax, ds = await one_part(bench, asked_in(uid.JPEGBaseline8Bit))

    assert syntax == uid.JPEGBaseline8Bit
    assert ds.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert ds.LossyImageCompression == "01"
    assert ds.LossyImageCompressionMethod == "ISO_10918_1"
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    assert ds.LossyImageCompressionRatio == round(PICTURE_SAMPLES.size / len(frame), 2)
    assert np.abs(decoded(ds).astype(int) - PICTURE_SAMPLES.astype(int)).max() < 24


async def test_a_picture_whose_frames_tell_their_types_keeps_its_own(bench: Bench) -> None:
    original = an_image(PICTURE, PICTURE_SAMPLES)
    original.ImageType = ["ORIGINAL", "PRIMARY"]
    original.SharedFunctionalGroupsSequence = [Dataset()]
    await bench.push(original)

    _, ds = await one_part(bench, asked_in(uid.JPEGBaseline8Bit))

    assert ds.ImageType == ["ORIGINAL", "PRIMARY"]
    assert ds.LossyImageCompression == "01"


async def test_a_picture_that_loses_nothing_is_the_original(bench: Bench) -> None:
    original = an_image(PICTURE, PICTURE_SAMPLES)
    original.ImageType = ["ORIGINAL", "PRIMARY"]
    await bench.push(original)

    _, ds = await one_part(bench, asked_in(uid.JPEGLSLossless))

    assert ds.ImageType == ["ORIGINAL", "PRIMARY"]


async def test_a_picture_that_came_with_a_loss_says_so_for_good(bench: Bench) -> None:
    await bench.push(an_image(PICTURE, PICTURE_SAMPLES, uid.JPEGBaseline8Bit), uid.JPEGBaseline8Bit)

    syntax, ds = await one_part(bench, PLAIN)

    assert syntax == uid.ExplicitVRLittleEndian
    assert ds.LossyImageCompression == "01"
    assert ds.LossyImageCompressionMethod == "ISO_10918_1"
    assert ds["PixelData"].VR == "OB"


async def test_nothing_is_left_of_what_was_transcoded(bench: Bench) -> None:
    await bench.push(an_image())

    await one_part(bench, asked_in(uid.JPEGLSLossless))

    await bench.tidied()


async def test_a_header_that_claims_too_much_is_refused_and_the_next_is_given(
    bench: Bench,
) -> None:
    """46341 rows and columns of 16 bits are 4 GiB, of which the file has nothing."""
    lying = an_image(syntax=uid.JPEG2000Lossless)
    lying.Rows = lying.Columns = 46341
    await bench.push(lying, uid.JPEG2000Lossless)

    async with bench.get(INSTANCE_PATH, accept=PLAIN) as refused:
        problem = await refused.json()
    async with bench.get(f"{INSTANCE_PATH}/frames/1", accept="application/octet-stream") as frame:
        assert frame.status == 406
    await bench.push(an_image())
    syntax, _ = await one_part(bench, asked_in(uid.JPEGLSLossless))

    assert refused.status == 406
    assert "larger than is decoded here" in problem["detail"]
    assert syntax == uid.JPEGLSLossless


async def test_an_object_of_many_frames_takes_the_memory_of_one(tmp_path: Path) -> None:
    """2,000 frames, 250 MB, by a process that may have 128 MiB."""
    told = an_image()
    told.NumberOfFrames, told.Rows, told.Columns = 2000, 250, 250
    told.PixelData = b"\0\0"
    whole = part10_of(told)
    pixel_bytes = 2000 * 250 * 250 * 2
    source, target, scratch = (tmp_path / name for name in ("source", "target", "scratch"))
    with source.open("wb") as file:
        file.write(whole[:-6] + struct.pack("<I", pixel_bytes))
        file.truncate(file.tell() + pixel_bytes)  # of zeros, which take no disk
    workers = WorkerPool(workers=1, waiting_max=1, memory_mib_max=128)

    given = await workers.run(
        transcode, source, target, scratch, str(uid.RLELossless), 2**30, within_s=120.0
    )
    await workers.close()

    ds = dcmread(target)
    assert given == uid.RLELossless
    assert ds.NumberOfFrames == 2000
    assert len(parse_basic_offsets(ds.PixelData)) == 2000
