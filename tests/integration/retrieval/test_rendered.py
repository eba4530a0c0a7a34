"""Rendered resources and thumbnails (PS3.18 §10.4.1.1.3, §10.4.1.1.4), by a real server and real
worker processes."""

from email import message_from_bytes
from email.policy import HTTP
from io import BytesIO

import aiohttp
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.uid import JPEG2000Lossless

from tests.support.retrieval import Bench, a_slice
from tests.support.studies import SERIES, STUDY

STUDY_PATH = f"/studies/{STUDY}"
SERIES_PATH = f"{STUDY_PATH}/series/{SERIES}"
INSTANCE = f"{SERIES_PATH}/instances/{SERIES}.1"
PARTS = 'multipart/related; type="image/{}"'


def a_gradient(number: int = 1, **told: object) -> Dataset:
    """A slice of 16 × 16 whose window shows 0 to 255 as they are."""
    values = np.arange(256, dtype="<u2").tobytes()
    shown = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}
    return a_slice(number, **({"PixelData": values} | shown | told))


def frames_of(*shades: int) -> Dataset:
    pixels = b"".join(bytes([shade]) * 64 for shade in shades)
    return a_slice(
        1, Rows=8, Columns=8, BitsAllocated=8, BitsStored=8, HighBit=7,
        NumberOfFrames=len(shades), PixelData=pixels,
    )  # fmt: skip


async def rendered(bench: Bench, path: str, accept: str = "image/png") -> np.ndarray:
    async with bench.get(path, accept) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == accept
        content = await response.read()
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image)


async def parts_of(response: aiohttp.ClientResponse) -> list[tuple[str, bytes]]:
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    parsed = message_from_bytes(head + await response.read(), policy=HTTP)
    assert not parsed.defects
    parts = []
    for part in parsed.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append((part.get_content_type(), content))
    return parts


async def test_an_instance_is_a_picture_in_its_own_window(bench: Bench) -> None:
    await bench.push(a_gradient())

    picture = await rendered(bench, f"{INSTANCE}/rendered")

    assert np.array_equal(picture, np.arange(256, dtype=np.uint8).reshape(16, 16))


@pytest.mark.parametrize("kind, name", [("jpeg", "JPEG"), ("gif", "GIF"), ("jp2", "JPEG2000")])
async def test_a_picture_is_given_in_the_type_that_is_asked_for(
    bench: Bench, kind: str, name: str
) -> None:
    await bench.push(a_gradient())

    async with bench.get(f"{INSTANCE}/rendered", f"image/{kind}") as response:
        assert response.headers["Content-Type"] == f"image/{kind}"
        with Image.open(BytesIO(await response.read())) as image:
            assert (image.format, image.size) == (name, (16, 16))


@pytest.mark.parametrize("accept", ["*/*", "image/*", "text/html,*/*;q=0.8", "image/webp, */*"])
async def test_an_image_is_a_jpeg_by_default(bench: Bench, accept: str) -> None:
    await bench.push(a_gradient())

    async with bench.get(f"{INSTANCE}/rendered", accept) as response:
        assert response.headers["Content-Type"] == "image/jpeg"


async def test_a_study_and_a_series_are_given_whole(bench: Bench) -> None:
    await bench.push(a_gradient(1))
    await bench.push(a_gradient(2))
    await bench.push(a_gradient(3, SeriesInstanceUID=f"{SERIES}.9"))

    async with bench.get(f"{STUDY_PATH}/rendered", PARTS.format("png")) as response:
        assert response.status == 200
        assert [kind for kind, _ in await parts_of(response)] == ["image/png"] * 3
    async with bench.get(f"{SERIES_PATH}/rendered", "*/*") as response:
        assert [kind for kind, _ in await parts_of(response)] == ["image/jpeg"] * 2


async def test_a_study_is_never_a_single_picture(bench: Bench) -> None:
    """PS3.18 §8.7.8: even if it has but one."""
    await bench.push(a_gradient())

    async with bench.get(f"{STUDY_PATH}/rendered", "image/jpeg") as response:
        assert response.status == 406


async def test_frames_are_given_in_the_order_in_which_they_are_named(bench: Bench) -> None:
    await bench.push(frames_of(10, 20, 30))

    one = await rendered(bench, f"{INSTANCE}/frames/2/rendered")
    async with bench.get(f"{INSTANCE}/frames/3,1/rendered", PARTS.format("png")) as response:
        shown = [Image.open(BytesIO(content)) for _, content in await parts_of(response)]

    assert np.unique(one).tolist() == [20]
    assert [image.getpixel((0, 0)) for image in shown] == [30, 10]


