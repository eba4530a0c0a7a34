"""Files that are damaged, cut short or lie are refused with a reason, and the next one is shown."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pydicom.data
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from gateway.dicomweb.accept import Accepted
from gateway.errors import GatewayError, InvalidRequest
from gateway.processes.pool import WorkerPool
from gateway.retrieval.rendering.order import read_order
from gateway.retrieval.rendering.renderer import Renderer, Rendering
from tests.support.retrieval import Bench, a_slice, write_part10
from tests.support.studies import SERIES, STUDY

INSTANCE = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"
BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
NAMES = (
    "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "SC_rgb_small_odd_jpeg.dcm",
    "examples_palette.dcm", "liver_1frame.dcm", "MR_small_bigendian.dcm", "reportsi.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "image_dfl.dcm", "test-SR.dcm",
)  # fmt: skip
MUTATIONS = 12  # of each file


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    pool = WorkerPool(workers=1, waiting_max=4, memory_mib_max=768)
    yield Renderer(pool)
    await pool.close()


async def rendered(renderer: Renderer, path: Path) -> Rendering | GatewayError:
    order, _ = read_order((("viewport", "64,64"), ("annotation", "patient,technique")))
    try:
        return await renderer.render(path, order, Accepted("*/*"), single=True)
    except GatewayError as error:
        return error


def damaged(content: bytes, seed: int) -> bytes:
    """The file with some bytes changed after its head, or cut off."""
    chance = random.Random(seed)
    broken = bytearray(content)
    for _ in range(chance.choice((1, 4, 32))):
        at = chance.randrange(132, len(broken))
        broken[at] = chance.choice((0, 0xFF, broken[at] ^ 1 << chance.randrange(8)))
    if chance.random() < 0.3:
        del broken[chance.randrange(200, len(broken)) :]
    return bytes(broken)


@pytest.mark.parametrize("name", [name for name in NAMES if (BUNDLED / name).exists()])
async def test_a_damaged_file_is_shown_or_refused(
    renderer: Renderer, tmp_path: Path, name: str
) -> None:
    whole = BUNDLED / name
    content = whole.read_bytes()

    for seed in range(MUTATIONS):
        path = tmp_path / f"{seed}.dcm"
        path.write_bytes(damaged(content, seed))
        told = await rendered(renderer, path)
        assert isinstance(told, Rendering | InvalidRequest), (seed, told)

    assert isinstance(await rendered(renderer, whole), Rendering)


@pytest.mark.parametrize(
    "lie",
    [
        {"Rows": 46341, "Columns": 46341},
        {"Rows": 65535, "Columns": 65535, "NumberOfFrames": 2**31 - 1},
        {"NumberOfFrames": -5},
        {"Rows": 0},
        {"BitsAllocated": 7},
        {"BitsStored": 99},
        {"SamplesPerPixel": 3},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"PixelRepresentation": 1, "BitsStored": 12, "HighBit": 15},
        {"WindowWidth": 0, "WindowCenter": 0},
        {"RescaleSlope": 0},
        {"PixelAspectRatio": [1, 100000]},
        {"PixelPaddingValue": 1},
    ],
)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless])
async def test_a_header_that_lies_is_shown_or_refused(
    renderer: Renderer, tmp_path: Path, lie: dict[str, object], syntax: str
) -> None:
    path = tmp_path / "lie.dcm"
    write_part10(a_slice(1, **lie), path, syntax)

    assert isinstance(await rendered(renderer, path), Rendering | InvalidRequest)


async def test_three_gigabytes_in_ten_kilobytes_are_refused(
    renderer: Renderer, tmp_path: Path
) -> None:
    path = tmp_path / "claims.dcm"
    write_part10(a_slice(1), path)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"\xe0\x7f\x10\x00OW") + 8
    content[at : at + 4] = (3_000_000_000).to_bytes(4, "little")
    path.write_bytes(content)

    assert isinstance(await rendered(renderer, path), Rendering | InvalidRequest)


async def test_sequences_within_each_other_end(renderer: Renderer, tmp_path: Path) -> None:
    ds = dcmread(BUNDLED / "CT_small.dcm")
    inner = Dataset()
    for _ in range(120):
        outer = Dataset()
        outer.ContentSequence = [inner]
        inner = outer
    ds.ValueType, ds.ContentSequence = "CONTAINER", [inner]
    path = tmp_path / "deep.dcm"
    ds.save_as(path)

    assert isinstance(await rendered(renderer, path), Rendering | InvalidRequest)


async def test_a_lie_about_size_is_406_over_the_web(bench: Bench) -> None:
    await bench.push(a_slice(1, Rows=46341, Columns=46341))

    async with bench.get(f"{INSTANCE}/rendered", "image/png") as response:
        assert response.status == 406
        assert SERIES not in await response.text()
