"""Softcopy presentation states as rendered resources (PS3.4 Annex N, PS3.18 §10.4.1.1.3)."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset

from tests.support.retrieval import Bench, a_slice
from tests.support.studies import SERIES, STUDY

STATES = f"{SERIES}.8"
STATE = f"{STATES}.1"
SHOWN = f"/studies/{STUDY}/series/{STATES}/instances/{STATE}/rendered"
GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
PARTS = 'multipart/related; type="image/png"'


def an_image(number: int = 1, **told: object) -> Dataset:
    """8 rows and 16 columns, of which each holds its number; its own window is another."""
    values = np.tile(np.arange(16, dtype="<u2"), 8).tobytes()
    shown = {"Rows": 8, "Columns": 16, "PixelData": values, "WindowCenter": 5000, "WindowWidth": 2}
    return a_slice(number, **(shown | told))


def an_item(**told: object) -> Dataset:
    item = Dataset()
    for keyword, value in told.items():
        setattr(item, keyword, value)
    return item


def naming(number: int, *frames: int) -> Dataset:
    """A reference to an image."""
    item = an_item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2",
        ReferencedSOPInstanceUID=f"{SERIES}.{number}",
    )
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def a_state(*images: Dataset, sop_class: str = GRAYSCALE, **told: object) -> Dataset:
    """One that shows 0 to 15 from black to white."""
    ds = a_slice(1, SOPClassUID=sop_class, SeriesInstanceUID=STATES, SOPInstanceUID=STATE)
    del ds.PixelData, ds.Rows, ds.Columns
    named = list(images) or [naming(1)]
    ds.ReferencedSeriesSequence = [an_item(SeriesInstanceUID=SERIES, ReferencedImageSequence=named)]
    ds.SoftcopyVOILUTSequence = [
        an_item(WindowCenter=7.5, WindowWidth=15, VOILUTFunction="LINEAR_EXACT")
    ]
    ds.PresentationLUTShape = "IDENTITY"
    for keyword, value in told.items():
        setattr(ds, keyword, value)
    return ds


def columns(*numbers: int) -> list[int]:
    return [number * 17 for number in numbers]


async def shown(bench: Bench, query: str = "") -> np.ndarray:
    async with bench.get(SHOWN + query, "image/png") as response:
        assert response.status == 200, await response.text()
        with Image.open(BytesIO(await response.read())) as image:
            return np.asarray(image)


async def test_a_state_shows_its_image_by_its_own_window(bench: Bench) -> None:
    await bench.push(an_image())
    await bench.push(a_state())

    assert (await shown(bench))[0].tolist() == columns(*range(16))


async def test_an_inverse_shape_turns_the_shades_round(bench: Bench) -> None:
    await bench.push(an_image(PhotometricInterpretation="MONOCHROME1"))
    await bench.push(a_state(PresentationLUTShape="INVERSE"))

    assert (await shown(bench))[0].tolist() == columns(*reversed(range(16)))


async def test_a_window_for_another_image_is_passed_over(bench: Bench) -> None:
    wide = an_item(WindowCenter=0, WindowWidth=60000, ReferencedImageSequence=[naming(9)])
    own = an_item(WindowCenter=7.5, WindowWidth=15, VOILUTFunction="LINEAR_EXACT")
    own.ReferencedImageSequence = [naming(1)]
    await bench.push(an_image())
    await bench.push(a_state(SoftcopyVOILUTSequence=[wide, own]))

    assert (await shown(bench))[0].tolist() == columns(*range(16))


async def test_an_image_is_rotated_and_flipped(bench: Bench) -> None:
    await bench.push(an_image())
    await bench.push(a_state(ImageRotation=90, ImageHorizontalFlip="Y"))

    picture = await shown(bench)

    assert picture.shape == (16, 8)
    assert picture[:, 0].tolist() == columns(*range(16))


async def test_the_displayed_area_is_cut_out(bench: Bench) -> None:
    area = an_item(
        DisplayedAreaTopLeftHandCorner=[3, 2],
        DisplayedAreaBottomRightHandCorner=[6, 4],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    await bench.push(an_image())
    await bench.push(a_state(DisplayedAreaSelectionSequence=[area]))

    picture = await shown(bench)

    assert picture.shape == (3, 4)
    assert picture[0].tolist() == columns(2, 3, 4, 5)


async def test_a_shutter_covers_what_lies_outside(bench: Bench) -> None:
    await bench.push(an_image())
    await bench.push(
        a_state(
            ShutterShape="RECTANGULAR",
            ShutterLeftVerticalEdge=2,
            ShutterRightVerticalEdge=15,
            ShutterUpperHorizontalEdge=1,
            ShutterLowerHorizontalEdge=8,
            ShutterPresentationValue=0xFFFF,
        )
    )

    picture = await shown(bench)

    assert picture[0].tolist() == [255] * 16
    assert picture[1].tolist() == [255, 255, *columns(*range(2, 14)), 255, 255]


async def test_graphics_are_drawn_where_they_belong(bench: Bench) -> None:
    line = an_item(
        GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2,
        GraphicData=[1, 4, 16, 4], GraphicType="POLYLINE", GraphicFilled="N",
    )  # fmt: skip
    note = an_item(
        UnformattedTextValue="Lésion", AnchorPointAnnotationUnits="DISPLAY", AnchorPoint=[0.5, 0.7]
    )
    annotation = an_item(GraphicLayer="1", GraphicObjectSequence=[line], TextObjectSequence=[note])
    black = np.zeros(128, "<u2").tobytes()
    await bench.push(an_image(PixelData=black))
    await bench.push(a_state(GraphicAnnotationSequence=[annotation]))

    picture = await shown(bench, "?viewport=320,160")

    white = np.argwhere(picture > 150)
    assert set(range(66, 74)) & set(white[:, 0])  # the middle of the fourth row of eight
    assert white[:, 0].max() > 112
    assert not white[(white[:, 0] < 60)].size


async def test_a_state_of_several_images_is_given_in_parts(bench: Bench) -> None:
    await bench.push(an_image(1))
    await bench.push(an_image(2))
    await bench.push(a_state(naming(1), naming(2)))

    async with bench.get(SHOWN, PARTS) as response:
        assert (await response.read()).count(b"Content-Type: image/png") == 2
    async with bench.get(SHOWN, "image/png") as response:
        assert response.status == 406


async def test_a_state_shows_the_frames_that_it_names(bench: Bench) -> None:
    two = np.concatenate([np.zeros(128, "<u2"), np.full(128, 15, "<u2")]).tobytes()
    await bench.push(an_image(NumberOfFrames=2, PixelData=two))
    await bench.push(a_state(naming(1, 2)))

    assert np.unique(await shown(bench)).tolist() == [255]


@pytest.mark.parametrize("query", ["window=1,2,linear", "viewport=9,9,1,1", "viewport=9,9,,,-4,4"])
async def test_a_state_has_a_window_and_a_region_of_its_own(bench: Bench, query: str) -> None:
    await bench.push(an_image())
    await bench.push(a_state())

    async with bench.get(f"{SHOWN}?{query}", "image/png") as response:
        assert response.status == 400


async def test_a_state_whose_image_is_not_here_is_refused(bench: Bench) -> None:
    await bench.push(a_state())

    async with bench.get(SHOWN, "image/png") as response:
        assert response.status == 406


async def test_a_study_with_a_state_is_shown_whole(bench: Bench) -> None:
    await bench.push(an_image())
    await bench.push(a_state())

    async with bench.get(f"/studies/{STUDY}/rendered", PARTS) as response:
        assert response.status == 200
        assert (await response.read()).count(b"Content-Type: image/png") == 2


@pytest.mark.parametrize("kind", ["4", "5", "8"])
async def test_other_kinds_of_states_are_said_not_to_be_shown(bench: Bench, kind: str) -> None:
    await bench.push(an_image())
    await bench.push(a_state(sop_class=f"1.2.840.10008.5.1.4.1.1.11.{kind}"))

    async with bench.get(SHOWN, "image/png") as response:
        assert response.status == 406


async def test_a_hostile_state_is_refused_or_shown(bench: Bench) -> None:
    wild = an_item(
        GraphicAnnotationUnits="PIXEL", GraphicData=[1e30, -1e30, 1e38, 1e38], GraphicType="CIRCLE",
        GraphicFilled="Y", GraphicDimensions=2, NumberOfGraphicPoints=2,
    )  # fmt: skip
    await bench.push(an_image())
    await bench.push(
        a_state(
            GraphicAnnotationSequence=[an_item(GraphicObjectSequence=[wild])],
            ShutterShape=["CIRCULAR", "POLYGONAL"],
            CenterOfCircularShutter=[2**31 - 1, -(2**31)],
            RadiusOfCircularShutter=2**31 - 1,
            VerticesOfThePolygonalShutter=[1, 1, 2],
            ImageRotation=45,
        )
    )

    async with bench.get(SHOWN, "image/png") as response:
        assert response.status in (200, 406)