async def test_all_frames_of_an_instance_are_had_as_parts_or_as_one_gif(bench: Bench) -> None:
    await bench.push(frames_of(10, 20, 30))

    async with bench.get(f"{INSTANCE}/rendered", PARTS.format("png")) as response:
        assert len(await parts_of(response)) == 3
    async with bench.get(f"{INSTANCE}/rendered", "image/gif") as response:
        with Image.open(BytesIO(await response.read())) as image:
            assert image.n_frames == 3  # type: ignore[attr-defined]


async def test_one_picture_of_many_frames_is_the_one_that_represents_them(bench: Bench) -> None:
    ds = frames_of(10, 20, 30)
    ds.RepresentativeFrameNumber = 3
    await bench.push(ds)

    assert np.unique(await rendered(bench, f"{INSTANCE}/rendered")).tolist() == [30]


@pytest.mark.parametrize(
    "frames, status", [("4", 404), ("0", 400), ("1,,2", 400), ("x", 400), ("1,2", 406)]
)
async def test_frames_that_there_are_not_are_refused(
    bench: Bench, frames: str, status: int
) -> None:
    await bench.push(frames_of(10, 20, 30))

    async with bench.get(f"{INSTANCE}/frames/{frames}/rendered", "image/png") as response:
        assert response.status == status


async def test_the_window_that_is_asked_for_replaces_that_of_the_file(bench: Bench) -> None:
    await bench.push(a_gradient())

    picture = await rendered(bench, f"{INSTANCE}/rendered?window=50,100,linear-exact")

    assert picture.ravel()[[0, 50, 100, 200]].tolist() == [0, 128, 255, 255]


async def test_a_viewport_shows_a_region_and_scales_it(bench: Bench) -> None:
    await bench.push(a_gradient())

    picture = await rendered(bench, f"{INSTANCE}/rendered?viewport=4,2,0,0,-2,1")

    assert picture.shape == (2, 4)
    assert picture[0, 0] == 1


async def test_an_annotation_is_burned_in(bench: Bench) -> None:
    await bench.push(a_gradient(Rows=16, Columns=16))

    plain = await rendered(bench, f"{INSTANCE}/rendered?viewport=512,512")
    told = await rendered(bench, f"{INSTANCE}/rendered?viewport=512,512&annotation=patient")

    changed = np.argwhere(plain != told)
    assert changed[:, 0].max() < 128
    assert changed[:, 1].max() < 400


async def test_an_unknown_annotation_is_passed_over_with_a_warning(bench: Bench) -> None:
    await bench.push(a_gradient())

    async with bench.get(f"{INSTANCE}/rendered?annotation=patient,ruler", "*/*") as response:
        assert response.status == 200
        assert response.headers["Warning"] == (
            '299 drim-gateway "The following annotation values are not supported: ruler"'
        )


async def test_a_profile_is_embedded_when_asked_for(bench: Bench) -> None:
    await bench.push(a_gradient())

    async with bench.get(f"{INSTANCE}/rendered?iccprofile=srgb", "image/png") as response:
        with Image.open(BytesIO(await response.read())) as image:
            assert image.info["icc_profile"]
    for kind in ("image/gif", "image/jp2"):
        async with bench.get(f"{INSTANCE}/rendered?iccprofile=adobergb", kind) as response:
            assert response.status == 400


async def test_dicom_and_rendered_types_are_not_mixed(bench: Bench) -> None:
    await bench.push(a_gradient())

    async with bench.get(f"{INSTANCE}/rendered", "image/png, application/dicom") as response:
        assert response.status == 400
    async with bench.get(f"{INSTANCE}/rendered", "application/dicom") as response:
        assert response.status == 406


async def test_a_part_that_cannot_be_made_says_so_in_its_place(bench: Bench) -> None:
    await bench.push(a_gradient(1))
    await bench.push(a_slice(2), JPEG2000Lossless)  # whose bitstream is none
    await bench.push(a_gradient(3))

    async with bench.get(f"{STUDY_PATH}/rendered", PARTS.format("png")) as response:
        parts = await parts_of(response)

    assert [kind for kind, _ in parts] == ["image/png", "application/problem+json", "image/png"]
    assert str(SERIES) not in parts[1][1].decode()


async def test_an_instance_that_cannot_be_decoded_is_406(bench: Bench) -> None:
    await bench.push(a_slice(1), JPEG2000Lossless)

    async with bench.get(f"{INSTANCE}/rendered", "image/png") as response:
        assert response.status == 406


