"""Pictures and texts by WADO-URI (PS3.18 §9.5), by a real server and real worker processes."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset

from tests.support.retrieval import Bench, a_slice
from tests.support.studies import CT, SERIES, STUDY

ASKED = {
    "requestType": "WADO",
    "studyUID": STUDY,
    "seriesUID": SERIES,
    "objectUID": f"{SERIES}.1",
}
SHADES = np.arange(256, dtype=np.uint8).reshape(16, 16)


def a_gradient(**told: object) -> Dataset:
    """A slice of 16 × 16 whose window shows 0 to 255 as they are."""
    values = np.arange(256, dtype="<u2").tobytes()
    shown = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}
    return a_slice(1, **({"PixelData": values} | shown | told))


def frames_of(*shades: int) -> Dataset:
    pixels = b"".join(bytes([shade]) * 64 for shade in shades)
    return a_slice(
        1, Rows=8, Columns=8, BitsAllocated=8, BitsStored=8, HighBit=7,
        NumberOfFrames=len(shades), PixelData=pixels,
    )  # fmt: skip


async def wado(
    bench: Bench, *, method: str = "GET", accept: str = "*/*", **told: str
) -> tuple[int, dict[str, str], bytes]:
    url = bench.root.removesuffix("/dicom-web") + "/wado"
    headers = {"Accept": accept}
    async with bench.http.request(method, url, params=ASKED | told, headers=headers) as response:
        return response.status, dict(response.headers), await response.read()


async def picture(bench: Bench, **told: str) -> np.ndarray:
    status, headers, content = await wado(bench, contentType="image/png", **told)
    assert status == 200, content
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(content))
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image)


async def test_who_names_no_type_and_takes_any_gets_a_jpeg(bench: Bench) -> None:
    await bench.push(a_gradient())

    status, headers, content = await wado(bench)

    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    with Image.open(BytesIO(content)) as image:
        assert (image.format, image.size) == ("JPEG", (16, 16))


async def test_the_type_is_that_of_the_parameter_before_that_of_the_header(bench: Bench) -> None:
    await bench.push(a_gradient())

    for asked, given in [
        ({"contentType": "image/gif"}, "image/gif"),
        ({"contentType": "image/gif;q=0.5,image/png"}, "image/png"),
        ({"contentType": "image/gif", "accept": "image/png"}, "image/gif"),
        ({"contentType": "image/nonsense,image/png"}, "image/png"),
        ({"accept": "text/html, image/png; q=0.9, */*; q=0.8"}, "image/png"),
    ]:
        _, headers, _ = await wado(bench, **asked)
        assert headers["Content-Type"] == given


async def test_an_image_is_shown_in_its_own_window_or_in_another(bench: Bench) -> None:
    await bench.push(a_gradient())

    assert np.array_equal(await picture(bench), SHADES)
    step = await picture(bench, windowCenter="100", windowWidth="1")
    assert np.array_equal(step, np.where(SHADES > 99, 255, 0))


async def test_a_region_is_cut_out_of_the_image(bench: Bench) -> None:
    await bench.push(a_gradient())

    assert np.array_equal(await picture(bench, region="0.25,0.5,1,1"), SHADES[8:, 4:])
    assert np.array_equal(await picture(bench, region="0,0,0.001,0.001"), SHADES[:1, :1])


@pytest.mark.parametrize(
    "told, shape",
    [
        ({"rows": "8", "columns": "8"}, (8, 8)),
        ({"rows": "32", "columns": "8"}, (8, 8)),
        ({"rows": "4"}, (4, 4)),
        ({"columns": "32"}, (32, 32)),
        ({"rows": "8", "region": "0,0,1,0.5"}, (8, 16)),
        ({"columns": "8", "rows": "8", "region": "0,0,1,0.5"}, (4, 8)),
    ],
)
async def test_rows_and_columns_are_the_most_of_each(
    bench: Bench, told: dict[str, str], shape: tuple[int, int]
) -> None:
    await bench.push(a_gradient())

    assert (await picture(bench, **told)).shape == shape


async def test_a_frame_is_chosen_by_its_number(bench: Bench) -> None:
    await bench.push(frames_of(10, 20, 30))

    second = await picture(bench, frameNumber="2", windowCenter="128", windowWidth="256")

    assert set(second.flat) == {20}


@pytest.mark.parametrize("frame", ["4", "999999999"])
async def test_a_frame_that_there_is_not_is_a_bad_request(bench: Bench, frame: str) -> None:
    await bench.push(frames_of(10, 20, 30))

    status, _, content = await wado(bench, frameNumber=frame)

    assert status == 400
    assert b"frameNumber" in content


async def test_an_instance_that_there_is_not_is_not_found_whatever_frame(bench: Bench) -> None:
    status, _, _ = await wado(bench, frameNumber="2")

    assert status == 404


async def test_quality_and_annotation_change_the_picture(bench: Bench) -> None:
    noise = np.random.default_rng(7).integers(0, 255, 128 * 128, dtype=np.uint16)
    await bench.push(a_gradient(Rows=128, Columns=128, PixelData=noise.astype("<u2").tobytes()))

    _, _, best = await wado(bench, imageQuality="95")
    _, _, worst = await wado(bench, imageQuality="10")
    plain, annotated = await picture(bench), await picture(bench, annotation="patient")

    assert len(worst) < len(best) / 2
    assert not np.array_equal(plain, annotated)


async def test_an_annotation_that_nobody_knows_is_warned_of(bench: Bench) -> None:
    await bench.push(a_gradient())

    status, headers, _ = await wado(bench, annotation="patient,logo")

    assert status == 200
    assert "not supported: logo" in headers["Warning"]


async def test_an_image_is_shown_by_a_presentation_state(bench: Bench) -> None:
    """By its window instead of the image's own, and with the shades turned round."""
    window, image, series = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 127.5, 255
    window.VOILUTFunction = "LINEAR_EXACT"
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CT, f"{SERIES}.1"
    series.SeriesInstanceUID, series.ReferencedImageSequence = SERIES, [image]
    state = a_slice(
        1, SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1", SeriesInstanceUID=f"{SERIES}.8",
        SOPInstanceUID=f"{SERIES}.8.1", ReferencedSeriesSequence=[series],
        SoftcopyVOILUTSequence=[window], PresentationLUTShape="INVERSE",
    )  # fmt: skip
    del state.PixelData, state.Rows, state.Columns
    await bench.push(a_gradient(WindowCenter=5000, WindowWidth=2))
    await bench.push(state)

    by_it = {"presentationSeriesUID": f"{SERIES}.8", "presentationUID": f"{SERIES}.8.1"}

    assert np.array_equal(await picture(bench, **by_it), 255 - SHADES)
    part = await picture(bench, region="0,0.5,1,1", columns="8", **by_it)
    assert part.shape == (4, 8)


