"""The query parameters of rendered resources, rule by rule (PS3.18 §8.3.5.1)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.pixels.geometry import Viewport
from gateway.pixels.icc import Profile
from gateway.pixels.voi import Function, Window
from gateway.retrieval.rendering.order import Order, read_order, read_thumbnail_order


def order(**given: str) -> Order:
    read, _ = read_order(tuple(given.items()))
    return read


def test_without_a_word_nothing_is_changed() -> None:
    assert order() == Order()


@pytest.mark.parametrize(
    "value, expected",
    [
        ("512,256", Viewport(512, 256)),
        ("512,256,10,20", Viewport(512, 256, 10, 20)),
        ("512,256,10.5,20,-100,50.25", Viewport(512, 256, 10.5, 20, -100, 50.25)),
        ("512,256,,,100,50", Viewport(512, 256, 0, 0, 100, 50)),
        ("512,256,,20", Viewport(512, 256, 0, 20)),
        ("512,256,10,,,-50", Viewport(512, 256, 10, 0, None, -50)),
    ],
)
def test_a_viewport_is_read_with_what_is_elided(value: str, expected: Viewport) -> None:
    assert order(viewport=value).viewport == expected


@pytest.mark.parametrize(
    "value",
    [
        "", "512", "512,", ",512", "0,512", "-1,512", "5.5,512", "99999,1", "512,512,-1",
        "512,512,0,0,0,5", "512,512,0,0,5,0", "512,512,a", "512,512,1,2,3,4,5", "512;512", "1e9,1",
        "٣,٣", "512,512,nan",
    ],
)  # fmt: skip
def test_another_viewport_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        order(viewport=value)


@pytest.mark.parametrize(
    "value, expected",
    [
        ("40,400,linear", Window(40, 400, Function.LINEAR)),
        ("-600.5,1500,linear-exact", Window(-600.5, 1500, Function.LINEAR_EXACT)),
        ("1e3,0.5,sigmoid", Window(1000, 0.5, Function.SIGMOID)),
    ],
)
def test_a_window_is_read(value: str, expected: Window) -> None:
    assert order(window=value).window == expected


@pytest.mark.parametrize(
    "value",
    ["", "40,400", "40", "40,,linear", ",400,linear", "40,400,", "40,400,cubic", "40,0.5,linear",
     "40,0,sigmoid", "40,-5,linear-exact", "a,400,linear", "40,400,linear,1", "inf,400,linear",
     "40,400,LINEAR"],
)  # fmt: skip
def test_another_window_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        order(window=value)


def test_a_quality_is_from_1_to_100() -> None:
    assert [order(quality=value).quality for value in ("1", "100")] == [1, 100]


@pytest.mark.parametrize("value", ["", "0", "101", "-1", "9.5", "high", "1 "])
def test_another_quality_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        order(quality=value)


def test_annotations_are_known_or_warned_of() -> None:
    read, warnings = read_order((("annotation", "technique,patient,scale,ruler"),))

    assert read.annotation == {"patient", "technique"}
    assert warnings == ("The following annotation values are not supported: scale, ruler",)


@pytest.mark.parametrize("value", ["", "patient,", ",", "patient technique", 'x"y', "a\r\nb", "é"])
def test_what_is_no_keyword_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        order(annotation=value)


@pytest.mark.parametrize("value", ["no", "yes", "srgb", "adobergb", "rommrgb"])
def test_a_profile_is_one_of_five(value: str) -> None:
    assert order(iccprofile=value).profile == Profile(value)


@pytest.mark.parametrize("value", ["", "sRGB", "cmyk"])
def test_another_profile_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        order(iccprofile=value)


def test_a_parameter_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        read_order(
            (
                ("quality", "50"),
                ("quality", "60"),
            )
        )


def test_a_parameter_that_is_not_of_this_service_is_passed_over() -> None:
    assert read_order(
        (
            ("token", "x"),
            ("token", "y"),
        )
    ) == (Order(), ())


NAMES = st.sampled_from(["annotation", "quality", "viewport", "window", "iccprofile", "charset"])
VALUES = st.text(st.sampled_from('0123456789,.-+eE linearpatient\x00é"'), max_size=40) | st.text()


@given(st.lists(st.tuples(NAMES, VALUES)).map(tuple))
def test_any_parameters_are_read_or_refused(parameters: tuple[tuple[str, str], ...]) -> None:
    for read in (read_order, read_thumbnail_order):
        with suppress(InvalidRequest):
            read(parameters)
