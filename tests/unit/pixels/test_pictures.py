"""Pictures are what an independent reader takes them for."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from gateway.pixels.annotation import annotate, printable
from gateway.pixels.icc import Profile, with_profile
from gateway.pixels.picture import GIF, JP2, JPEG, PNG, encode, encode_animation

RANDOM = np.random.default_rng(7)
GRADIENT = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)


def read(content: bytes) -> np.ndarray:
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image)


gray_or_colour = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,)])).map(
    lambda drawn: (drawn[0], drawn[1], *drawn[2])
)


@settings(deadline=None)
@given(arrays(np.uint8, gray_or_colour))
def test_a_png_holds_every_pixel(picture: np.ndarray) -> None:
    assert np.array_equal(read(encode(picture, PNG)), picture)


@pytest.mark.parametrize(
    "kind, name", [(JPEG, "JPEG"), (PNG, "PNG"), (GIF, "GIF"), (JP2, "JPEG2000")]
)
@pytest.mark.parametrize("colours", [(), (3,)])
def test_each_type_is_read_as_what_it_is_called(
    kind: str, name: str, colours: tuple[int, ...]
) -> None:
    picture = np.zeros((20, 30, *colours), np.uint8)

    with Image.open(BytesIO(encode(picture, kind))) as image:
        assert image.format == name
        assert image.size == (30, 20)


@pytest.mark.parametrize("kind", [JPEG, JP2])
def test_a_better_quality_is_larger_and_nearer(kind: str) -> None:
    noise = RANDOM.integers(0, 256, (64, 64), np.uint8)

    poor, good = (encode(noise, kind, quality=quality) for quality in (5, 100))

    assert len(poor) < len(good)
    assert (
        np.abs(read(good).astype(int) - noise).mean()
        < np.abs(read(poor).astype(int) - noise).mean()
    )


def test_a_jpeg_is_of_the_baseline_process() -> None:
    """PS3.18 §8.7.4: 8 bits, Huffman, sequential; its marker is SOF0."""
    content = encode(GRADIENT, JPEG)

    assert b"\xff\xc0" in content
    assert b"\xff\xc2" not in content


def test_an_animation_has_each_frame() -> None:
    frames = [np.full((8, 8), shade, np.uint8) for shade in (0, 100, 200)]

    with Image.open(BytesIO(encode_animation(frames, frame_ms=40))) as image:
        shown = []
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            shown.append(int(np.asarray(image.convert("L"))[0, 0]))

    assert shown == [0, 100, 200]


@pytest.mark.parametrize("kind", [JPEG, PNG])
@pytest.mark.parametrize("asked", [Profile.OWN, Profile.SRGB, Profile.ADOBE_RGB, Profile.ROMM_RGB])
def test_a_profile_is_in_the_picture(kind: str, asked: Profile) -> None:
    colours = RANDOM.integers(0, 256, (8, 8, 3), np.uint8)
    converted, profile = with_profile(colours, asked, None)

    with Image.open(BytesIO(encode(converted, kind, icc=profile))) as image:
        assert image.info["icc_profile"] == profile


def test_a_picture_without_a_word_about_colours_carries_none() -> None:
    with Image.open(BytesIO(encode(GRADIENT, GIF))) as image:
        assert "icc_profile" not in image.info


def test_colours_come_back_from_a_wider_space() -> None:
    """Within the rounding of 8 bits, twice."""
    colours = RANDOM.integers(40, 216, (16, 16, 3), np.uint8)

    wide, profile = with_profile(colours, Profile.ADOBE_RGB, None)
    back, _ = with_profile(wide, Profile.SRGB, profile)

    assert np.abs(wide.astype(int) - colours).max() > 10
    assert np.abs(back.astype(int) - colours).max() <= 3


def test_an_unreadable_profile_counts_as_none() -> None:
    colours = RANDOM.integers(0, 256, (4, 4, 3), np.uint8)

    told, profile = with_profile(colours, Profile.OWN, b"no profile at all")

    assert np.array_equal(told, colours)
    assert profile == with_profile(colours, Profile.SRGB, None)[1]


@pytest.mark.parametrize("side", [4, 64, 512, 3000])
def test_an_annotation_leaves_the_picture_its_size(side: int) -> None:
    ground = np.full((side, side), 128, np.uint8)

    written = annotate(ground, top=["DURAND ANNE"] * 20, bottom=["CT " * 100])

    assert written.shape == ground.shape
    assert {0, 255} <= set(np.unique(written)) or side < 512


def test_top_and_bottom_stay_in_their_corners() -> None:
    written = annotate(np.full((512, 512), 128, np.uint8), top=["DURAND"], bottom=[])

    assert (written[100:] == 128).all()
    assert (written[:100, 300:] == 128).all()


def test_letters_that_the_font_lacks_are_written_without_their_accents() -> None:
    assert printable("Œuvré à Nîmes, garçon – 漢") == "OEuvre a Nimes, garcon - ?"