async def test_a_report_is_a_page(bench: Bench) -> None:
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "18748-4", "LN"
    title.CodeMeaning = "Compte rendu d'imagerie"
    report = a_slice(
        1, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", ValueType="CONTAINER",
        ConceptNameCodeSequence=[title], ContentSequence=[],
    )  # fmt: skip
    for keyword in ("PixelData", "Rows", "Columns"):
        del report[keyword]
    await bench.push(report)

    status, headers, content = await wado(bench, contentType="text/html", charset="utf-8")

    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Compte rendu" in content.decode()


@pytest.mark.parametrize(
    "told, status",
    [
        ({"contentType": "text/html"}, 406),
        ({"contentType": "image/nonsense", "accept": "image/nonsense"}, 406),
        ({"presentationSeriesUID": "1.2.3", "presentationUID": "1.2.4"}, 400),
        ({"presentationSeriesUID": SERIES, "presentationUID": f"{SERIES}.1"}, 400),
        ({"anonymize": "yes"}, 406),
        ({"accept": "application/dicom, image/png"}, 400),
        ({"region": "0,0,2,2"}, 400),
        ({"windowCenter": "1"}, 400),
        ({"rows": "100000"}, 400),
        ({"charset": "iso-8859-1"}, 400),
        ({"transferSyntax": "1.2.840.10008.1.2.1"}, 400),
    ],
)
async def test_what_cannot_be_shown_is_refused(
    bench: Bench, told: dict[str, str], status: int
) -> None:
    await bench.push(a_gradient())

    answered, headers, _ = await wado(bench, **told)

    assert (answered, headers["Content-Type"]) == (status, "application/problem+json")


async def test_head_tells_what_get_would_begin_with(bench: Bench) -> None:
    await bench.push(a_gradient())

    status, headers, content = await wado(bench, method="HEAD", contentType="image/png")

    assert (status, headers["Content-Type"], content) == (200, "image/png", b"")