async def test_a_study_of_which_some_shows_nothing_is_partial(bench: Bench) -> None:
    raw_data = "1.2.840.10008.5.1.4.1.1.66"
    waveform = a_slice(2, SOPClassUID=raw_data)
    del waveform.PixelData, waveform.Rows, waveform.Columns
    await bench.push(a_gradient(1))
    await bench.push(waveform)

    async with bench.get(f"{STUDY_PATH}/rendered", "*/*") as response:
        assert response.status == 206
        assert "1 instances" in response.headers["Warning"]
        assert "image/jpeg" in [kind for kind, _ in await parts_of(response)]
    async with bench.get(f"{SERIES_PATH}/instances/{SERIES}.2/rendered", "*/*") as response:
        assert response.status == 406


async def test_what_the_pacs_holds_is_rendered_as_it_comes(bench: Bench) -> None:
    await bench.hold_in_pacs(a_gradient(1), a_gradient(2))

    async with bench.get(f"{STUDY_PATH}/rendered", "*/*") as response:
        assert len(await parts_of(response)) == 2

    await bench.tidied()


async def test_a_thumbnail_is_small_and_of_the_middle(bench: Bench) -> None:
    for number in (1, 2, 3):
        shade = np.full(512 * 512, number * 50, "<u2").tobytes()
        await bench.push(a_gradient(number, Rows=512, Columns=512, PixelData=shade))

    for path in (STUDY_PATH, SERIES_PATH):
        picture = await rendered(bench, f"{path}/thumbnail")
        assert picture.shape == (192, 192)
        assert np.unique(picture).tolist() == [100]


async def test_a_thumbnail_of_a_frame_has_the_size_that_is_asked_for(bench: Bench) -> None:
    await bench.push(frames_of(10, 20, 30))

    picture = await rendered(bench, f"{INSTANCE}/frames/3/thumbnail?viewport=4,4")

    assert picture.shape == (4, 4)
    assert np.unique(picture).tolist() == [30]


@pytest.mark.parametrize(
    "query",
    ["annotation=patient", "window=1,2,linear", "viewport=9,9,1", "viewport=9", "quality=9"],
)
async def test_a_thumbnail_takes_its_size_alone(bench: Bench, query: str) -> None:
    await bench.push(a_gradient())

    async with bench.get(f"{INSTANCE}/thumbnail?{query}", "*/*") as response:
        assert response.status == 400


async def test_what_is_not_known_is_404(bench: Bench) -> None:
    for path in ("rendered", "thumbnail"):
        async with bench.get(f"{STUDY_PATH}/{path}", "*/*") as response:
            assert response.status == 404


async def test_head_tells_without_rendering(bench: Bench) -> None:
    await bench.push(a_slice(1), JPEG2000Lossless)

    async with bench.http.head(f"{bench.root}{INSTANCE}/rendered") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "image/jpeg"


async def test_a_picture_that_the_client_has_is_not_rendered_again(bench: Bench) -> None:
    await bench.push(a_gradient())
    url = f"{bench.root}{INSTANCE}/rendered"

    async with bench.http.get(url, headers={"Accept": "image/png"}) as response:
        tag = response.headers["ETag"]
    had = {"Accept": "image/png", "If-None-Match": tag}
    async with bench.http.get(url, headers=had) as response:
        assert response.status == 304
    async with bench.http.get(f"{url}?window=1,2,linear", headers=had) as response:
        assert response.status == 200
        assert response.headers["ETag"] != tag


async def test_a_part_of_a_picture_can_be_had(bench: Bench) -> None:
    await bench.push(a_gradient())
    url = f"{bench.root}{INSTANCE}/rendered"

    async with bench.http.get(url, headers={"Accept": "image/png"}) as response:
        whole = await response.read()
    some = {"Accept": "image/png", "Range": "bytes=1-3"}
    async with bench.http.get(url, headers=some) as response:
        assert response.status == 206
        assert await response.read() == whole[1:4] == b"PNG"


async def test_another_instance_of_the_same_uid_has_another_tag(bench: Bench) -> None:
    await bench.push(a_gradient())
    url = f"{bench.root}{INSTANCE}/rendered"

    async with bench.http.get(url, headers={"Accept": "image/png"}) as response:
        tag = response.headers["ETag"]
    await bench.push(a_gradient(WindowCenter=10))
    had = {"Accept": "image/png", "If-None-Match": tag}
    async with bench.http.get(url, headers=had) as response:
        assert response.status == 200
